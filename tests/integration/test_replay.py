"""A replay beside a collector that serves: the dead event goes out within seconds, once, under its own id."""

import pytest

from tests.integration.house import House, eventually, new_click
from tests.integration.shop import Life, Shop


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


def test_what_was_refused_is_delivered_after_a_replay_beside_the_serving_process(house: House, shop: Shop) -> None:
    click = new_click()
    first = shop.post(shop.order(click=click))
    assert first.status_code == 400
    shop.sandbox.learn(clicks={click.ctwa_clid: shop.waba})
    told = house.command("replay", shop.business_id, "--reason", "rejected")
    assert (told["replayed"], told["refused"], told["held"]) == (1, 0, 0)
    life = eventually(lambda: found if (found := shop.life(first)).state == "delivered" else None, "the delivery", 5)
    assert life == Life("delivered", None, 1, ("rejected", "accepted"), ("first", "manual"))
    assert [event["event_id"] for event in shop.sent()] == ["ORD-1"]
    again = shop.post(shop.order(click=click))
    assert (again.status_code, again.headers["X-Duplicate"]) == (200, "true")
    assert len(shop.sent()) == 1


def test_what_expired_arrives_as_a_test_event(house: House, shop: Shop) -> None:
    late = shop.post(shop.order(event_time=1_600_000_000))
    assert late.status_code == 400
    house.command("business", "set", shop.business_id, "--test-event-code", "TEST1")
    told = house.command("replay", shop.business_id, late.headers["X-Event-Id"], "--as-test")
    assert told["replayed_by_reason"] == {"expired": 1}
    shop.sent(at_least=1)
    (request,) = shop.requests()
    assert '"test_event_code":"TEST1"' in request["body"]
    life = eventually(lambda: found if (found := shop.life(late)).state == "delivered" else None, "the delivery", 5)
    assert life == Life("delivered", None, 1, ("accepted",), ("manual",))
