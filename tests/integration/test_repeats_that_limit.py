"""What a repeat says of consent and of limits counts, whatever the first said: over HTTP on both databases, against the sandbox."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.conversing import purchase, result
from tests.integration.house import House, eventually
from tests.integration.messages import deliver, message, number
from tests.integration.shop import Shop

LIMITS: dict[str, Any] = {"opt_out": True, "data_processing_options": ["LDU"]}
NINE = {"custom_data": {"currency": "BRL", "value": 9}}
Item = dict[str, Any]


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


def order(**who: str) -> Item:
    return purchase("whatsapp", "O-1", event_id="O-1", user_data=who)


def told(found: Item) -> tuple[str, str | None, bool]:
    return found["state"], found.get("reason"), found.get("duplicate", False)


def stands(shop: Shop, found: Item) -> tuple[str, str | None, int]:
    """State, reason and revision of the only delivery."""
    (delivery,) = shop.tale(found["id"])["deliveries"]
    return delivery["state"], delivery["reason"], delivery["revision"]


def becomes(shop: Shop, found: Item, state: str) -> None:
    eventually(lambda: stands(shop, found)[0] == state or None, state)


def delivered(shop: Shop) -> Item:
    """The only event that reached the dataset."""
    (sent,) = shop.sandbox.events(shop.dataset, at_least=1)
    return dict(sent)


def limits(sent: Item) -> Item:
    return {name: sent.get(name) for name in LIMITS}


def test_a_denial_ends_what_waits_for_its_click(house: House, shop: Shop) -> None:
    sender = number()
    first = result(shop, **order(mobile_number=sender))
    assert first["state"] == "unmatched"
    again = result(shop, **order(mobile_number=sender), consent="denied")
    assert told(again) == ("dead", "consent", True)
    deliver(house, message(shop, sender))
    assert result(shop, **order(mobile_number=sender))["state"] == "dead"
    assert stands(shop, first) == ("dead", "consent", 1)
    assert shop.requests() == []


def test_a_denial_said_first_is_not_lifted_by_a_repeat_that_brings_the_click(shop: Shop) -> None:
    assert result(shop, **order(mobile_number=number()), consent="denied")["state"] == "unmatched"
    again = result(shop, **order(ctwa_clid=shop.click.ctwa_clid or ""), consent="granted")
    assert told(again) == ("dead", "consent", True)
    assert shop.requests() == []


def test_a_denial_ends_what_is_to_be_tried_again(shop: Shop) -> None:
    shop.fault("html500")
    item = order(ctwa_clid=shop.click.ctwa_clid or "")
    first = result(shop, **item)
    becomes(shop, first, "retrying")
    again = eventually(
        lambda: found if (found := result(shop, **item, consent="denied"))["state"] == "dead" else None, "the denial"
    )
    assert told(again) == ("dead", "consent", True)
    shop.sandbox.heal()
    assert stands(shop, first) == ("dead", "consent", 1)
    assert shop.sent() == []


def test_a_denial_of_what_is_being_sent_stops_its_next_try(house: House, shop: Shop) -> None:
    shop.fault("hang")
    item = order(ctwa_clid=shop.click.ctwa_clid or "")
    first = result(shop, **item)
    eventually(lambda: shop.requests() or None, "the request that hangs")
    assert told(result(shop, **item, consent="denied")) == ("pending", "duplicate-differs", True)
    shop.sandbox.heal()
    becomes(shop, first, "delivered")
    assert shop.tale(first["id"])["event"]["consent"] == "denied"


def test_a_denial_ends_what_is_held(shop: Shop) -> None:
    shop.sandbox.learn(tokens={shop.access_token: {"expired": True}})
    item = order(ctwa_clid=shop.click.ctwa_clid or "")
    becomes(shop, result(shop, **item), "held")
    assert told(result(shop, **item, consent="denied")) == ("dead", "consent", True)
    shop.sandbox.learn(tokens={shop.access_token: {"expired": False}})


def test_another_body_that_brings_the_click_corrects_what_waited_for_it(shop: Shop) -> None:
    first = result(shop, **order(mobile_number=number()))
    again = result(shop, **order(ctwa_clid=shop.click.ctwa_clid or "") | NINE | LIMITS)
    assert told(again) == ("pending", None, True)
    sent = delivered(shop)
    assert (sent["custom_data"], limits(sent)) == (NINE["custom_data"], LIMITS)
    becomes(shop, first, "delivered")
    assert stands(shop, first) == ("delivered", None, 2)


def test_another_body_without_the_click_corrects_what_goes_on_waiting(house: House, shop: Shop) -> None:
    sender = number()
    result(shop, **order(mobile_number=sender))
    again = result(shop, **order(mobile_number=sender) | NINE | LIMITS)
    assert told(again) == ("unmatched", "click-not-found", True)
    deliver(house, message(shop, sender))
    sent = delivered(shop)
    assert (sent["custom_data"], limits(sent)) == (NINE["custom_data"], LIMITS)


def test_limits_said_first_stay_when_another_body_brings_the_click(shop: Shop) -> None:
    result(shop, **order(mobile_number=number()) | LIMITS)
    result(shop, **order(ctwa_clid=shop.click.ctwa_clid or "") | NINE)
    assert limits(delivered(shop)) == LIMITS


def test_of_another_body_of_what_is_tried_again_only_the_limits_count_and_the_caller_hears_it(shop: Shop) -> None:
    shop.fault("html500")
    item = order(ctwa_clid=shop.click.ctwa_clid or "")
    becomes(shop, result(shop, **item), "retrying")
    again = result(shop, **item | NINE | LIMITS)
    assert (again["reason"], again["duplicate"]) == ("duplicate-differs", True)
    assert again["state"] in ("retrying", "pending")
    shop.sandbox.heal()
    sent = delivered(shop)
    assert (sent["custom_data"]["value"], limits(sent)) == (99.9, LIMITS)


def test_of_a_denial_and_a_grant_at_once_the_denial_stands(shop: Shop) -> None:
    sender = number()
    first = result(shop, **order(mobile_number=sender))
    with ThreadPoolExecutor(8) as threads:
        words = ["denied", "granted"] * 4
        list(threads.map(lambda word: result(shop, **order(mobile_number=sender), consent=word), words))
    assert stands(shop, first)[:2] == ("dead", "consent")


def test_what_was_delivered_is_not_sent_again_by_a_replay_after_a_denial(house: House, shop: Shop) -> None:
    denied = order(ctwa_clid=shop.click.ctwa_clid or "")
    other = denied | {"event_id": "O-2"}
    rows = [result(shop, **item) for item in (denied, other)]
    for row in rows:
        becomes(shop, row, "delivered")
    assert told(result(shop, **denied, consent="denied")) == ("delivered", "duplicate-differs", True)
    done = house.command("replay", shop.business_id, *(row["id"] for row in rows), "--allow-double")
    assert (done["replayed"], done["refused_by_reason"]) == (1, {"consent": 1})
    eventually(lambda: len(shop.requests()) == 3 or None, "the double of the other")
    assert [sent["event_id"] for sent in shop.sent()].count("O-1") == 1
