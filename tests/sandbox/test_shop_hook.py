"""The call that the demo shop's server makes when an order is paid."""

import re

import pytest

from tests.sandbox.samples import BUSINESS, Json
from tests.sandbox.shopping import REF, TOKEN, Collector, Visitor, open_shop


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
