"""Shared tokens and datasets beside a serving process, on both databases: what is mended by a command is noticed, and nothing is lost."""

import secrets

import pytest

from tests.integration.house import House
from tests.integration.shop import RECEIVED, Life, told

HELD_FOR = {"X-Delivery-State": "held"}


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


def test_a_new_token_under_an_old_name_releases_what_the_broken_one_held(house: House) -> None:
    shop, name = house.shop(channel=False), f"agency-{secrets.token_hex(4)}"
    house.command("credential", "set", name, COLLECTOR_ACCESS_TOKEN="EAA" + secrets.token_hex(20))
    account = ("--waba-id", shop.waba, "--dataset-id", shop.dataset)
    house.command("channel", "set", shop.business_id, "whatsapp", *account, "--credential", name)
    first = shop.post(shop.order("ORD-1"))
    assert (first.json(), told(first)) == (RECEIVED, HELD_FOR | {"X-Collector-Reason": "token"})
    assert house.command("channel", "list", shop.business_id)["channels"][0]["held"] == "token"

    rotated = house.command("credential", "set", name, COLLECTOR_ACCESS_TOKEN=shop.access_token)
    assert rotated["channels"] == [{"business_id": shop.business_id, "channel": "whatsapp"}]
    second = shop.post(shop.order("ORD-2"))
    assert told(second) == {"X-Delivery-State": "delivered"}, "the process has noticed"
    assert sorted(each["event_id"] for each in shop.sent(at_least=2)) == ["ORD-1", "ORD-2"]
    assert shop.life(first).outcomes == ("held", "accepted")


def test_events_wait_for_the_dataset_that_meta_names(house: House) -> None:
    shop = house.shop(channel=False)
    set_up = ("channel", "set", shop.business_id, "whatsapp", "--waba-id", shop.waba)
    assert house.command(*set_up, COLLECTOR_ACCESS_TOKEN=shop.access_token)["dataset_id"] is None
    first = shop.post(shop.order("ORD-1"))
    assert (first.json(), told(first)) == (RECEIVED, HELD_FOR | {"X-Collector-Reason": "dataset"})
    assert shop.life(first) == Life("held", "dataset", 1, ("not_sent",), ("first",))
    assert shop.requests() == [], "nothing was sent to nowhere"

    assert house.command("dataset", "create", shop.business_id, "whatsapp")["dataset_id"] == shop.dataset
    second = shop.post(shop.order("ORD-2"))
    assert told(second) == {"X-Delivery-State": "delivered"}
    assert sorted(each["event_id"] for each in shop.sent(at_least=2)) == ["ORD-1", "ORD-2"]
