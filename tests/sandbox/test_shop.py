"""The demo shop: its pages, and the call its server makes when an order is paid."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from collector.sandbox.shop import ShopSettings, create_shop
from collector.sandbox.shop.catalogue import PRODUCTS
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

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    def add(self, sku: str, quantity: str = "1", **more: str) -> httpx.Response:
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
            httpx.Client(base_url=shop, trust_env=False, follow_redirects=True) as client,
        ):
            yield Visitor(client)


async def empty_script(request: Request) -> Response:
    """Stands for the snippet where a test is not about it."""
    return Response("", media_type="text/javascript")


@pytest.fixture(scope="module")
def collector() -> Collector:
    return Collector()


@pytest.fixture(scope="module")
def shared_shop(collector: Collector) -> Iterator[Visitor]:
    with open_shop(collector) as visitor:
        yield visitor


@pytest.fixture
def visitor(shared_shop: Visitor, collector: Collector) -> Visitor:
    """A new visitor of the shop; its collector has heard nothing yet."""
    shared_shop.client.cookies.clear()
    collector.calls.clear()
    return shared_shop


def test_the_way_leads_from_landing_to_thank_you(visitor: Visitor) -> None:
    landing = visitor.client.get("/?ctwa_clid=x&cnct_tracking_id=y").text
    for sku in PRODUCTS:
        assert f'href="/products/{sku}"' in landing
    assert "Add to cart" in visitor.client.get("/products/moka-3").text
    assert "$78.00" in visitor.add("moka-3", "2").text
    assert "Pay $78.00" in visitor.client.get("/checkout").text
    thanks = visitor.client.get(f"/orders/{visitor.pay()}").text
    assert "Thank you, Ana" in thanks
    assert "$78.00" in thanks


def test_every_page_carries_the_tag_and_runs_under_a_strict_policy(visitor: Visitor) -> None:
    visitor.add("moka-3")
    tag = f'<script async src="{COLLECTOR}/cnct.js" data-business="{BUSINESS}"></script>'
    for path in ("/", "/products/moka-3", "/cart", "/checkout", "/nowhere"):
        page = visitor.client.get(path)
        assert tag in page.text, path
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == f"'self' {COLLECTOR}"
        scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.text, re.DOTALL)
        assert all(not text or "application/ld+json" in head for head, text in scripts), path
        assert not re.search(r"<style|\sstyle=|\son\w+=", page.text), path


def test_the_tag_says_what_is_out_of_the_ordinary() -> None:
    with open_shop(cookie_name="cnct_5f2c8f", cookie_mode="foreign") as visitor:
        page = visitor.client.get("/").text
    assert f'data-business="{BUSINESS}" data-cookie="cnct_5f2c8f" data-site="foreign"></script>' in page


@pytest.mark.parametrize("sku", PRODUCTS)
def test_products_describe_themselves_to_machines(visitor: Visitor, sku: str) -> None:
    page = visitor.client.get(f"/products/{sku}").text
    match = re.search(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert match
    schema = json.loads(match[1])
    assert (schema["@type"], schema["sku"], schema["name"]) == ("Product", sku, PRODUCTS[sku].name)
    assert schema["offers"]["priceCurrency"] == "USD"
    assert float(schema["offers"]["price"]) * 100 == pytest.approx(PRODUCTS[sku].cents)
    assert f'<link rel="canonical" href="{schema["url"]}">' in page


def test_the_cart_adds_sets_and_removes(visitor: Visitor) -> None:
    visitor.add("moka-3")
    visitor.add("moka-3", "2")
    visitor.add("mug-stone", "99")
    assert "3 × $39.00" in visitor.client.get("/cart").text
    assert "10 × $18.50" in visitor.client.get("/cart").text
    assert "Moka" not in visitor.add("moka-3", "0", set="1").text


@pytest.mark.parametrize(
    "cookie", ["x", "moka-3", "moka-3:-1", "moka-3:1e9", "nope:1", "moka-3:٣", ":::...", "moka-3:99999999999999999999"]
)
def test_a_cart_that_makes_no_sense_is_empty(visitor: Visitor, cookie: str) -> None:
    page = visitor.client.get("/cart", headers={b"Cookie": f"cart={cookie}".encode()})
    assert (page.status_code, "Nothing in it yet" in page.text) == (200, True)


def test_checkout_needs_something_in_the_cart(visitor: Visitor, collector: Collector) -> None:
    assert visitor.client.get("/checkout").url.path == "/cart"
    assert visitor.client.post("/checkout", data={"name": "x"}).url.path == "/cart"
    assert collector.calls == []


@pytest.mark.parametrize(
    "path", ["/products/none", "/orders/MD-0000000000", "/orders/x/report", "/x/y", "/static/../app.py"]
)
def test_what_is_not_there_is_404(visitor: Visitor, path: str) -> None:
    assert visitor.client.get(path).status_code == 404


def test_a_form_too_large_is_an_empty_form(visitor: Visitor) -> None:
    assert visitor.client.post("/cart", content=b"sku=moka-3&x=" + b"y" * 20_000).status_code == 200
    assert "Nothing in it yet" in visitor.client.get("/cart").text


def test_a_name_is_shown_as_text(visitor: Visitor) -> None:
    visitor.add("moka-3")
    thanks = visitor.client.get(f"/orders/{visitor.pay(name='<script>alert(1)</script>')}").text
    assert "<script>alert" not in thanks
    assert "&lt;script&gt;alert" in thanks


def test_a_paid_order_is_reported_with_the_visitors_token(visitor: Visitor, collector: Collector) -> None:
    visitor.client.cookies.set("cnct", TOKEN)
    visitor.add("moka-3")
    visitor.add("beans-250", "2")
    order_id = visitor.pay()
    report = visitor.report(order_id)
    (call,) = collector.calls
    event_time = call["body"]["payload"].pop("event_time")
    assert call["body"] == {
        "event_name": "Purchase",
        "attribution_token": TOKEN,
        "payload": {
            "currency": "USD",
            "value": 68.8,
            "order_id": order_id,
            "content_type": "product",
            "content_ids": ["moka-3", "beans-250"],
            "num_items": 3,
            "contents": [
                {"id": "moka-3", "quantity": 1, "item_price": 39.0},
                {"id": "beans-250", "quantity": 2, "item_price": 14.9},
            ],
        },
    }
    assert isinstance(event_time, int)
    assert (call["path"], call["query"]) == (f"/external/v1/businesses/{BUSINESS}/conversion_events", "")
    assert (call["headers"]["x-api-key"], call["headers"]["content-type"]) == ("shop-key", "application/json")
    assert (report["state"], report["sent"]["attribution_token"]) == ("answered", TOKEN)
    assert report["attempts"][0]["headers"] == {"x-delivery-state": "pending"}


def test_the_thank_you_page_shows_the_call_and_the_answer_but_no_key(visitor: Visitor) -> None:
    visitor.client.cookies.set("cnct", TOKEN)
    visitor.add("moka-3")
    order_id = visitor.pay()
    visitor.report(order_id)
    thanks = visitor.client.get(f"/orders/{order_id}").text
    for shown in (TOKEN, "X-Delivery-State: pending", "HTTP 200", f"/businesses/{BUSINESS}/conversion_events"):
        assert shown in thanks
    assert "shop-key" not in thanks


def test_a_visitor_without_a_click_causes_no_call(visitor: Visitor, collector: Collector) -> None:
    visitor.add("moka-3")
    order_id = visitor.pay(cnct_ref=REF)  # the field belongs to the foreign set-up only
    assert visitor.report(order_id)["state"] == "nothing-to-report"
    assert "Nothing to report" in visitor.client.get(f"/orders/{order_id}").text
    assert collector.calls == []


def test_every_order_has_its_own_id(visitor: Visitor) -> None:
    ids = set()
    for _ in range(20):
        visitor.add("mug-stone")
        ids.add(visitor.pay())
    assert len(ids) == 20


def test_paying_twice_from_one_form_is_one_order(visitor: Visitor, collector: Collector) -> None:
    visitor.client.cookies.set("cnct", TOKEN)
    visitor.add("moka-3")
    form = visitor.client.get("/checkout").text
    match = re.search(r'name="order_id" value="([^"]+)"', form)
    assert match
    assert [visitor.pay(order_id=match[1]) for _ in range(2)] == [match[1]] * 2
    visitor.report(match[1])
    assert len(collector.calls) == 1


def test_an_order_id_that_the_shop_did_not_make_is_replaced(visitor: Visitor) -> None:
    visitor.add("moka-3")
    assert re.fullmatch(r"MD-[0-9A-Z]{10}", visitor.pay(order_id="../../x"))


def test_the_foreign_set_up_sends_the_reference_of_the_form() -> None:
    collector = Collector()
    with open_shop(collector, cookie_mode="foreign") as visitor:
        visitor.client.cookies.set("cnct", TOKEN)
        visitor.add("moka-3")
        assert '<input type="hidden" name="cnct_ref" value="" data-from-cookie>' in visitor.client.get("/checkout").text
        visitor.report(visitor.pay(cnct_ref=REF))
        visitor.add("moka-3")
        visitor.report(visitor.pay(cnct_ref="not a reference"))
    sent = [without_payload(call["body"]) for call in collector.calls]
    assert sent == [{"ref": REF}, {"attribution_token": TOKEN}]


def test_the_same_site_form_has_no_field_for_a_reference(visitor: Visitor) -> None:
    visitor.add("moka-3")
    assert "cnct_ref" not in visitor.client.get("/checkout").text


@pytest.mark.parametrize("status", [500, 503, 429])
def test_an_outage_is_ridden_out_with_the_same_order(status: int) -> None:
    collector = Collector(answers=[(status, {}), (status, {"Retry-After": "0"}), (200, {})])
    with open_shop(collector) as visitor:
        visitor.client.cookies.set("cnct", TOKEN)
        visitor.add("moka-3")
        report = visitor.report(visitor.pay())
    assert [attempt["status"] for attempt in report["attempts"]] == [status, status, 200]
    assert report["state"] == "answered"
    assert collector.calls[0]["body"] == collector.calls[1]["body"] == collector.calls[2]["body"]


@pytest.mark.parametrize("status", [400, 401, 404])
def test_a_refusal_is_final_and_shown(status: int) -> None:
    collector = Collector(answers=[(status, {"X-Collector-Reason": "why"})])
    with open_shop(collector) as visitor:
        visitor.client.cookies.set("cnct", TOKEN)
        visitor.add("moka-3")
        order_id = visitor.pay()
        report = visitor.report(order_id)
        thanks = visitor.client.get(f"/orders/{order_id}").text
    assert (len(collector.calls), report["state"]) == (1, "answered")
    assert "The collector refused the order" in thanks
    assert "X-Collector-Reason: why" in thanks


def test_a_shopper_never_waits_for_a_dead_collector() -> None:
    with open_shop(retry_seconds=(0, 0)) as visitor:
        visitor.client.cookies.set("cnct", TOKEN)
        visitor.add("moka-3")
        order_id = visitor.pay()
        assert "Thank you" in visitor.client.get(f"/orders/{order_id}").text
        report = visitor.report(order_id)
        assert (report["state"], len(report["attempts"])) == ("given-up", 3)
        assert "ConnectError" in report["attempts"][0]["error"]
        assert "could not be told" in visitor.client.get(f"/orders/{order_id}").text


def test_the_shop_closes_while_a_report_is_still_to_be_tried() -> None:
    with open_shop(retry_seconds=(3600,)) as visitor:
        visitor.client.cookies.set("cnct", TOKEN)
        visitor.add("moka-3")
        visitor.pay()


def without_payload(body: Json) -> Json:
    return {key: value for key, value in body.items() if key not in {"payload", "event_name"}}
