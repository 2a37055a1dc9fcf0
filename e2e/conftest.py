"""The stage of the browser tests: real processes, TLS, several host names, a real Chromium."""

import json
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx2
import pytest
import trustme
from playwright.sync_api import Browser, BrowserContext, Page, Request

from e2e.front import tls_front
from e2e.shop import Shop
from tests.processes import Process, collector, free_port, serving

T = TypeVar("T")

SHOP, CHECKOUT, NEAR, FAR = (
    "shop.merchant.example",
    "checkout.merchant.example",
    "t.merchant.example",
    "collector.example",
)
PATIENCE_SECONDS = 15.0


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, every name on this machine."""
    return {
        "executable_path": os.environ.get("COLLECTOR_TEST_CHROMIUM", "/usr/bin/chromium"),
        "args": [
            "--no-sandbox",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--host-resolver-rules=MAP * 127.0.0.1",
        ],
    }


@dataclass
class Stage:
    """Everything that plays: the merchant, the collector's process, the sandbox's address, and the origins that the browser sees."""

    shop: Shop
    port: int
    near: str
    far: str
    sandbox: str
    collector: "Collector"

    def url(self, path: str, host: str = SHOP, **query: str) -> str:
        """A page of the shop."""
        return f"https://{host}:{self.port}{path}" + (f"?{urlencode(query)}" if query else "")

    def events(self, click_id: str) -> list[dict[str, Any]]:
        """What the sandbox has of this click."""
        told = httpx2.get(f"{self.sandbox}/sandbox/events", trust_env=False).json()["events"]
        return [each["event"] for each in told if each["event"]["user_data"].get("ctwa_clid") == click_id]

    def wait_for_events(self, click_id: str, *names: str) -> list[dict[str, Any]]:
        """Wait until exactly these events of the click have arrived, in any order."""
        wanted = sorted(names)
        found = eventually(lambda: self._matching(click_id, wanted), lambda: f"{wanted}, but {self.events(click_id)}")
        assert sorted(each["event_name"] for each in found) == wanted
        return found

    def _matching(self, click_id: str, wanted: list[str]) -> list[dict[str, Any]] | None:
        found = self.events(click_id)
        return found if len(found) >= len(wanted) else None


@dataclass
class Collector:
    """The collector's process, which can be killed and started again."""

    directory: Path
    environment: dict[str, str]
    port: int
    process: Process | None = None
    stack: ExitStack | None = None

    def start(self) -> None:
        """Serve."""
        self.stack = ExitStack()
        self.process = self.stack.enter_context(
            collector("serve", "--port", str(self.port), listens_on=self.port, env=self.environment)
        )

    def kill(self) -> None:
        """End it as a crash does."""
        if self.stack is not None:
            self.stack.close()
            self.stack = None

    def command(self, *arguments: str, **secrets: str) -> Any:
        """Run a command beside it; gives its JSON."""
        command = [sys.executable, "-m", "collector", *arguments, "--json"]
        done = subprocess.run(
            command, env=os.environ | self.environment | secrets, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout)


def eventually(found: Callable[[], T | None], wanted: Callable[[], str]) -> T:
    """Ask until there is an answer."""
    end = time.monotonic() + PATIENCE_SECONDS
    pause = threading.Event()
    while time.monotonic() < end:
        if (answer := found()) is not None:
            return answer
        pause.wait(0.05)
    raise AssertionError(f"waited {PATIENCE_SECONDS} s for {wanted()}")


@contextmanager
def staged(directory: Path) -> Iterator[Stage]:
    """Set the stage: certificates, sandbox, collector behind TLS, shop."""
    authority = trustme.CA()
    certificate = authority.issue_cert(SHOP, CHECKOUT, NEAR, FAR)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    pem = directory / "server.pem"
    pem.write_bytes(certificate.private_key_and_cert_chain_pem.bytes())
    shop_port, front_port, collector_port, sandbox_port = (free_port() for _ in range(4))
    near, far = f"https://{NEAR}:{front_port}", f"https://{FAR}:{front_port}"
    with ExitStack() as stack:
        stack.enter_context(collector("sandbox", "--any-click", "--port", str(sandbox_port), listens_on=sandbox_port))
        environment = {
            "COLLECTOR_DATA_DIR": str(directory / "data"),
            "COLLECTOR_GRAPH_URL": f"http://127.0.0.1:{sandbox_port}",
            "COLLECTOR_PUBLIC_URL": near,
        }
        house = Collector(directory, environment, collector_port)
        origins = [f"--origin=https://{host}:{shop_port}" for host in (SHOP, CHECKOUT)]
        made = house.command("business", "create", "Merchant", *origins)
        house.command(
            "channel", "set", made["business_id"], "whatsapp",
            "--waba-id", "100000000000001", "--dataset-id", "200000000000001",
            COLLECTOR_ACCESS_TOKEN="sandbox-token",
        )  # fmt: skip
        shop = Shop(made["business_id"], made["api_key"], f"http://127.0.0.1:{collector_port}")
        shop.script_origins = f"{near} {far}"
        shop.tags = {
            "same": made["tag"],
            "pending": made["tag"].replace("data-business", 'data-consent="pending" data-business'),
            "foreign": made["tag"].replace(near, far).replace("data-business", 'data-site="foreign" data-business'),
        }
        house.start()
        stack.callback(house.kill)
        stack.enter_context(tls_front(context, front_port, collector_port))
        stack.enter_context(serving(shop.app(), port=shop_port, ssl_certfile=str(pem), ssl_keyfile=str(pem)))
        yield Stage(shop, shop_port, near, far, f"http://127.0.0.1:{sandbox_port}", house)


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The stage that tests share: each uses a click id of its own."""
    with staged(tmp_path_factory.mktemp("stage")) as built:
        yield built


@pytest.fixture
def lone_stage(tmp_path: Path) -> Iterator[Stage]:
    """A stage of one's own, to break. Ask for it before the page, so that the browser leaves first."""
    with staged(tmp_path) as built:
        yield built


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile."""
    opened = browser.new_context(ignore_https_errors=True)
    yield opened
    opened.close()


class Watch:
    """Every request that a page sends to the collector, and every complaint on its console."""

    def __init__(self, page: Page, stage: Stage) -> None:
        self.page = page
        self.posts: list[Request] = []
        self.complaints: list[str] = []
        page.on("request", lambda request: self._see(request, stage))
        page.on("console", lambda message: self.complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _see(self, request: Request, stage: Stage) -> None:
        if request.url.startswith((stage.near, stage.far)) and request.method != "GET":
            self.posts.append(request)

    def paths(self) -> list[str]:
        """The last part of each post's path."""
        return [request.url.rsplit("/", 1)[1] for request in self.posts]


@pytest.fixture
def watch(page: Page, stage: Stage) -> Watch:
    """Watches this test's page."""
    return Watch(page, stage)
