"""Each golden pair: this item becomes exactly this event, and Meta's stand-in takes it. docs/events.md and docs/website.md show them all."""

import json
import time
from itertools import groupby
from typing import Any

import pytest

from collector.policy import MESSAGING_NAMES, Policy
from tests import documented_events
from tests.documented_events import CHANNELS, pairs
from tests.integration.conversing import ACCOUNT_DATASET, PAGE_DATASET, WEBSITE_DATASET, own, post
from tests.integration.house import House
from tests.integration.shop import Shop

DATASETS = {"messenger": PAGE_DATASET, "instagram": ACCOUNT_DATASET, "website": WEBSITE_DATASET}
VISITOR = {
    "User_Agent": "Mozilla/5.0 (Linux; Android 14)",
    "X_Forwarded_For": "203.0.114.7",
    "Cookie": "_fbp=fb.1.1700000000000.1234567890",
}


def words(shop: Shop) -> dict[str, str]:
    """How the pairs write what each shop has its own of."""
    own_ids = dict(zip(("TRACKING-ID", "SENDOUT-ID", "CLICK-ID", "AD-ID"), map(str, shop.click.values()), strict=True))
    return own_ids | {"100000000000001": shop.waba, "https://shop.example": shop.origin}


def told(value: Any, words: dict[str, str]) -> Any:
    """The value with each word replaced."""
    text = json.dumps(value)
    for word, meant in words.items():
        text = text.replace(word, meant)
    return json.loads(text)


def taken(shop: Shop, dataset: str, event_id: str, meant: dict[str, str]) -> dict[str, Any]:
    """The event that Meta took, in the words of the pairs."""
    event = own(shop, dataset, event_id)
    assert isinstance(event.pop("event_time"), int)
    found: dict[str, Any] = told(event, {own: word for word, own in meant.items()})
    return found


def beside(shop: Shop, dataset: str, event_id: str) -> dict[str, Any]:
    """What the request that took the event said beside `data`."""
    bodies = [json.loads(each["body"]) for each in shop.sandbox.requests(dataset)]
    (body,) = [body for body in bodies if event_id in [event["event_id"] for event in body["data"]]]
    del body["data"]
    return dict(body)


def setting(pair: dict[str, Any]) -> str:
    """What the pairs of one call share."""
    return json.dumps([pair.get("policy"), pair.get("call")])


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_item_becomes_exactly_what_its_pair_says(house: House, channel: str) -> None:
    for _, grouped in groupby(pairs(channel), setting):
        group = list(grouped)
        shop = house.shop(policy=Policy(**group[0].get("policy", {})))
        house.channels(shop)
        call, meant, dataset = group[0].get("call", {}), words(shop), DATASETS.get(channel, shop.dataset)
        answer = post(shop, *told([pair["item"] for pair in group], {"CLICK-ID": meant["CLICK-ID"]}), **call)
        assert [each["state"] for each in answer.json()["results"]] == ["pending"] * len(group), answer.text
        for pair in group:
            event_id = pair["item"]["event_id"]
            assert taken(shop, dataset, event_id, meant) == pair["sent"]
            assert beside(shop, dataset, event_id) == {"partner_agent": "collector"} | call


@pytest.mark.parametrize("pair", pairs("shop"), ids=lambda pair: pair["item"]["payload"]["order_id"])
def test_every_order_of_the_shop_becomes_exactly_what_its_pair_says(proxied_house: House, pair: dict[str, Any]) -> None:
    shop = proxied_house.shop(policy=Policy(**pair.get("policy", {})))
    if "policy" in pair:
        proxied_house.website(shop)
    landed_at = str(int(time.time() * 1000) - 1000)
    meant = words(shop) | {"LANDED-AT": landed_at}
    landing = told(pair["landing"], {'"LANDED-AT"': landed_at} | meant)
    ref = shop.page("landing", landing, **VISITOR).raise_for_status().json()["ref"]
    answer = shop.post(told(pair["item"], {"REF": ref} | meant))
    assert answer.headers.get("X-Delivery-State") == "delivered", answer.text
    assert taken(shop, shop.dataset, pair["sent"]["event_id"], meant) == pair["sent"]


def test_every_name_that_a_conversation_may_have_is_shown() -> None:
    assert {pair["sent"]["event_name"] for pair in pairs("whatsapp")}.issuperset(MESSAGING_NAMES)


def test_the_pages_show_these_pairs() -> None:
    assert documented_events.pages() == {path: path.read_text() for path in documented_events.pages()}
