"""What the fields of a good call come to: its event id, its time, its money and its contents."""

import json
import time

import pytest

from tests.integration.house import House, eventually
from tests.integration.sandbox import Json
from tests.integration.shop import RECEIVED, Entry, Shop, days_ago, refusal, told


def event_ids(shop: Shop) -> list[str]:
    return [event["event_id"] for event in shop.sent()]


@pytest.mark.parametrize("preferred", ["respond-async", "wait=10, Respond-Async"])
def test_respond_async_is_202_right_after_the_commit(shop: Shop, preferred: str) -> None:
    shop.fault("hang")
    answer = shop.post(shop.order(), Prefer=preferred)
    assert (answer.status_code, answer.json()) == (202, RECEIVED)
    assert told(answer) == {"X-Delivery-State": "pending"}
    assert shop.entries() == [Entry(None)]
    shop.sandbox.heal()
    eventually(lambda: shop.life(answer).state == "delivered" or None, "delivered")
    again = shop.post(shop.order(), Prefer="wait=10, respond-async")
    assert (again.status_code, told(again)["X-Delivery-State"]) == (200, "delivered")


def test_a_refusal_is_no_less_a_refusal_when_async(shop: Shop) -> None:
    assert shop.post(shop.order(currency=None), Prefer="respond-async").status_code == 400


def test_the_event_id_is_the_order_id_before_an_idempotency_key(shop: Shop) -> None:
    shop.post(shop.order("ORD-1"), Idempotency_Key="key-1")
    assert event_ids(shop) == ["ORD-1"]
    assert told(shop.post(shop.order("ORD-1"), Idempotency_Key="key-2"))["X-Duplicate"] == "true"


def test_an_idempotency_key_stands_in_for_an_order_id(shop: Shop) -> None:
    first, again = (shop.post(shop.order(None), Idempotency_Key="key-1") for _ in range(2))
    assert event_ids(shop) == ["key-1"]
    assert told(first) == {"X-Delivery-State": "delivered"}
    assert told(again) == {"X-Delivery-State": "delivered", "X-Duplicate": "true"}
    shop.post(shop.order(None), Idempotency_Key="key-2")
    assert event_ids(shop) == ["key-1", "key-2"]


def test_an_odd_idempotency_key_is_refused(shop: Shop) -> None:
    answer = shop.post(shop.order(None), Idempotency_Key="k" * 513)
    rule = "at most 512 bytes"
    expected = refusal(f"Idempotency-Key: {rule}", "payload_mapping", {"field": "Idempotency-Key", "rule": rule})
    assert (answer.status_code, answer.json()) == (400, expected)
    assert shop.entries() == [Entry(False, "payload_mapping", f"Idempotency-Key: {rule}")]


def test_without_either_the_body_is_the_id_when_it_has_a_time(shop: Shop) -> None:
    at = days_ago(1)
    first, again = (shop.post(shop.order(None, event_time=at)) for _ in range(2))
    other = shop.post(shop.order(None, event_time=at, value=1))
    assert [told(each).get("X-Duplicate") for each in (first, again, other)] == [None, "true", None]
    assert again.headers["X-Event-Id"] == first.headers["X-Event-Id"]
    assert len(set(event_ids(shop))) == len(shop.requests()) == 2


def test_without_a_time_too_the_id_is_random_and_the_caller_is_told(shop: Shop) -> None:
    first, again = (shop.post(shop.order(None)) for _ in range(2))
    expected = {"X-Delivery-State": "delivered", "X-Collector-Reason": "retry-not-idempotent"}
    assert told(first) == told(again) == expected
    assert first.headers["X-Event-Id"] != again.headers["X-Event-Id"]
    assert len(set(event_ids(shop))) == 2


@pytest.mark.parametrize(
    ("event_time", "rule"),
    [
        (int(time.time() * 1000), "must be whole seconds since 1970; this looks like milliseconds"),
        (int(time.time()) + 86_400, "must not be more than 10 minutes in the future"),
        (-1, "must be whole seconds since 1970, not negative"),
    ],
    ids=["milliseconds", "future", "negative"],
)
def test_an_event_time_that_cannot_be_is_refused(shop: Shop, event_time: int, rule: str) -> None:
    answer = shop.post(shop.order(event_time=event_time))
    expected = {"field": "payload.event_time", "rule": rule}
    assert (answer.status_code, answer.json()) == (
        400,
        refusal(f"payload.event_time: {rule}", "payload_mapping", expected),
    )
    assert shop.entries() == [Entry(False, "payload_mapping", f"payload.event_time: {rule}")]
    assert (shop.events(), shop.requests()) == ([], [])


def test_a_clock_a_little_ahead_is_set_to_now(shop: Shop) -> None:
    before = int(time.time())
    shop.post(shop.order(event_time=before + 300))
    (event,) = shop.sent()
    assert before <= event["event_time"] <= int(time.time())


def test_a_time_left_out_is_the_time_of_arrival(shop: Shop) -> None:
    before = int(time.time())
    shop.post(shop.order())
    (event,) = shop.sent()
    assert before <= event["event_time"] <= int(time.time())


def test_an_event_too_close_to_seven_days_to_be_sent_is_told_as_expired(shop: Shop) -> None:
    answer = shop.post(shop.order(event_time=days_ago(7) + 30))
    assert (answer.status_code, answer.json()["error"]["failure_stage"]) == (400, "payload_mapping")
    life = shop.life(answer)
    assert (life.state, life.reason) == ("dead", "expired")
    assert shop.requests() == []


@pytest.mark.parametrize(("field", "item"), [("contents", {}), ("contents", {"id": "a"}), ("content_ids", "a")])
def test_a_hundred_items_are_taken_and_one_more_is_not_even_without_ids(shop: Shop, field: str, item: object) -> None:
    many: Json = {field: [item] * 101}
    answer = shop.post(shop.order("ORD-1", **many))
    expected = {"field": f"payload.{field}", "rule": "at most 100 items"}
    message = f"payload.{field}: at most 100 items"
    assert (answer.status_code, answer.json()) == (400, refusal(message, "payload_mapping", expected))
    enough: Json = {field: [item] * 100}
    assert shop.post(shop.order("ORD-2", **enough)).status_code == 200
    assert event_ids(shop) == ["ORD-2"]


def test_contents_without_an_id_are_skipped(shop: Shop) -> None:
    lines = [{"quantity": 1}, {"id": "a", "quantity": 2, "item_price": 1.5, "colour": "red"}, {}]
    answer = shop.post(shop.order(contents=lines))
    assert answer.status_code == 200
    (event,) = shop.sent()
    assert event["custom_data"]["contents"] == [{"id": "a", "quantity": 2, "item_price": 1.5}]


def test_unknown_fields_are_ignored(shop: Shop) -> None:
    order = shop.order(email="jane@example.com") | {"mystery": {"deep": [1]}}
    assert shop.post(order).status_code == 200
    (event,), (record,) = shop.sent(), shop.records()
    assert event["custom_data"] == record["payload"] == {"currency": "USD", "value": 99.97, "order_id": "ORD-1"}
    assert "jane" not in json.dumps(shop.whole_life(shop.post(order)))


def test_a_currency_in_small_letters_is_stored_and_sent_in_capitals(shop: Shop) -> None:
    assert shop.post(shop.order(currency="brl")).status_code == 200
    (event,), (record,) = shop.sent(), shop.records()
    assert (event["custom_data"]["currency"], record["payload"]["currency"]) == ("BRL", "BRL")


@pytest.mark.parametrize(
    ("value", "stored"), [(0, 0), (10.0, 10), (0.1 + 0.2, 0.3), (19.999999, 19.999999), (1e12, 10**12)]
)
def test_money_is_exact(shop: Shop, value: float, stored: float) -> None:
    assert shop.post(shop.order(value=value)).status_code == 200
    (event,) = shop.sent()
    assert event["custom_data"]["value"] == stored


def test_a_view_needs_no_payload(shop: Shop) -> None:
    view = {name: value for name, value in shop.order().items() if name != "payload"} | {"event_name": "ViewContent"}
    answer = shop.post(view)
    assert (answer.status_code, told(answer)["X-Collector-Reason"]) == (200, "retry-not-idempotent")
    (event,) = shop.sent()
    assert "custom_data" not in event


def test_ids_given_in_part_are_refused_by_name(shop: Shop) -> None:
    whole = shop.order()
    for field in ("cnct_tracking_id", "sendout_id", "attribution"):
        answer = shop.post({name: value for name, value in whole.items() if name != field})
        assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, field)


def test_no_click_and_no_link_is_refused_naming_the_tracking_id(shop: Shop) -> None:
    answers = [shop.post(shop.pointed()), shop.post(shop.pointed(None))]
    assert [answer.status_code for answer in answers] == [400, 400]
    assert {answer.json()["error"]["details"][0]["field"] for answer in answers} == {"cnct_tracking_id"}
    assert [entry.failure_stage for entry in shop.entries()] == ["payload_mapping"] * 2
    assert (shop.events(), shop.requests()) == ([], [])


def test_an_event_of_test_mode_carries_its_code_and_travels_alone(house: House) -> None:
    shop = house.shop(mode="test", test_event_code="TEST4711")
    assert told(shop.post(shop.order())) == {"X-Delivery-State": "delivered"}
    (request,) = shop.requests()
    assert json.loads(request["body"])["test_event_code"] == "TEST4711"
