"""Crashes, stops and several processes: what was acknowledged arrives, and nobody is cut off."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tests.integration.conftest import Build
from tests.integration.house import House, eventually
from tests.integration.outage import lapse_leases
from tests.integration.shop import Life, Shop, days_ago, told
from tests.processes import running

ORDERS = 240


@pytest.fixture(params=["sqlite", "postgres"])
def lone(build: Build, request: pytest.FixtureRequest) -> House:
    """A collector of the test's own, on either database."""
    dsn = request.getfixturevalue("postgres_dsn") if request.param == "postgres" else ""
    house = build(database_url=dsn, wait_seconds="2")
    house.start()
    return house


def crash(house: House) -> None:
    """Kill the process, and let the time pass after which what it had in hand is another's."""
    house.kill()
    if not house.database_url.startswith("sqlite"):
        lapse_leases(house.database_url)


def reached(kept: Path, goal: int) -> bool | None:
    """Whether so many lines are in the list."""
    return len(kept.read_text().split()) >= goal or None


def explained(shop: Shop, order_id: str) -> bool:
    """Whether a try at this order is known to be of unknown fate."""
    (event,) = shop.events(event_id=order_id)
    deliveries = shop.tale(event["id"])["deliveries"]
    return any(attempt["outcome"] == "unknown" for each in deliveries for attempt in each["attempts"])


def test_every_acknowledged_event_arrives_once_through_an_outage_and_crashes(lone: House, tmp_path: Path) -> None:
    shop, kept = lone.shop(), tmp_path / "acknowledged"
    kept.touch()
    shop.fault("status", status=500)
    arguments = (lone.url + shop.path, shop.key, str(kept), json.dumps(shop.order()), str(ORDERS))
    with running(sys.executable, "-m", "tests.integration.acknowledger", *arguments) as caller:
        for goal in (ORDERS // 5, 2 * ORDERS // 5, 3 * ORDERS // 5):
            eventually(partial(reached, kept, goal), f"{goal} acknowledgements")
            crash(lone)
            shop.fault("slow", delay_ms=150)  # healthy from now on, and slow enough to be caught in the middle
            lone.start()
        assert caller.wait(60) == 0
    acknowledged = kept.read_text().split()
    assert sorted(acknowledged) == sorted(f"ORD-{number}" for number in range(ORDERS))
    shop.sandbox.heal()

    def all_arrived() -> dict[str, int] | None:
        times = {event_id: count for (_, event_id), count in shop.sandbox.times(shop.dataset).items()}
        return times if times.keys() >= set(acknowledged) else None

    arrived = eventually(all_arrived, "every acknowledged event", 60)
    assert arrived.keys() == set(acknowledged)
    twice = {order_id for order_id, count in arrived.items() if count > 1}
    assert [order_id for order_id in twice if not explained(shop, order_id)] == []
    eventually(lambda: lone.client.get("/readyz").json()["oldest_pending_ms"] is None or None, "nothing pending")
    assert shop.events(state="dead") == []
    assert {len(shop.events(event_id=order_id)) for order_id in acknowledged[:20]} == {1}


def test_a_soft_stop_answers_everybody_who_waits(lone: House) -> None:
    shop = lone.shop()
    shop.fault("slow", delay_ms=1000)
    assert lone.process is not None
    with ThreadPoolExecutor(20) as threads:
        waiting = [threads.submit(shop.post, shop.order(f"ORD-{number}")) for number in range(20)]
        eventually(lambda: len(shop.events()) == 20 or None, "all orders in the store")
        assert lone.stop() == 0
    answers = [each.result() for each in waiting]
    assert {(answer.status_code, answer.text) for answer in answers} == {(200, '{"events_received":1}')}
    assert {told(answer)["X-Delivery-State"] for answer in answers} <= {"delivered", "pending"}
    lone.start()
    shop.sent(at_least=20)
    assert set(shop.sandbox.times(shop.dataset).values()) == {1}
    eventually(lambda: len(shop.events(state="delivered")) == 20 or None, "all delivered")


def test_a_channel_that_was_held_before_the_start_is_known_to_stand_still(lone: House) -> None:
    shop = lone.shop(dataset=False)
    assert told(shop.post(shop.order())) == {"X-Delivery-State": "held", "X-Collector-Reason": "token"}
    assert lone.stop() == 0
    lone.start()
    assert lone.client.get("/readyz").json()["channels_held"] == 1  # so that a probe will come


def test_who_waits_in_one_process_hears_of_the_delivery_in_another(build: Build, postgres_dsn: str) -> None:
    web = build(database_url=postgres_dsn, arguments=("--role", "web"), wait_seconds="20")
    deliver = build(database_url=postgres_dsn, arguments=("--role", "deliver"))
    shop = web.shop()
    web.start()
    deliver.start()
    answers = [shop.post(shop.order()), shop.post(shop.order())]
    assert [told(answer) for answer in answers] == [
        {"X-Delivery-State": "delivered"},
        {"X-Delivery-State": "delivered", "X-Duplicate": "true"},
    ]
    assert len(shop.requests()) == 1
    assert deliver.client.post(shop.path, json=shop.order()).status_code == 404
    assert deliver.client.get("/healthz").json() == {"status": "ok"}


def test_of_two_processes_that_deliver_one_is_killed_and_nothing_is_missing(
    build: Build, postgres_dsn: str, tmp_path: Path
) -> None:
    web = build(database_url=postgres_dsn, arguments=("--role", "web"), wait_seconds="0.1")
    first, second = (build(database_url=postgres_dsn, arguments=("--role", "deliver")) for _ in range(2))
    shop, kept = web.shop(), tmp_path / "acknowledged"
    kept.touch()
    orders = 6 * ORDERS  # each process looks for work once a second: there must be some for longer than that
    for house in (web, first, second):
        house.start()
    shop.fault("slow", delay_ms=300)  # something is on its way at every moment
    arguments = (web.url + shop.path, shop.key, str(kept), json.dumps(shop.order()), str(orders))
    with running(sys.executable, "-m", "tests.integration.acknowledger", *arguments) as caller:
        eventually(partial(reached, kept, ORDERS // 3), "a third of the acknowledgements")
        eventually(lambda: first.client.get("/readyz").json()["requests_on_way"] or None, "the first at work", 60)
        eventually(lambda: second.client.get("/readyz").json()["requests_on_way"] or None, "the second at work", 60)
        first.kill()
        assert caller.wait(60) == 0
    lapse_leases(web.database_url)
    shop.sandbox.heal()
    acknowledged = set(kept.read_text().split())
    assert len(acknowledged) == orders
    eventually(lambda: web.client.get("/readyz").json()["oldest_pending_ms"] is None or None, "nothing pending", 60)
    arrived = {event_id: count for (_, event_id), count in shop.sandbox.times(shop.dataset).items()}
    assert arrived.keys() == acknowledged
    assert [order_id for order_id, count in arrived.items() if count > 1 and not explained(shop, order_id)] == []
    assert shop.events(state="dead") == []


def test_an_order_whose_click_never_came_is_buried_at_its_deadline(build: Build) -> None:
    lone = build(wait_seconds="2")
    lone.start()
    shop = lone.shop()
    late = shop.pointed(checkout_id="CHK-1")
    late["payload"]["event_time"] = days_ago(7) + 60  # its deadline is over, and it is not too old to be told
    answer = shop.post(late)
    assert told(answer) == {"X-Delivery-State": "unmatched", "X-Collector-Reason": "click-not-found"}
    crash(lone)
    lone.start()
    buried = eventually(lambda: life if (life := shop.life(answer)).state == "dead" else None, "the burial")
    assert buried == Life("dead", "unmatched")
    assert shop.link("checkout_id", "CHK-1", attribution_token=lone.token(shop, shop.click)).status_code == 200
    again = shop.post(late)
    assert (again.status_code, told(again)["X-Delivery-State"]) == (200, "dead")
    assert shop.life(answer) == buried
    assert shop.requests() == []
