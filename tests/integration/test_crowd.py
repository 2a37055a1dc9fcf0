"""Many calls, repeats and links about a few orders, all at once: each order is one event, and arrives once."""

import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx2
import pytest

from tests.integration.house import House, eventually
from tests.integration.shop import Shop

ORDERS, CALLS, CALLERS = 12, 200, 30


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


class Crowd:
    """Calls drawn at random, the same ones for the same seed."""

    def __init__(self, shop: Shop, token: str, seed: int) -> None:
        self._shop = shop
        self._token = token
        self._seed = seed

    def call(self, number: int) -> httpx2.Response:
        """One call about one of the orders."""
        shop, draw = self._shop, random.Random(self._seed * CALLS + number)
        order_id = f"ORD-{draw.randrange(ORDERS)}"
        checkout = f"CHK-{order_id}"
        match draw.randrange(8):
            case 0:
                return shop.link("order_id", order_id, attribution_token=self._token)
            case 1:
                return shop.link("checkout_id", checkout, attribution_token=self._token)
            case 2:
                return shop.post(shop.pointed(order_id, checkout_id=checkout), Prefer="respond-async")
            case 3:
                return shop.post(shop.pointed(order_id, checkout_id=checkout))
            case 4:
                return shop.post(shop.pointed(order_id, attribution_token="forged"))
            case 5:
                return shop.post(shop.pointed(order_id, attribution_token=self._token))
            case 6:
                return shop.post(shop.order(order_id, value=draw.randrange(3)))
            case _:
                return shop.post(shop.order(order_id), Prefer="respond-async")


@pytest.mark.parametrize("weather", ["fair", "failing", "held"])
def test_each_order_arrives_once(house: House, shop: Shop, weather: str) -> None:
    token = house.token(shop, shop.click)
    if weather == "failing":
        shop.fault("status", status=500, times=2)
    if weather == "held":
        shop.sandbox.learn(tokens={shop.access_token: {"expired": True}})
    crowd = Crowd(shop, token, ["fair", "failing", "held"].index(weather))
    with ThreadPoolExecutor(CALLERS) as callers:
        answers = list(callers.map(crowd.call, range(CALLS)))
    assert {answer.status_code for answer in answers} <= {200, 202}
    reports = [answer for answer in answers if answer.request.url.path == shop.path]
    assert len(shop.records()) == len(reports)
    events = shop.events()
    assert Counter(event["event_id"] for event in events) == dict.fromkeys({f"ORD-{n}" for n in range(ORDERS)}, 1)
    assert {answer.headers["X-Event-Id"] for answer in reports} == {event["id"] for event in events}

    if weather == "held":
        assert shop.sent() == []
        shop.sandbox.learn(tokens={shop.access_token: {"expired": False}})
        house.command("channel", "resume", shop.business_id, "whatsapp")
    for number in range(ORDERS):  # what nobody has named a click for yet
        for kind, name in (("order_id", f"ORD-{number}"), ("checkout_id", f"CHK-ORD-{number}")):
            assert shop.link(kind, name, attribution_token=token).status_code == 200
    eventually(lambda: len(shop.events(state="delivered")) == ORDERS or None, "all delivered")
    assert set(shop.sandbox.times(shop.dataset).values()) == {1}
