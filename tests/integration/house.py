"""A collector under test: its process, its store, the shops that it serves."""

import asyncio
import itertools
import json
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import msgspec

from collector import attribution
from collector.attribution import Attribution, Click
from collector.directory import channels, onboarding
from collector.event import Channel
from collector.policy import Policy
from collector.store.face import Directory
from collector.store.opening import open_store, wall_clock
from collector.vault import Vault, open_vault
from tests.integration.sandbox import Sandbox
from tests.integration.shop import Shop
from tests.processes import Process, collector, free_port

T = TypeVar("T")
NUMBERS = itertools.count(1)
PATIENCE_SECONDS = 20.0


def eventually(found: Callable[[], T | None], wanted: str, seconds: float = PATIENCE_SECONDS) -> T:
    """Ask until there is an answer, and fail when there is none in time."""
    end = time.monotonic() + seconds
    pause = threading.Event()
    while (answer := found()) is None:
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {wanted}"
        pause.wait(0.02)
    return answer


class House:
    """One `collector serve` process with its database; it may be stopped, killed and started again.

    `settings` are environment variables without their prefix. What must never be printed is collected in `secrets`.
    """

    def __init__(
        self,
        directory: Path,
        sandbox: Sandbox,
        database_url: str = "",
        arguments: tuple[str, ...] = (),
        **settings: str,
    ) -> None:
        self.sandbox = sandbox
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = database_url or f"sqlite:///{directory}/collector.db"
        self.data_dir = directory
        self.arguments = arguments
        self.environment = {
            "COLLECTOR_DATA_DIR": str(directory),
            "COLLECTOR_DATABASE_URL": self.database_url,
            "COLLECTOR_GRAPH_URL": sandbox.url,
            "COLLECTOR_CONNECTLY_URL": sandbox.url,
            "COLLECTOR_RATE_IP_PER_MINUTE": "1000000",
            "COLLECTOR_LOG_LEVEL": "debug",
            **{f"COLLECTOR_{name.upper()}": value for name, value in settings.items()},
        }
        self.client = httpx2.Client(base_url=self.url, trust_env=False, timeout=25)
        self.secrets: set[str] = set()
        self._stack = ExitStack()
        self._outputs: list[str] = []
        self.process: Process | None = None

    # -- the process

    def start(self) -> None:
        """Serve."""
        command = ("serve", "--port", str(self.port), *self.arguments)
        self.process = self._stack.enter_context(collector(*command, listens_on=self.port, env=self.environment))

    def stop(self) -> int:
        """Ask the process to end; gives its exit code."""
        assert self.process is not None
        code = self.process.terminate()
        self.kill()
        return code

    def kill(self) -> None:
        """End the process as a crash does."""
        if self.process is not None:
            self.process.kill()
            self._outputs.append(self.process.output)
            self.process = None
            self._stack.close()

    def close(self) -> None:
        """End the process, and see that no secret was ever printed and no fault of ours was logged."""
        self.kill()
        self.client.close()
        printed = "".join(self._outputs)
        leaked = [secret[:8] for secret in self.secrets if secret in printed]
        assert not leaked, f"secrets in the log: {leaked}"
        faults = [line for line in printed.splitlines() if not line.startswith("{") or '"level":"error"' in line]
        assert not faults, faults

    def command(self, *arguments: str, **secret: str) -> Any:
        """Run a command beside the process; gives its JSON."""
        done = subprocess.run(
            [sys.executable, "-m", "collector", *arguments, "--json"],
            env=os.environ | self.environment | secret,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    # -- the store

    @property
    def vault(self) -> Vault:
        """The keys of this collector."""
        return open_vault(self.data_dir, ())

    def onboard(self, work: Callable[[Directory], Awaitable[T]]) -> T:
        """Change the directory from beside the process, as commands do."""

        async def run() -> T:
            async with open_store(self.database_url, serving=False) as store:
                return await work(store.directory)

        return asyncio.run(run())

    def token(self, shop: Shop, click: Click, age_seconds: int = 0, keys: list[bytes] | None = None) -> str:
        """A token for this shop as the collector would sign it."""
        signed = Attribution(click, int(time.time()) - age_seconds)
        return attribution.sign(signed, shop.business_id, keys or self.vault.signing_keys())

    def shop(self, *, channel: bool = True, dataset: bool = True, **changes: Any) -> Shop:
        """A new shop with a key, a dataset, a token and a click that Meta knows; `changes` are fields of its business row.

        Without `channel` nothing says where its events go; without `dataset` Meta knows neither dataset nor token.
        """
        number = next(NUMBERS)
        shop = Shop(
            client=self.client,
            sandbox=self.sandbox,
            host=f"shop-{number}.example",
            waba=str(100_000_001_000_000 + number),
            dataset=str(200_000_001_000_000 + number),
            access_token="EAA" + secrets.token_hex(40),
            click=new_click(),
        )

        async def work(store: Directory) -> None:
            row, shop.key = await onboarding.create_business(
                store, name="Shop", origins=(shop.origin,), now=wall_clock(), random=os.urandom
            )
            shop.business_id = row.business_id
            if isinstance(policy := changes.get("policy"), Policy):
                changes["policy"] = msgspec.structs.asdict(policy)
            if changes:
                await onboarding.change_business(store, row.business_id, **changes)
            if channel and changes.get("destination") == "connectly":
                shop.dataset = row.business_id
                await channels.set_destination(
                    store,
                    self.vault,
                    business_id=row.business_id,
                    connectly_business_id=row.business_id,
                    token=shop.access_token,
                    now=wall_clock(),
                )
            elif channel:
                await channels.set_channel(
                    store,
                    self.vault,
                    business_id=row.business_id,
                    channel="whatsapp",
                    asset_id=shop.waba,
                    dataset_id=shop.dataset,
                    token=shop.access_token,
                    now=wall_clock(),
                )

        self.onboard(work)
        self._teach(shop, dataset)
        self.secrets |= {shop.key, shop.access_token, str(shop.click.ctwa_clid)}
        if self.process is not None:
            assert shop.records() == []  # and the process has noticed the shop
        return shop

    def share(self, shop: Shop, other: Shop) -> None:
        """Let a shop use the WhatsApp account and dataset of another, as the shops of an agency may."""

        async def work(store: Directory) -> None:
            await channels.set_channel(
                store,
                self.vault,
                business_id=shop.business_id,
                channel="whatsapp",
                asset_id=other.waba,
                dataset_id=other.dataset,
                token=other.access_token,
                now=wall_clock(),
            )

        self.onboard(work)
        shop.records()  # and the process has noticed

    def website(self, shop: Shop) -> None:
        """Let a shop's dataset be its website's."""

        async def work(store: Directory) -> None:
            await channels.set_channel(
                store,
                self.vault,
                business_id=shop.business_id,
                channel="website",
                asset_id=None,
                dataset_id=shop.dataset,
                token=shop.access_token,
                now=wall_clock(),
            )

        self.onboard(work)
        self.sandbox.learn(datasets={shop.dataset: {"kind": "web"}})
        shop.records()  # and the process has noticed

    def channels(self, shop: Shop) -> None:
        """Give a shop the other three channels too: the accounts that the sandbox knows from the start, which all shops share."""

        async def work(store: Directory) -> None:
            rest: tuple[Channel, ...] = ("messenger", "instagram", "website")
            for number, channel in enumerate(rest, start=2):
                await channels.set_channel(
                    store,
                    self.vault,
                    business_id=shop.business_id,
                    channel=channel,
                    asset_id=None if channel == "website" else str(100_000_000_000_000 + number),
                    dataset_id=str(200_000_000_000_000 + number),
                    token="sandbox-token",
                    now=wall_clock(),
                )

        self.onboard(work)
        shop.records()  # and the process has noticed

    def _teach(self, shop: Shop, dataset: bool) -> None:
        known: dict[str, Any] = {"clicks": {shop.click.ctwa_clid: shop.waba}}
        if "-" in shop.dataset:
            known = {"clicks": [shop.click.ctwa_clid], "connectly": {"keys": {shop.access_token: {}}}}
        elif dataset:
            known |= {"datasets": {shop.dataset: {"waba_id": shop.waba}}, "tokens": {shop.access_token: {}}}
        self.sandbox.learn(**known)


def new_click() -> Click:
    """A click with ids as long as real ones, that Meta has not heard of."""
    return Click(
        cnct_tracking_id=secrets.token_hex(16),
        sendout_id=secrets.token_hex(16),
        ctwa_clid="ARA" + re.sub("[^A-Za-z0-9]", "x", secrets.token_urlsafe(72)),
        ad_id="1202" + str(secrets.randbelow(10**14)).zfill(14),
    )
