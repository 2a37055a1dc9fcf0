"""A dispatcher with a real store, a real directory and a sandbox behind HTTP; only time is the test's."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from collector.attribution import Click
from collector.delivery import LaneName, OnUnknown, State, deadline, hold_reason
from collector.destinations import Destination
from collector.destinations.connectly import Connectly
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.directory import Directory
from collector.dispatcher import Dispatcher
from collector.errors import Unavailable
from collector.event import Event
from collector.lane import Limits
from collector.store import face
from collector.store.opening import Store, open_store
from collector.store.outbox import SqlOutbox
from collector.vault import Vault
from collector.verdict import Ticket, Verdicts
from tests.delivery.clocks import Time
from tests.delivery.sandbox import Sandbox

WABA, DATASET, TOKEN = "100000000000001", "200000000000001", "sandbox-token"
SHOP = "5f1e6c1a-0000-4000-8000-000000000001"
KEY = bytes(range(32))
PATIENCE_SECONDS = 20.0


class Signals(SqlOutbox):
    """The store's outbox, which tells the test after every commit."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.engine, store.writer)
        self.committed = asyncio.Condition()
        self.away = 0  # so many settlements find the store away
        self.troubles: list[Exception] = []  # what the next looks at the store, and resumes, come to
        self.settlements: list[face.Settlement] = []

    async def _tell(self) -> None:
        async with self.committed:
            self.committed.notify_all()

    async def settle(self, settlements: list[face.Settlement]) -> list[bool]:
        if self.away:
            self.away -= 1
            raise Unavailable("the test says so")
        done = await super().settle(settlements)
        self.settlements += [each for each, ours in zip(settlements, done, strict=True) if ours]
        await self._tell()
        return done

    async def due(self) -> list[face.LaneDue]:
        if self.troubles:
            raise self.troubles.pop(0)
        return await super().due()

    async def resume(self, business_id: str, channel: str, lane_prefix: str) -> int:
        if self.troubles:
            raise self.troubles.pop(0)
        return await super().resume(business_id, channel, lane_prefix)

    async def probe(self, business_id: str, channel: str, lane_prefix: str) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        await super().probe(business_id, channel, lane_prefix)

    async def release(self, claims: list[face.StoredEvent], due_at: int) -> None:
        await super().release(claims, due_at)
        await self._tell()

    async def hold(self, business_id: str, channel: str, lane_prefix: str, reason: str) -> None:
        await super().hold(business_id, channel, lane_prefix, reason)
        await self._tell()


class House:
    """What a test needs to take events and to watch what becomes of them."""

    def __init__(self, store: Store, outbox: Signals, directory: Directory, vault: Vault, sandbox: Sandbox) -> None:
        self.store = store
        self.outbox = outbox
        self.directory = directory
        self.sandbox = sandbox
        self.time = Time()
        self._vault = vault
        self.numbered_from = 0
        self.dispatcher: Dispatcher
        self.verdicts: Verdicts

    def employ(
        self,
        outbound: Outbound,
        *,
        on_unknown: OnUnknown = "retry",
        limits: Limits | None = None,
        alone: bool = True,
        poll_seconds: float | None = None,
        destinations: Mapping[str, Destination] | None = None,
        random: Callable[[], float] = lambda: 0.0,
    ) -> Dispatcher:
        """A dispatcher of this house; the last one is `dispatcher`."""
        meta = Meta(outbound, self.sandbox.url, "v25.0", "collector")
        connectly = Connectly(outbound, self.sandbox.url)
        self.verdicts = Verdicts(self.outbox, poll_seconds=poll_seconds)
        self.dispatcher = Dispatcher(
            self.outbox,
            self.directory,
            destinations or {"meta": meta, "connectly": connectly},
            self.verdicts,
            alone=alone,
            on_unknown=on_unknown,
            limits=limits,
            clock=self.time.clock,
            monotonic=self.time.monotonic,
            random=random,
            pause=self.time.pause,
            wait=self.time.wait,
        )
        return self.dispatcher

    async def business(self, business_id: str = SHOP, **changes: Any) -> None:
        row = face.BusinessRow(business_id=business_id, name="A shop", origins=("https://shop.example",), created_at=0)
        changes.setdefault("cookie_name", f"cnct_{business_id[-6:]}")
        await self.store.directory.put_business(msgspec.structs.replace(row, **changes))
        await self.directory.refresh()

    async def channel(
        self, business_id: str = SHOP, channel: str = "whatsapp", *, token: str = TOKEN, **changes: Any
    ) -> None:
        sealed = self._vault.seal(token, (business_id, channel))
        given: dict[str, Any] = {"asset_id": WABA, "dataset_id": DATASET, "updated_at": self.time.clock()} | changes
        row = face.ChannelRow(business_id=business_id, channel=channel, sealed_token=sealed, **given)
        await self.store.directory.put_channel(row)

    def event(self, **changes: Any) -> tuple[Event, face.Delivery]:
        self.numbered_from += 1
        now = self.time.clock()
        destination = changes.pop("destination", "meta")
        given: dict[str, Any] = {
            "business_id": SHOP,
            "id": f"{self.numbered_from:032x}",
            "event_name": "Purchase",
            "event_id": f"order-{self.numbered_from}",
            "event_at": now,
            "received_at": now,
            "click": Click("trk", "snd", "AfgClick", "ad-1"),
            "custom_data": f'{{"currency":"USD","value":1.5,"order_id":"order-{self.numbered_from}"}}',
            "currency": "USD",
            "value_micros": 1_500_000,
        } | changes
        event = Event(**given)
        channel = "connectly" if destination == "connectly" else event.channel
        delivery = face.Delivery(
            business_id=event.business_id,
            id=event.id,
            destination=destination,
            lane=str(LaneName(destination, event.business_id, channel, event.source)),
            state="pending",
            due_at=now,
            deadline_at=deadline(event.event_at),
        )
        return event, delivery

    async def take(self, *, leased: bool = True, **changes: Any) -> Ticket:
        """Take one event as intake does: with a slot and a lease where there is a slot, else pending."""
        event, delivery = self.event(**changes)
        while True:
            slot = leased and self.dispatcher.reserve(delivery.lane)
            state: State = "sending" if slot else "pending"
            account = self.directory.channel(event.business_id, LaneName.parse(delivery.lane).channel)
            if account is not None and account.held:
                delivery = msgspec.structs.replace(delivery, state="held", reason=hold_reason(account.held))
            elif slot:
                delivery = msgspec.structs.replace(delivery, state=state, attempts=1, lease_ms=60_000)
            ticket = self.verdicts.expect(event.business_id, event.id)
            record = face.Record(business_id=event.business_id, id=event.id, received_at=event.received_at)
            try:
                await self.store.ledger.take(event, delivery, record, (), self.directory.version)
                break
            except face.StaleDirectory:
                if slot:
                    self.dispatcher.give_back(delivery.lane)
                    delivery = msgspec.structs.replace(delivery, state="pending", attempts=0, lease_ms=None)
                await self.directory.refresh()
        if slot:
            self.dispatcher.hand_over(face.StoredEvent(event=event, delivery=delivery))
        else:
            self.dispatcher.nudge(delivery.lane)
        return ticket

    async def take_many(self, count: int, **changes: Any) -> list[Ticket]:
        return list(await asyncio.gather(*(self.take(**changes) for _ in range(count))))

    async def deliveries(self, business_id: str = SHOP) -> dict[str, face.Delivery]:
        """By event id."""
        found = await self.store.ledger.events(business_id, None, None, None, None, 5000)
        return {each.event.event_id: each.delivery for each in found}

    async def states(self, business_id: str = SHOP) -> dict[str, int]:
        """How many deliveries are in each state, with its reason where there is one."""
        counts: dict[str, int] = {}
        for each in (await self.deliveries(business_id)).values():
            name = f"{each.state}({each.reason})" if each.reason else each.state
            counts[name] = counts.get(name, 0) + 1
        return counts

    async def until(self, wanted: Callable[[dict[str, int]], bool], business_id: str = SHOP) -> dict[str, int]:
        """Wait until the states are as wanted; they are looked at after each of the dispatcher's commits."""
        async with self.outbox.committed:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while not wanted(states := await self.states(business_id)):
                        await self.outbox.committed.wait()
            except TimeoutError:
                facts = self.dispatcher.facts()
                raise AssertionError(f"still {await self.states(business_id)}, dispatcher {facts}") from None
        return states

    async def rest(self) -> None:
        """Wait until the dispatcher has nothing in hand and nothing to do before the clock moves."""
        empty = self.dispatcher._kit.empty
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not (empty.is_set() and self.time.is_parked()):
                    await empty.wait()
                    await self.time.parked()
        except TimeoutError:
            raise AssertionError(f"it never rests: {self.dispatcher.facts()}") from None

    async def live_through(self, seconds: float, step: float = 1.0) -> None:
        """Let so much time pass, one step after the other, with all the work that each brings."""
        await self.rest()
        for _ in range(round(seconds / step)):
            self.time.advance(step)
            await self.rest()

    async def attempts(self, ticket_id: int = 1, business_id: str = SHOP) -> list[face.Attempt]:
        return await self.store.ledger.attempts(business_id, f"{ticket_id:032x}")

    async def held_because(self, business_id: str = SHOP, channel: str = "whatsapp") -> str | None:
        await self.directory.refresh()
        account = self.directory.channel(business_id, channel)
        return account.held if account else None


@asynccontextmanager
async def open_house(database: Path | str, sandbox_url: str, clocks: Time | None = None) -> AsyncIterator[House]:
    """A house with one business and a WhatsApp channel, at peace: nothing is sent before a dispatcher starts.

    `database`: a file for SQLite, or the DSN of a PostgreSQL database.
    """
    async with AsyncExitStack() as stack:
        clocks = clocks or Time()
        url = database if isinstance(database, str) else f"sqlite:///{database}"
        store = await stack.enter_async_context(open_store(url, clock=clocks.clock, serving=True))
        vault = Vault([KEY], lambda size: b"\7" * size)
        sandbox = Sandbox(sandbox_url)
        stack.push_async_callback(sandbox.close)
        house = House(store, Signals(store), Directory(store.directory, vault), vault, sandbox)
        house.time = clocks
        await house.business()
        await house.channel()
        await house.directory.refresh()
        yield house
