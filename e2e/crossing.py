"""A slow network between a shop's pages and a real collector, and what both ends have seen of each visitor."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import trustme
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from e2e.conftest import FAR, NEAR, SHOP, Collector
from tests.processes import HOST, collector, free_port, serving
from tests.snippet.far_away import delayed

DELAY_SECONDS = 0.1  # in each direction: as between a phone and a data centre
SETUPS = ("same origin", "subdomain", "foreign")
LEAVES = {
    "same tick": "location.href = '/left'",
    "after 50 ms": "setTimeout(() => location.href = '/left', 50)",
    "after 200 ms": "setTimeout(() => location.href = '/left', 200)",
    "tab closed": "",
}
PRODUCT = {"@context": "https://schema.org", "@type": "Product", "sku": "moka"}
TELL = (
    "<script>setInterval(() => document.cookie.match('cnct_ref=') && fetch('/cookies' + location.search), 100)</script>"
)
_CLICK = re.compile(r"ctwa_clid=(\w+)")


class Relay:
    """Hands requests to the collector, as the rule in a shop's web server does, and notes which clicks were acknowledged."""

    def __init__(self, port: int, sightings: "Sightings") -> None:
        self._client = httpx2.AsyncClient(base_url=f"http://{HOST}:{port}", trust_env=False, timeout=30)
        self._sightings = sightings

    async def hand_on(self, request: Request) -> Response:
        """Answer as the collector does."""
        body = await request.body()
        headers = [(name, value) for name, value in request.headers.raw if name != b"accept-encoding"]
        path = f"/{request.path_params['rest']}"
        answer = await self._client.request(request.method, path, headers=headers, content=body)
        response = Response(answer.content, answer.status_code)
        left_out = (b"content-length", b"content-encoding", b"transfer-encoding", b"connection")
        response.raw_headers += [(name, value) for name, value in answer.headers.raw if name.lower() not in left_out]
        if answer.is_success and (click := _CLICK.search(body.decode())):
            self._sightings.note("delivered", click[1])
        return response


@dataclass
class Sightings:
    """What has been seen of each click so far."""

    seen: set[tuple[str, str]] = field(default_factory=set)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, what: str, click: str) -> None:
        with self.changed:
            self.seen.add((what, click))
            self.changed.notify_all()

    def wait(self, what: str, click: str, seconds: float) -> bool:
        """Whether it was seen before the time was over."""
        with self.changed:
            return self.changed.wait_for(lambda: (what, click) in self.seen, seconds)


@dataclass
class Crossing:
    """Addresses to visit, and what was seen."""

    sightings: Sightings
    near: str
    shops: dict[str, str]
    sandbox: str

    def landing(self, setup: str, leave: str, click: str) -> str:
        """The address in a campaign's link."""
        return f"{self.shops[setup]}/land/{SETUPS.index(setup)}/{list(LEAVES).index(leave)}?ctwa_clid={click}"

    def next_page(self, setup: str, click: str) -> str:
        """A page of the shop with the tag, which tells when the cookie is there."""
        return f"{self.shops[setup]}/next/{SETUPS.index(setup)}?trial={click}"

    def cookies(self, click: str) -> str:
        """A page of the shop without the tag; cookies ignore ports, so this one may be near."""
        return f"{self.near}/cookies?trial={click}"

    def views(self) -> dict[str, int]:
        """How many views of each click have arrived at the ad platform."""
        told = httpx2.get(f"{self.sandbox}/sandbox/events", trust_env=False, timeout=30).json()["events"]
        counts: dict[str, int] = {}
        for each in told:
            click = each["event"]["user_data"].get("ctwa_clid", "")
            counts[click] = counts.get(click, 0) + (each["event"]["event_name"] == "ViewContent")
        return counts

    def wait_for_views(self, clicks: set[str], seconds: float) -> dict[str, int]:
        """The views of these clicks, when all have one or the time is over."""
        end = time.monotonic() + seconds
        pause = threading.Event()
        while not clicks <= (counts := self.views()).keys() and time.monotonic() < end:
            pause.wait(0.5)
        return counts


def _shop(tags: dict[str, str], relay: Relay, sightings: Sightings) -> Starlette:
    """Pages that are left as they say, and pages that tell what cookies arrive. Those left for have no tag: nothing rescues a lost post."""

    async def landing(request: Request) -> Response:
        described = f'<script type="application/ld+json">{json.dumps(PRODUCT)}</script>'
        setup, leave = request.path_params["setup"], request.path_params["leave"]
        leaving = f"<script>{list(LEAVES.values())[leave]}</script>"
        return _page(described + tags[SETUPS[setup]] + leaving)

    async def next_page(request: Request) -> Response:
        return _page(tags[SETUPS[request.path_params["setup"]]] + TELL)

    async def cookies(request: Request) -> Response:
        if "cnct" in request.cookies and "cnct_ref" in request.cookies:
            sightings.note("cookie", request.query_params["trial"])
        return _page("")

    async def left(request: Request) -> Response:
        return _page("")

    return Starlette(
        routes=[
            Route("/_c/{rest:path}", relay.hand_on, methods=["GET", "POST"]),
            Route("/land/{setup:int}/{leave:int}", landing),
            Route("/next/{setup:int}", next_page),
            Route("/cookies", cookies),
            Route("/left", left),
        ]
    )


def _page(head: str) -> Response:
    icon = '<link rel="icon" href="data:,">'
    html = f'<!doctype html><html lang="en"><head><title>shop</title>{icon}{head}</head><body></body></html>'
    return HTMLResponse(html, headers={"cache-control": "no-store"})


@contextmanager
def crossing(directory: Path) -> Iterator[Crossing]:
    """Serve all: sandbox, collector, the shop, and the two on slow roads under TLS.

    On the same origin the whole shop is far away. Else the page and the script are near, as if cached, and the post has to make a
    new connection to a collector far away: the TLS handshake is still under way when the page is left.
    """
    pem = directory / "server.pem"
    pem.write_bytes(trustme.CA().issue_cert(SHOP, NEAR, FAR).private_key_and_cert_chain_pem.bytes())
    sandbox_port, collector_port, shop_port, front_port = (free_port() for _ in range(4))
    sightings = Sightings()
    with ExitStack() as stack:
        far_shop_port = stack.enter_context(delayed(shop_port, DELAY_SECONDS))
        far_front_port = stack.enter_context(delayed(front_port, DELAY_SECONDS))
        stack.enter_context(collector("sandbox", "--any-click", "--port", str(sandbox_port), listens_on=sandbox_port))
        environment = {
            "COLLECTOR_DATA_DIR": str(directory / "data"),
            "COLLECTOR_GRAPH_URL": f"http://{HOST}:{sandbox_port}",
            "COLLECTOR_PUBLIC_URL": f"https://{NEAR}:{front_port}",
            "COLLECTOR_RATE_IP_PER_MINUTE": "1000000",
            "COLLECTOR_RATE_BUSINESS_PER_MINUTE": "1000000",
        }
        house = Collector(directory, environment, collector_port)
        origins = [f"--origin=https://{SHOP}:{port}" for port in (shop_port, far_shop_port)]
        made = house.command("business", "create", "Merchant", *origins)
        house.command(
            "channel", "set", made["business_id"], "whatsapp",
            "--waba-id", "100000000000001", "--dataset-id", "200000000000001",
            COLLECTOR_ACCESS_TOKEN="sandbox-token",
        )  # fmt: skip
        house.start()
        stack.callback(house.kill)
        tags = {
            "same origin": _tag(made["business_id"], f"https://{SHOP}:{far_shop_port}/_c/", ""),
            "subdomain": _tag(made["business_id"], f"https://{NEAR}:{front_port}/", f"https://{NEAR}:{far_front_port}/"),
            "foreign": _tag(
                made["business_id"], f"https://{FAR}:{front_port}/", f"https://{FAR}:{far_front_port}/", ' data-site="foreign"'
            ),
        }  # fmt: skip
        shop = _shop(tags, Relay(collector_port, sightings), sightings)
        front = Starlette(
            routes=[Route("/{rest:path}", Relay(collector_port, sightings).hand_on, methods=["GET", "POST"])]
        )
        stack.enter_context(serving(shop, port=shop_port, ssl_certfile=pem, ssl_keyfile=pem))
        stack.enter_context(serving(front, port=front_port, ssl_certfile=pem, ssl_keyfile=pem))
        near = f"https://{SHOP}:{shop_port}"
        shops = {"same origin": f"https://{SHOP}:{far_shop_port}", "subdomain": near, "foreign": near}
        yield Crossing(sightings, near, shops, f"http://{HOST}:{sandbox_port}")


def _tag(business_id: str, script: str, collector_url: str, more: str = "") -> str:
    """The tag, without `async`: what stands after it runs when the snippet has run."""
    posts = f' data-collector="{collector_url}"' if collector_url else ""
    return f'<script src="{script}cnct.js" data-business="{business_id}"{posts}{more}></script>'
