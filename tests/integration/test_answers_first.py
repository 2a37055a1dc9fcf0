"""The first answer to a reported event: one test for each row of the contract's table, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from collector.attribution import Click
from tests.integration.house import House, eventually, new_click
from tests.integration.outage import no_writes
from tests.integration.shop import RECEIVED, Entry, Life, Shop, days_ago, refusal, told

INVALID_CLICK = "Messaging Event Invalid Ctwa Clid: The ctwa_clid is missing, or is not the id of a click."


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


@pytest.fixture
def hurried(house: House, request: pytest.FixtureRequest) -> House:
    """The same kind of store, behind a process with little patience."""
    name = "hurried_house" if house.database_url.startswith("sqlite") else "postgres_web"
    found: House = request.getfixturevalue(name)
    return found


def test_accepted(shop: Shop) -> None:
    answer = shop.post(shop.order())
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert told(answer) == {"X-Delivery-State": "delivered"}
    assert shop.life(answer) == Life("delivered", None, 1, ("accepted",), ("first",))
    assert shop.entries() == [Entry(True)]
    assert len(shop.requests()) == len(shop.sent()) == 1


def test_an_accepted_event_keeps_metas_trace_id_in_its_record(shop: Shop) -> None:
    answer = shop.post(shop.order())
    (record,) = shop.records()
    (attempt,) = shop.whole_life(answer)["deliveries"][0]["attempts"]
    assert record["forward_reference_id"] == attempt["reference"] != ""
    assert record["payload"] == {"currency": "USD", "value": 99.97, "order_id": "ORD-1"}
    assert Click(*(record[name] for name in Click.__struct_fields__)) == shop.click


def test_rejected(shop: Shop) -> None:
    answer = shop.post(shop.order(click=new_click()))
    assert answer.status_code == 400
    assert answer.json() == refusal("Meta rejected the event", "meta_forward", {"meta_error": INVALID_CLICK})
    assert told(answer) == {}
    assert shop.life(answer) == Life("dead", "rejected", 1, ("rejected",), ("first",))
    assert shop.entries() == [Entry(False, "meta_forward", INVALID_CLICK)]
    assert (len(shop.requests()), shop.sent()) == (1, [])


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"kind": "throttle"}, "throttled"),
        ({"kind": "status", "status": 500}, "unavailable"),
        ({"kind": "html500"}, "unavailable"),
        ({"kind": "reset_after_accept"}, "unknown"),
        ({"kind": "wrong_count"}, "unknown"),
    ],
    ids=["throttle", "status", "html", "reset", "count"],
)
def test_throttled_unavailable_or_unknown(shop: Shop, fault: dict[str, Any], outcome: str) -> None:
    shop.fault(**{"times": 1, **fault})
    answer = shop.post(shop.order())
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert told(answer) == {"X-Delivery-State": "retrying"}
    life = shop.life(answer)
    assert (life.outcomes[0], life.triggers[0]) == (outcome, "first")
    assert shop.requests()


def test_while_the_destination_asks_for_patience_no_caller_waits(shop: Shop) -> None:
    """The pause ends before these callers' patience does: whoever waited would hear `delivered`."""
    shop.fault("throttle", times=1)
    shop.post(shop.order("ORD-1"))
    second = shop.post(shop.order("ORD-2"))
    assert (second.status_code, told(second)) == (200, {"X-Delivery-State": "pending"})
    again = shop.post(shop.order("ORD-2"))
    assert (again.headers["X-Event-Id"], told(again)) == (second.headers["X-Event-Id"], {"X-Delivery-State": "pending"})
    assert len(shop.requests()) == 1


def test_a_retried_event_arrives_under_its_own_id(shop: Shop) -> None:
    shop.fault("status", status=500, times=1)
    answer = shop.post(shop.order())
    assert told(answer) == {"X-Delivery-State": "retrying"}
    (event,) = shop.sent(at_least=1)
    assert event["event_id"] == "ORD-1"
    settled = eventually(lambda: life if (life := shop.life(answer)).state == "delivered" else None, "delivered")
    assert settled == Life("delivered", None, 1, ("unavailable", "accepted"), ("first", "scheduled"))
    assert shop.entries() == [Entry(True)]
    assert len(shop.requests()) == 2


@pytest.mark.parametrize(
    ("token", "reason"),
    [({"expired": True}, "token"), ({"scopes": []}, "permission")],
    ids=["token", "permission"],
)
def test_token_or_permission_error(shop: Shop, token: dict[str, object], reason: str) -> None:
    shop.sandbox.learn(tokens={shop.access_token: token})
    answer = shop.post(shop.order())
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert told(answer) == {"X-Delivery-State": "held", "X-Collector-Reason": reason}
    assert shop.life(answer) == Life("held", reason, 1, ("held",), ("first",))
    assert shop.entries() == [Entry(None)]
    assert (len(shop.requests()), shop.sent()) == (1, [])


def test_an_order_for_a_held_channel_costs_no_request(shop: Shop) -> None:
    shop.sandbox.learn(tokens={shop.access_token: {"expired": True}})
    shop.post(shop.order("ORD-1"))
    answer = shop.post(shop.order("ORD-2"))
    assert (answer.status_code, told(answer)) == (200, {"X-Delivery-State": "held", "X-Collector-Reason": "token"})
    assert shop.life(answer) == Life("held", "token")
    assert len(shop.requests()) == 1


def test_wait_over(hurried: House) -> None:
    shop = hurried.shop()
    shop.fault("hang")
    try:
        answer = shop.post(shop.order())
        assert (answer.status_code, answer.json()) == (200, RECEIVED)
        assert told(answer) == {"X-Delivery-State": "pending"}
        assert shop.entries() == [Entry(None)]
        eventually(lambda: shop.requests() or None, "the request that hangs")
        assert shop.life(answer).state == "sending"
    finally:
        shop.sandbox.heal()
    settled = eventually(lambda: life if (life := shop.life(answer)).state == "delivered" else None, "delivered")
    assert settled.outcomes == ("accepted",)
    assert (shop.entries(), len(shop.requests())) == ([Entry(True)], 1)


@pytest.mark.parametrize("pointer", ["forged", "foreign", "expired", "ref", "checkout_id"])
def test_click_not_found_yet_or_a_bad_token(house: House, shop: Shop, pointer: str) -> None:
    good = house.token(shop, shop.click)
    pointers = {
        "forged": ({"attribution_token": good[:-2] + ("A" if good[-2] != "A" else "B") + good[-1]}, "token-forged"),
        "foreign": ({"attribution_token": house.token(house.shop(), shop.click)}, "token-forged"),
        "expired": ({"attribution_token": house.token(shop, shop.click, age_seconds=91 * 86_400)}, "token-expired"),
        "ref": ({"ref": "AAAAAAAAAAAAAAAAAAAAAA"}, "click-not-found"),
        "checkout_id": ({"checkout_id": "CHK-1"}, "click-not-found"),
    }
    given, reason = pointers[pointer]
    answer = shop.post(shop.pointed(**given))
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert told(answer) == {"X-Delivery-State": "unmatched", "X-Collector-Reason": reason}
    assert shop.life(answer) == Life("unmatched")
    assert shop.entries() == [Entry(None)]
    assert shop.requests() == []


def test_the_click_lacks_what_meta_needs(house: House, shop: Shop) -> None:
    token = house.token(shop, Click(cnct_tracking_id="trk-1"))
    answer = shop.post(shop.pointed(attribution_token=token))
    assert answer.status_code == 400
    rule = "the click lacks it, and meta needs it"
    assert answer.json() == refusal(f"ctwa_clid: {rule}", "payload_mapping", {"field": "ctwa_clid", "rule": rule})
    assert told(answer) == {}
    assert shop.life(answer) == Life("dead", "no_click_id")
    assert [entry[:2] for entry in shop.entries()] == [(False, "payload_mapping")]
    assert shop.requests() == []


def test_the_click_lacks_what_connectly_needs(house: House) -> None:
    shop = house.shop(destination="connectly")
    answer = shop.post(shop.pointed(attribution_token=house.token(shop, Click(ctwa_clid=shop.click.ctwa_clid))))
    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["field"] == "cnct_tracking_id, sendout_id, ad_id"
    assert shop.life(answer) == Life("dead", "no_click_id")
    assert shop.requests() == []


def test_consent_denied(house: House, shop: Shop) -> None:
    shop.land()
    token = shop.cookies["cnct"]
    shop.land(consent="denied")
    answer = shop.post(shop.pointed(attribution_token=token))
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert told(answer) == {"X-Delivery-State": "dead", "X-Collector-Reason": "consent"}
    assert shop.life(answer) == Life("dead", "consent")
    assert [entry[:2] for entry in shop.entries()] == [(False, None)]
    assert shop.requests() == []


def test_test_mode_without_a_test_code(house: House) -> None:
    shop = house.shop(mode="test")
    answer = shop.post(shop.order())
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert told(answer) == {"X-Delivery-State": "dead", "X-Collector-Reason": "test"}
    assert shop.life(answer) == Life("dead", "test")
    assert [entry[:2] for entry in shop.entries()] == [(False, None)]
    assert shop.requests() == []


def test_older_than_seven_days(shop: Shop) -> None:
    answer = shop.post(shop.order(event_time=days_ago(7.01)))
    assert answer.status_code == 400
    rule = "must not be older than 7 days"
    expected = {"field": "payload.event_time", "rule": rule}
    assert answer.json() == refusal(f"payload.event_time: {rule}", "payload_mapping", expected)
    assert told(answer) == {}
    assert shop.life(answer) == Life("dead", "expired")
    assert [entry[:2] for entry in shop.entries()] == [(False, "payload_mapping")]
    assert shop.requests() == []


def test_cannot_store(house: House, shop: Shop) -> None:
    with no_writes(house.database_url):
        answer = shop.post(shop.order())
    assert answer.status_code == 503
    error = answer.json()["error"]
    assert (error["code"], error["status"], set(error)) == (503, "UNAVAILABLE", {"code", "status", "message"})
    assert int(told(answer).pop("Retry-After")) > 0
    assert told(answer).keys() == {"Retry-After"}
    assert "X-Event-Id" not in answer.headers
    eventually(lambda: house.client.get("/readyz").status_code == 200 or None, "a store that can be written")
    assert (shop.entries(), shop.events(), shop.requests()) == ([], [], [])
    again = shop.post(shop.order())
    assert told(again) == {"X-Delivery-State": "delivered"}
    assert (shop.entries(), len(shop.requests())) == ([Entry(True)], 1)


def test_everybody_who_waits_on_a_channel_that_is_held_hears_so(shop: Shop) -> None:
    shop.sandbox.learn(tokens={shop.access_token: {"expired": True}})
    with ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda number: shop.post(shop.order(f"ORD-{number}")), range(20)))
    expected = (200, {"X-Delivery-State": "held", "X-Collector-Reason": "token"})
    assert [(answer.status_code, told(answer)) for answer in answers] == [expected] * 20
    assert len(shop.requests()) < 5
