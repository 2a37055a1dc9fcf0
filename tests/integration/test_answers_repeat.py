"""The answer to a repeat: one test for each row of the contract's table, on both databases."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from collector.attribution import Click
from tests.integration.house import House, eventually, new_click
from tests.integration.shop import RECEIVED, Entry, Life, Shop, days_ago, told

DELIVERED = {"X-Delivery-State": "delivered"}
TWICE = {"X-Duplicate": "true", "X-Delivery-State": "delivered"}


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


def repeats(shop: Shop) -> list[tuple[bool, int]]:
    """Of each record, oldest first: whether it is a repeat's, and of which revision."""
    return [(entry.duplicate, entry.revision) for entry in shop.entries()]


def test_delivered(shop: Shop) -> None:
    first = shop.post(shop.order())
    again = shop.post(shop.order())
    assert (again.status_code, again.json(), told(again)) == (200, RECEIVED, TWICE)
    assert again.headers["X-Event-Id"] == first.headers["X-Event-Id"]
    assert shop.life(again) == Life("delivered", None, 1, ("accepted",), ("first",))
    assert shop.entries() == [Entry(True), Entry(True, duplicate=True)]
    assert len(shop.requests()) == len(shop.events()) == 1


@pytest.mark.parametrize("change", [{"value": 1}, {"currency": "BRL"}, {"num_items": 3}, {"event_time": days_ago(1)}])
def test_delivered_and_another_body(shop: Shop, change: dict[str, Any]) -> None:
    shop.post(shop.order(event_time=days_ago(2)))
    again = shop.post(shop.order(**{"event_time": days_ago(2), **change}))
    assert (again.status_code, again.json()) == (200, RECEIVED)
    assert told(again) == TWICE | {"X-Collector-Reason": "duplicate-differs"}
    assert repeats(shop) == [(False, 1), (True, 1)]
    assert len(shop.requests()) == len(shop.events()) == 1


def test_delivered_and_only_the_time_left_out(shop: Shop) -> None:
    shop.post(shop.order(event_time=days_ago(0)))
    again = shop.post(shop.order())
    assert told(again) == TWICE


def test_the_same_id_under_another_name_is_another_event(shop: Shop) -> None:
    first = shop.post(shop.order())
    other = shop.post(shop.order() | {"event_name": "ViewContent"})
    assert told(other) == DELIVERED
    assert other.headers["X-Event-Id"] != first.headers["X-Event-Id"]
    assert repeats(shop) == [(False, 1), (False, 1)]


def test_unmatched_and_the_repeat_resolves_a_click(shop: Shop) -> None:
    first = shop.post(shop.pointed(ref="AAAAAAAAAAAAAAAAAAAAAA"))
    assert told(first)["X-Delivery-State"] == "unmatched"
    again = shop.post(shop.order())
    assert (again.status_code, again.json()) == (200, RECEIVED)
    assert told(again)["X-Delivery-State"] == "delivered"
    assert again.headers["X-Event-Id"] == first.headers["X-Event-Id"]
    assert shop.life(again) == Life("delivered", None, 1, ("accepted",), ("first",))
    assert repeats(shop) == [(False, 1), (True, 1)]
    (event,) = shop.sent()
    assert event["event_id"] == "ORD-1"
    assert event["user_data"]["ctwa_clid"] == shop.click.ctwa_clid


def test_rejected_and_another_body_is_corrected(shop: Shop) -> None:
    first = shop.post(shop.order(click=new_click()))
    assert first.status_code == 400
    again = shop.post(shop.order())
    assert (again.status_code, again.json()) == (200, RECEIVED)
    assert told(again)["X-Delivery-State"] == "delivered"
    assert again.headers["X-Event-Id"] == first.headers["X-Event-Id"]
    life = shop.life(again)
    assert life == Life("delivered", None, 2, ("rejected", "accepted"), ("first", "corrected"))
    (old, new) = shop.entries()
    assert old[:2] + old[3:] == (False, "meta_forward", False, 1)
    assert new == Entry(True, duplicate=True, revision=2)
    assert len(shop.requests()) == 2
    assert [event["event_id"] for event in shop.sent()] == ["ORD-1"]


def test_a_correction_may_be_rejected_in_its_turn(shop: Shop) -> None:
    shop.post(shop.order(click=new_click()))
    again = shop.post(shop.order(click=new_click()))
    assert again.status_code == 400
    assert again.json()["error"]["failure_stage"] == "meta_forward"
    life = shop.life(again)
    assert (life.state, life.reason, life.revision, life.outcomes) == ("dead", "rejected", 2, ("rejected", "rejected"))
    assert [entry.failure_stage for entry in shop.entries()] == ["meta_forward", "meta_forward"]


def test_a_correction_never_follows_a_try_that_may_have_arrived(shop: Shop) -> None:
    shop.sandbox.faults(
        {"kind": "status", "status": 504, "code": 9999, "dataset_id": shop.dataset, "times": 1},
        {"kind": "status", "status": 400, "code": 100, "dataset_id": shop.dataset},
    )
    first = shop.post(shop.order())
    assert told(first) == {"X-Delivery-State": "retrying"}
    buried = eventually(lambda: life if (life := shop.life(first)).state == "dead" else None, "a refusal")
    assert buried == Life("dead", "rejected", 1, ("unknown", "rejected"), ("first", "scheduled"))
    shop.sandbox.heal()
    again = shop.post(shop.order(value=1))
    assert (again.status_code, again.json()["error"]["failure_stage"]) == (400, "meta_forward")
    assert shop.life(again) == buried
    assert (len(shop.requests()), shop.sent()) == (2, [])
    assert repeats(shop) == [(False, 1), (True, 1)]


def test_held_and_another_body_is_corrected(house: House, shop: Shop) -> None:
    shop.sandbox.learn(tokens={shop.access_token: {"expired": True}})
    first = shop.post(shop.order())
    again = shop.post(shop.order(value=50))
    assert told(again) == {"X-Delivery-State": "held", "X-Collector-Reason": "token"}
    assert again.headers["X-Event-Id"] == first.headers["X-Event-Id"]
    assert shop.life(again) == Life("held", "token", 2, ("held",), ("first",))
    assert repeats(shop) == [(False, 1), (True, 2)]
    shop.sandbox.learn(tokens={shop.access_token: {"expired": False}})
    house.command("channel", "resume", shop.business_id, "whatsapp")
    (event,) = shop.sent(at_least=1)
    assert (event["event_id"], event["custom_data"]["value"]) == ("ORD-1", 50)


def test_rejected_and_the_same_body(shop: Shop) -> None:
    order = shop.order(click=new_click())
    first, again = shop.post(order), shop.post(order)
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert again.json()["error"]["failure_stage"] == "meta_forward"
    assert again.headers["X-Event-Id"] == first.headers["X-Event-Id"]
    assert shop.life(again) == Life("dead", "rejected", 1, ("rejected",), ("first",))
    assert [entry[:2] + entry[3:] for entry in shop.entries()] == [
        (False, "meta_forward", False, 1),
        (False, "meta_forward", True, 1),
    ]
    assert len(shop.requests()) == 1


@pytest.mark.parametrize("change", [{}, {"value": 1}], ids=["the same body", "another body"])
def test_expired(shop: Shop, change: dict[str, Any]) -> None:
    old = shop.order(event_time=days_ago(8))
    first = shop.post(old)
    again = shop.post(old | {"payload": old["payload"] | change})
    assert first.status_code == 400
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert shop.life(again) == Life("dead", "expired")
    assert repeats(shop) == [(False, 1), (True, 1)]
    assert shop.requests() == []


@pytest.mark.parametrize("reason", ["no_click_id", "consent", "test"])
def test_dead_for_another_reason(house: House, sandbox: object, reason: str) -> None:
    shop = house.shop(mode="test" if reason == "test" else "live")
    order = shop.order()
    if reason == "no_click_id":
        order = shop.pointed(attribution_token=house.token(shop, Click(cnct_tracking_id="trk-1")))
    if reason == "consent":
        shop.land()
        order = shop.pointed(attribution_token=shop.cookies["cnct"])
        shop.land(consent="denied")
    first, again = shop.post(order), shop.post(order)
    assert (again.status_code, again.json()) == (200, RECEIVED)
    assert told(again) == {"X-Delivery-State": "dead", "X-Collector-Reason": reason}
    assert again.headers["X-Event-Id"] == first.headers["X-Event-Id"]
    assert repeats(shop) == [(False, 1), (True, 1)]
    assert shop.requests() == []


def test_sending_joins(shop: Shop) -> None:
    shop.fault("hang")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(shop.post, shop.order())
        eventually(lambda: shop.requests() or None, "the request that hangs")
        again = threads.submit(shop.post, shop.order())
        eventually(lambda: len(shop.records()) == 2 or None, "the repeat's record")
        assert not first.done()
        assert not again.done()
        shop.sandbox.heal()
    assert (first.result().status_code, told(first.result())) == (200, DELIVERED)
    assert (again.result().status_code, again.result().json()) == (200, RECEIVED)
    assert told(again.result())["X-Delivery-State"] == "delivered"
    assert again.result().headers["X-Event-Id"] == first.result().headers["X-Event-Id"]
    assert shop.life(first.result()) == Life("delivered", None, 1, ("accepted",), ("first",))
    assert repeats(shop) == [(False, 1), (True, 1)]
    assert len(shop.requests()) == 1


def test_pending_joins_with_its_own_wait(house: House, request: pytest.FixtureRequest) -> None:
    hurried: House = request.getfixturevalue(
        "hurried_house" if house.database_url.startswith("sqlite") else "postgres_web"
    )
    shop = hurried.shop()
    shop.fault("hang")
    try:
        answers = [shop.post(shop.order()) for _ in range(2)]
        assert [(each.status_code, told(each)) for each in answers] == [(200, {"X-Delivery-State": "pending"})] * 2
        assert repeats(shop) == [(False, 1), (True, 1)]
    finally:
        shop.sandbox.heal()
    eventually(lambda: shop.life(answers[0]).state == "delivered" or None, "delivered")
    assert len(shop.requests()) == 1


def test_retrying_joins(shop: Shop) -> None:
    shop.fault("throttle", retry_after=60)
    first, again = shop.post(shop.order()), shop.post(shop.order())
    assert (again.status_code, again.json()) == (200, RECEIVED)
    assert told(first) == told(again) == {"X-Delivery-State": "retrying"}
    assert shop.life(again) == Life("retrying", None, 1, ("throttled",), ("first",))
    assert repeats(shop) == [(False, 1), (True, 1)]
    assert len(shop.requests()) == 1


def test_held_and_the_same_body_joins(shop: Shop) -> None:
    shop.sandbox.learn(tokens={shop.access_token: {"expired": True}})
    first, again = shop.post(shop.order()), shop.post(shop.order())
    assert (again.status_code, again.json()) == (200, RECEIVED)
    assert told(first) == told(again) == {"X-Delivery-State": "held", "X-Collector-Reason": "token"}
    assert repeats(shop) == [(False, 1), (True, 1)]
    assert len(shop.requests()) == 1


def test_unmatched_and_no_click_either_joins(shop: Shop) -> None:
    order = shop.pointed(checkout_id="CHK-1")
    first, again = shop.post(order), shop.post(order)
    assert (again.status_code, again.json()) == (200, RECEIVED)
    assert told(first) == told(again) == {"X-Delivery-State": "unmatched", "X-Collector-Reason": "click-not-found"}
    assert shop.life(again) == Life("unmatched")
    assert repeats(shop) == [(False, 1), (True, 1)]
    assert shop.requests() == []


def test_a_hundred_equal_orders_at_once_are_one_event(shop: Shop) -> None:
    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(lambda _: shop.post(shop.order()), range(100)))
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, '{"events_received":1}')}
    assert len({answer.headers["X-Event-Id"] for answer in answers}) == 1
    assert {told(answer)["X-Delivery-State"] for answer in answers} == {"delivered"}
    assert sum("X-Duplicate" not in told(answer) for answer in answers) == 1
    assert len(shop.events()) == len(shop.requests()) == len(shop.sent()) == 1
    assert shop.life(answers[0]).outcomes == ("accepted",)
    assert Counter(shop.entries()) == {Entry(True): 1, Entry(True, duplicate=True): 99}


def test_held_and_a_repeat_whose_token_proves_nothing_keeps_its_click(house: House) -> None:
    shop = house.shop(dataset=False)
    shop.post(shop.order())
    again = shop.post(shop.pointed(attribution_token="forged"))
    assert told(again) == {"X-Delivery-State": "held", "X-Collector-Reason": "token, token-forged"}
    assert shop.life(again) == Life("held", "token", 1, ("held",), ("first",))
