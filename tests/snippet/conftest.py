"""The stage of the snippet's tests: the built file in a real Chromium, against a collector that records."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Request

from tests.processes import serving
from tests.snippet.recording import BUSINESS, DIST, Recorder

SHOP, NEAR, FAR = "shop.localhost", "t.shop.localhost", "collector.localhost"
CLICK = "cnct_tracking_id=visitor-1&sendout_id=campaign-1&ctwa_clid=ARAkLkA8rmlFeiCk&ad_id=120210000000000001"


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, Any]:
    """Debian's Chromium, with its back/forward cache: Playwright switches it off otherwise."""
    return {
        "executable_path": os.environ.get("COLLECTOR_TEST_CHROMIUM", "/usr/bin/chromium"),
        "args": [
            "--no-sandbox",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--ignore-certificate-errors",  # Playwright's own option forgets requests that outlive their page
        ],
        "ignore_default_args": ["--disable-back-forward-cache"],
    }


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile."""
    opened = browser.new_context()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def served() -> Iterator[Recorder]:
    """One server for all tests; `recorder` gives it back clean."""
    recorder = Recorder()
    with serving(recorder.app()) as url:
        recorder.port = urlsplit(url).port or 0
        yield recorder
        recorder.released.set()


@pytest.fixture
def recorder(served: Recorder) -> Iterator[Recorder]:
    """The collector, with nothing recorded and nothing planned."""
    served.posts, served.others, served.answers, served.pages = [], [], [], {}
    served.policy, served.sets_cookies, served.replay = "", True, None
    served.released.clear()
    yield served
    served.released.set()


@dataclass
class Shop:
    """The merchant: writes pages with the tag and knows their addresses."""

    recorder: Recorder

    def url(self, path: str = "/", host: str = SHOP) -> str:
        """An address of the shop, or of the collector's hosts."""
        return f"http://{host}:{self.recorder.port}{path}"

    def tag(self, host: str = NEAR, path: str = "/cnct.js", loading: str = "", **data: str) -> str:
        """The script tag; keywords become data attributes."""
        attributes = "".join(f' data-{name}="{value}"' for name, value in {"business": BUSINESS, **data}.items())
        return f'<script {loading} src="{self.url(path, host)}"{attributes}></script>'

    def page(self, path: str, body: str = "", head: str | None = None) -> None:
        """Put a page up; `head` replaces the tag."""
        head = self.tag() if head is None else head
        self.recorder.pages[path] = (
            f'<!doctype html><html><head><meta charset="utf-8"><title>{path}</title>'
            f'<link rel="icon" href="data:,">{head}</head><body>{body}</body></html>'
        )


def json_ld(*things: Any) -> str:
    """Structured data as shops write it, one block for each thing; a string stands as it is."""
    blocks = (thing if isinstance(thing, str) else json.dumps(thing) for thing in things)
    return "".join(f'<script type="application/ld+json">{block}</script>' for block in blocks)


def moka(sku: str = "moka") -> str:
    """The structured data of one product."""
    offer = {"@type": "Offer", "price": "39.00", "priceCurrency": "USD"}
    return json_ld({"@context": "https://schema.org", "@type": "Product", "sku": sku, "offers": offer})


@dataclass
class Watch:
    """What the page sent and what it complained about, in order."""

    page: Page
    sent: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def settle(self, ms: int = 3000) -> None:
        """Let the page's timers run, then prove that whatever it meant to send has been sent."""
        self.page.clock.run_for(ms)
        with self.page.expect_response("**/settled"):
            self.page.evaluate("void fetch('/settled')")

    def _request(self, request: Request) -> None:
        if request.method != "GET":
            self.sent.append(urlsplit(request.url).path.rpartition("/")[2])


@pytest.fixture
def shop(recorder: Recorder) -> Shop:
    """The merchant, with a few pages."""
    shop = Shop(recorder)
    shop.page("/")
    shop.page("/plain")
    shop.page("/moka", moka())
    shop.page("/mug", moka("mug"))
    shop.page("/settled")
    return shop


@pytest.fixture
def watch(page: Page) -> Watch:
    """Eyes on the page. Its timers can be run; its clock goes on by itself."""
    watch = Watch(page)
    page.clock.install()
    page.on("request", watch._request)
    page.on("pageerror", lambda error: watch.complaints.append(f"error: {error}"))
    page.on("console", lambda message: watch.complaints.append(f"{message.type}: {message.text}"))
    page.add_init_script(
        "addEventListener('unhandledrejection', event => console.error('unhandled', event.reason));"
        "addEventListener('securitypolicyviolation', event => console.error('policy', event.violatedDirective));"
    )
    return watch


@pytest.fixture
def land(page: Page, shop: Shop, recorder: Recorder) -> Callable[..., None]:
    """Arrive from a campaign and wait until the collector's answer is worked in."""

    def arrive(path: str = "/plain", query: str = CLICK) -> None:
        before = len(recorder.bodies("landing"))
        page.goto(shop.url(f"{path}?{query}"))
        recorder.wait_for("landing", before + 1)
        page.wait_for_function("document.cookie.includes('cnct_ref=') && !Object.keys(localStorage).length")

    return arrive


def cookies(context: BrowserContext) -> dict[str, dict[str, Any]]:
    """The profile's cookies by name."""
    return {str(cookie["name"]): dict(cookie) for cookie in context.cookies() if "name" in cookie}


def storage(page: Page) -> list[str]:
    """The names of everything that the page's origin stores."""
    names: list[str] = page.evaluate("[...Object.keys(localStorage), ...Object.keys(sessionStorage)]")
    return names


@pytest.fixture(scope="session")
def integrity() -> str:
    """What the manifest gives for Subresource Integrity."""
    return str(json.loads((DIST / "manifest.json").read_text())["integrity"])
