"""A visitor of the demo shop, and a collector that records what the shop's server tells it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collector.sandbox.shop import ShopSettings, create_shop
from tests.processes import free_port, serving
from tests.sandbox.samples import BUSINESS, Json

REF = "A1b2C3d4E5f6G7h8I9j0_-"
TOKEN = "dHJr.c25k.Y2xpY2s.MTIz.aBcDeF.s1gN4tUr3"
COLLECTOR = "https://t.shop.example"


@dataclass
class Collector:
    """Stands where the collector would: records calls, answers as told (the last answer stays)."""

    answers: list[tuple[int, dict[str, str]]] = field(default_factory=lambda: [(200, {"X-Delivery-State": "pending"})])
    calls: list[Json] = field(default_factory=list)

    async def take(self, request: Request) -> Response:
        call = {"path": request.url.path, "query": request.url.query, "headers": dict(request.headers)}
        self.calls.append({**call, "body": json.loads(await request.body())})
        status, headers = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return JSONResponse({"events_received": 1} if status == 200 else {"error": {"code": status}}, status, headers)


class Visitor:
    """A browser without scripts."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client

    def add(self, sku: str, quantity: str = "1", **more: str) -> httpx2.Response:
        return self.client.post("/cart", data={"sku": sku, "quantity": quantity, **more})

    def pay(self, **form: str) -> str:
        """Pays, and gives the order id."""
        answer = self.client.post("/checkout", data={"name": "Ana Souza", **form}, follow_redirects=False)
        assert answer.status_code == 303
        return answer.headers["location"].removeprefix("/orders/")

    def report(self, order_id: str) -> Json:
        """What became of the order's report, when it is settled."""
        pause, deadline = threading.Event(), monotonic() + 10
        while True:
            answer = self.client.get(f"/orders/{order_id}/report", headers={"Accept": "application/json"})
            report: Json = answer.raise_for_status().json()
            if report["state"] != "sending":
                return report
            assert monotonic() < deadline
            pause.wait(0.01)


@contextmanager
def open_shop(collector: Collector | None = None, serves_script: bool = False, **options: Any) -> Iterator[Visitor]:
    """A shop and its collector (without one: an address where nobody listens)."""
    path = "/external/v1/businesses/{business_id}/conversion_events"
    routes = [Route(path, collector.take, methods=["POST"])] if collector else []
    routes.append(Route("/cnct.js", empty_script))
    options = {"retry_seconds": (0, 0, 0), **options}
    with serving(Starlette(routes=routes)) as url:
        internal = url if collector else f"http://127.0.0.1:{free_port()}"
        origin = url if serves_script else COLLECTOR
        settings = ShopSettings("https://shop.example", origin, internal, BUSINESS, "shop-key", **options)
        with (
            serving(create_shop(settings)) as shop,
            httpx2.Client(base_url=shop, trust_env=False, follow_redirects=True) as client,
        ):
            yield Visitor(client)


async def empty_script(request: Request) -> Response:
    """Stands for the snippet where a test is not about it."""
    return Response("", media_type="text/javascript")
