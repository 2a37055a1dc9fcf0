"""The composition root: picks the implementations, joins the rooms, serves."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Literal

import uvloop
from starlette.routing import Route
from starlette.types import ASGIApp

from collector.arrivals import Arrivals
from collector.delivery import LaneName, OnUnknown
from collector.destinations import Destination
from collector.destinations.connectly import Connectly
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.directory import Directory
from collector.dispatcher import Dispatcher
from collector.edge.api import ConversionEvents, Gate
from collector.edge.browser import Pages
from collector.edge.conversions import Conversions
from collector.edge.front import Front
from collector.edge.guard import Rates
from collector.edge.ledger import Keyed, ServerLinks, Tale
from collector.edge.ops import Health, Readiness
from collector.edge.reports import Reports
from collector.edge.snippet import Snippet
from collector.edge.visit import BrowserEdge, Handler
from collector.edge.webhooks import Webhooks
from collector.errors import SettingsError, Unavailable
from collector.intake import Intake
from collector.link import Linker
from collector.match import Matcher
from collector.privacy import Denials, retain
from collector.server import STOP_SECONDS, Server, hurry, run
from collector.settings import Settings
from collector.snippet_files import snippet_directory
from collector.store.opening import Store, open_store, wall_clock
from collector.vault import Vault, open_vault
from collector.verdict import POLL_SECONDS, Verdicts

LOG = logging.getLogger(__name__)

Role = Literal["all", "web", "deliver"]

SWEEP_SECONDS: Final = 15.0
RETAIN_EVERY: Final = 240
"""Sweeps between two rounds of retention: an hour."""
MINTED_AT_ONCE: Final = 256


class Mint:
    """Row ids: 12 hex digits of the time in milliseconds, 4 that count within it, 16 random ones. They sort by time and nobody can guess them.

    The count lets those that are made one after the other sort so: what one commit writes lies side by side. (It tells no more than how many
    were made before in that millisecond.)
    """

    def __init__(self, random: Callable[[int], bytes] = os.urandom) -> None:
        self._random = random
        self._pool: list[str] = []
        self._now = self._count = 0

    def __call__(self, now_ms: int) -> str:
        """A new id."""
        if not self._pool:  # one system call for many ids
            self._pool = self._random(8 * MINTED_AT_ONCE).hex(" ", 8).split()
        self._count = self._count + 1 if now_ms == self._now else 0
        self._now = now_ms
        return f"{now_ms:012x}{self._count & 0xFFFF:04x}{self._pool.pop()}"


class House:
    """Everything that one serving process joins together, over an open store."""

    def __init__(
        self, settings: Settings, store: Store, vault: Vault, outbound: Outbound, role: Role, on_unknown: OnUnknown
    ) -> None:
        self.settings = settings
        self.store = store
        self.clock = wall_clock
        self.mint = Mint()
        self.signing_keys = vault.signing_keys()
        self.ref_key = vault.ref_key()
        self.directory = Directory(store.directory, vault)
        destinations: dict[str, Destination] = {
            "meta": Meta(outbound, settings.graph_url, settings.graph_version, settings.partner_agent),
            "connectly": Connectly(outbound, settings.connectly_url),
        }
        alone = settings.database_url.startswith("sqlite")  # nobody else can be sending
        # Asked even so: a hold, a deadline or a command moves many at once, and tells nobody.
        self.verdicts = Verdicts(store.outbox, waiters_max=settings.waiters, poll_seconds=POLL_SECONDS)
        self.dispatcher = Dispatcher(
            store.outbox, self.directory, destinations, self.verdicts, alone=alone, on_unknown=on_unknown
        )
        self.intake = Intake(
            store.ledger, self.directory, self.dispatcher, self.verdicts, destinations, self.mint, self.clock
        )
        self.denials = Denials(store.ledger)
        self.matcher = Matcher(store.ledger, self.signing_keys, self.ref_key, self.denials, self.directory)
        self.linker = Linker(store.ledger, self.intake, self.matcher)
        self.gate = Gate(self.directory, self.clock)
        self.arrivals = Arrivals(store.ledger, self.linker)
        self.webhooks = Webhooks(
            store.ledger,
            self.arrivals,
            self.directory,
            settings.meta_app_secret,
            settings.meta_verify_token,
            settings.webhook_body_bytes,
            self.clock,
        )

    async def keep(self) -> None:
        """The housekeeping that belongs to no request: sweep waiting events, forget old landings."""
        rounds = 0
        while True:
            try:
                await self.directory.refresh()
                self.dispatcher.learn(self.held())
                await self.denials.refresh(self.clock())
                await self.linker.sweep()
                if rounds % RETAIN_EVERY == 0:
                    await retain(self.store.ledger, self.clock(), self.settings.landing_days)
            except Unavailable as problem:
                LOG.warning("housekeeping waits: %s", problem)
            except Exception:  # it must go on: without it, what waits for a click would wait until its deadline
                LOG.exception("housekeeping failed")
            rounds += 1
            await asyncio.sleep(SWEEP_SECONDS)

    def held(self) -> list[tuple[LaneName, str]]:
        """A lane of each channel that the store says is held, and why: nothing but a dispatcher would ever try it again."""
        return [
            (LaneName("connectly" if channel == "connectly" else "meta", business_id, channel, "server"), reason)
            for business_id, channel, reason in self.directory.held()
        ]

    def facts(self) -> dict[str, object]:
        """Counters and gauges of this process."""
        return {"keys_refused": self.gate.refused, "webhooks": self.webhooks.facts, **self.dispatcher.facts()}


def routes(house: House, role: Role) -> list[Route]:
    """All routes of a role. Starlette tries them in order: the hot ones come first."""
    ready = Readiness(house.store.writable, house.store.outbox.oldest_pending_at, house.facts, house.clock)
    ops: list[Route] = [Route("/healthz", Health()), Route("/readyz", ready)]
    return (
        ops
        if role == "deliver"
        else [*_api(house), *_browser(house), Route("/webhooks/meta", house.webhooks, methods=["GET", "POST"]), *ops]
    )


def _api(house: House) -> list[Route]:
    settings, gate, matcher = house.settings, house.gate, house.matcher
    size = settings.call_body_bytes
    conversions = ConversionEvents(gate, house.intake, matcher, house.mint, settings.wait_seconds, size)
    own = Conversions(gate, house.intake, matcher, house.mint, settings.events_body_bytes)
    links = ServerLinks(gate, house.linker, matcher, house.ref_key, size)
    tale = Tale(house.store.ledger)
    business = "/v1/businesses/{business_id}"
    return [
        Route("/external/v1/businesses/{business_id}/conversion_events", conversions, methods=["POST"]),
        Route(f"{business}/links", Keyed(gate, links), methods=["POST"]),
        Route(f"{business}/events", Keyed(gate, tale.events), methods=["GET"]),
        Route(f"{business}/events", own, methods=["POST"]),
        Route(f"{business}/events/{{event_row}}", Keyed(gate, tale.event), methods=["GET"]),
        Route(f"{business}/reports/{{name}}", Keyed(gate, Reports(house.store.ledger)), methods=["GET"]),
        Route(f"{business}/records", Keyed(gate, tale.records), methods=["GET"]),
    ]


def _browser(house: House) -> list[Route]:
    settings = house.settings
    rates = Rates(settings.rate_ip_per_minute, settings.rate_business_per_minute)
    pages = Pages(
        house.store.ledger,
        house.directory,
        house.intake,
        house.linker,
        house.denials,
        house.signing_keys,
        house.ref_key,
        rates,
        house.mint,
        house.clock,
    )
    handlers: dict[str, Handler] = {"landing": pages.landing, "events": pages.event, "links": pages.link}
    snippet = Snippet(snippet_directory())
    return [
        *(
            Route(
                f"/b/{{business_id}}/{name}",
                BrowserEdge(handler, house.directory, house.signing_keys, house.clock, settings.browser_body_bytes),
                methods=["POST", "OPTIONS"],
            )
            for name, handler in handlers.items()
        ),
        Route("/cnct.js", snippet, methods=["GET", "HEAD"]),
        Route("/cnct.{hash:str}.js", snippet, methods=["GET", "HEAD"]),
    ]


@asynccontextmanager
async def open_application(settings: Settings, role: Role, on_unknown: OnUnknown) -> AsyncIterator[ASGIApp]:
    """One serving process's ASGI application, with its store open and its dispatcher running; both end with the context.

    Raises errors.SettingsError when store or keys cannot be used.
    """
    vault = open_vault(settings.data_dir, settings.secret_keys)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.database_url, serving=True))
        outbound = Outbound()
        stack.push_async_callback(outbound.close)
        house = House(settings, store, vault, outbound, role, on_unknown)
        await house.directory.refresh()
        await house.denials.refresh(house.clock())
        if role != "web":
            await house.dispatcher.start(house.held())
            stack.push_async_callback(house.dispatcher.stop, STOP_SECONDS)
        for work in (house.keep(), house.arrivals.run()):
            stack.callback(asyncio.create_task(work).cancel)
        yield Front(routes(house, role))


def serve(settings: Settings, *, host: str, port: int, role: Role, on_unknown: OnUnknown) -> int:
    """Run until a signal asks to stop; returns the exit code. A soft stop answers who waits and settles what is in flight.

    Raises errors.SettingsError when it cannot start.
    """
    if role != "all" and settings.database_url.startswith("sqlite"):
        raise SettingsError(
            [f"--role {role} needs PostgreSQL (COLLECTOR_DATABASE_URL): on SQLite one process does it all"]
        )

    async def main() -> bool:
        async with open_application(settings, role, on_unknown) as app:
            grace_seconds = settings.wait_seconds + STOP_SECONDS  # nobody is cut who waits for a verdict
            return await run([Server(app, host, port, settings.forwarded_allow_ips, grace_seconds)])

    hurry()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return 0 if runner.run(main()) else 1
