"""Each golden pair of the events API: this item becomes exactly this event, and Meta's stand-in takes it. docs/events.md shows them all."""

import json
from itertools import groupby
from typing import Any

import pytest

from collector.policy import Policy
from tests import documented_events
from tests.documented_events import CHANNELS, pairs
from tests.integration.conversing import ACCOUNT_DATASET, PAGE_DATASET, WEBSITE_DATASET, own, post
from tests.integration.house import House
from tests.integration.shop import Shop

DATASETS = {"messenger": PAGE_DATASET, "instagram": ACCOUNT_DATASET, "website": WEBSITE_DATASET}
CLICK_ID, WABA, ORIGIN = "CLICK-ID", "100000000000001", "https://shop.example"


def setting(pair: dict[str, Any]) -> str:
    """What the pairs of one call share."""
    return json.dumps([pair.get("policy"), pair.get("call")])


def sent(house: House, shop: Shop, channel: str, group: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What Meta gets of the items, with the shop's own ids as the pairs write them."""
    clid = str(shop.click.ctwa_clid)
    items = json.loads(json.dumps([pair["item"] for pair in group]).replace(CLICK_ID, clid))
    answer = post(shop, *items, **group[0].get("call", {}))
    assert [each["state"] for each in answer.json()["results"]] == ["pending"] * len(items), answer.text
    found = []
    for item in items:
        event = own(shop, DATASETS.get(channel, shop.dataset), item["event_id"])
        assert isinstance(event.pop("event_time"), int)
        told = json.dumps(event).replace(clid, CLICK_ID).replace(shop.waba, WABA).replace(shop.origin, ORIGIN)
        found.append(json.loads(told))
    return found


@pytest.mark.parametrize("channel", CHANNELS)
def test_every_item_becomes_exactly_what_its_pair_says(house: House, channel: str) -> None:
    for _, grouped in groupby(pairs(channel), setting):
        group = list(grouped)
        shop = house.shop(policy=Policy(**group[0].get("policy", {})))
        house.channels(shop)
        assert sent(house, shop, channel, group) == [pair["sent"] for pair in group]


def test_the_page_shows_these_pairs() -> None:
    text = documented_events.PAGE.read_text()
    assert documented_events.page(text) == text
