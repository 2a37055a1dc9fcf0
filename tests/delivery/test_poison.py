"""One bad event makes Graph refuse them all: the good arrive once, the bad are buried with Meta's words, and the search is short."""

import asyncio
import math
from typing import Any

import pytest

from collector.attribution import Click
from collector.delivery import Outcome
from collector.destinations.outbound import Outbound
from collector.dispatcher import Dispatcher
from collector.lane.clicks import RefusedClicks
from tests.delivery.house import SHOP, House
from tests.delivery.sandbox import Meddling

GOOD, BAD, FOREIGN = "AfgGood", "AfgBad", "AfgForeign"


async def strict(house: House) -> None:
    """Only good clicks are known; the foreign one belongs to another WhatsApp account, which Graph refuses without a subcode."""
    clicks = {GOOD: {}, FOREIGN: {"waba_id": "100000000000099"}}
    await house.sandbox.put("state", {"settings": {"any_click": False}, "clicks": clicks})


async def backlog(house: House, count: int, bad: set[int], click: str | None = None) -> None:
    """So many events wait in the store; `bad` are the positions of the poison, each with a click id of its own."""
    house.employ(Outbound())  # takes without sending: it never starts
    clicks = [(click or f"{BAD}{number}") if number in bad else GOOD for number in range(count)]
    await asyncio.gather(*(house.take(leased=False, click=Click(ctwa_clid=each)) for each in clicks))


async def work_off(house: House, outbound: Outbound) -> Dispatcher:
    dispatcher = house.employ(outbound)
    await dispatcher.start()
    await house.rest()
    return dispatcher


def places(count: int, poison: int) -> list[set[int]]:
    """Where the poison stands: at the ends, in the middle, spread, side by side."""
    spread = {round(index * (count - 1) / max(poison - 1, 1)) for index in range(poison)}
    return [
        set(range(poison)),
        set(range(count - poison, count)),
        {(count - poison) // 2 + index for index in range(poison)},
        spread,
    ]


MATRIX = [
    (count, poison, place) for count, poison in [(10, 1), (10, 3), (100, 1), (100, 3), (100, 10)] for place in range(4)
]
MATRIX += [(10, 10, 0), (1000, 1, 1), (1000, 3, 2), (1000, 10, 3)]


@pytest.mark.parametrize(("count", "poison", "place"), MATRIX)
async def test_the_poison_is_found_and_the_rest_delivered_once(
    house: House, outbound: Outbound, count: int, poison: int, place: int
) -> None:
    bad = places(count, poison)[place]
    assert len(bad) == poison
    await strict(house)
    await backlog(house, count, bad)
    dispatcher = await work_off(house, outbound)
    deliveries = await house.deliveries()
    buried = {name: each.error or "" for name, each in deliveries.items() if each.state == "dead"}
    assert buried.keys() == {f"order-{number + 1}" for number in bad}
    assert all("Invalid Ctwa Clid" in words for words in buried.values())
    assert {each.state for name, each in deliveries.items() if name not in buried} <= {"delivered"}
    assert sorted(await house.sandbox.accepted()) == sorted(deliveries.keys() - buried.keys())
    requests = await house.sandbox.requests()
    assert str(requests[0]["body"]).count("event_name") == count
    assert len(requests) - 1 <= 2 * poison * math.ceil(math.log2(count)) + 1
    assert {attempt.attempt.number for attempt in house.outbox.settlements} == {1}
    await dispatcher.stop(5)


async def test_poison_only_is_buried_without_holding_the_channel(house: House, outbound: Outbound) -> None:
    await strict(house)
    await backlog(house, 40, set(range(40)))
    dispatcher = await work_off(house, outbound)
    assert await house.states() == {"dead(rejected)": 40}
    assert await house.held_because() is None
    await dispatcher.stop(5)


async def test_a_batch_refused_alike_for_no_named_fault_holds_the_channel(house: House, outbound: Outbound) -> None:
    await strict(house)
    await backlog(house, 200, set(range(200)), FOREIGN)
    dispatcher = await work_off(house, outbound)
    states = await house.states()
    assert states == {"dead(rejected)": 19, "held(channel)": 181}
    assert len(await house.sandbox.requests()) <= 60
    await dispatcher.stop(5)


async def test_a_click_that_meta_does_not_know_spoils_one_batch_only(house: House, outbound: Outbound) -> None:
    await strict(house)
    await backlog(house, 10, {3}, BAD)
    dispatcher = await work_off(house, outbound)
    await house.sandbox.forget()
    verdict = await (await house.take(click=Click(ctwa_clid=BAD))).wait(20)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("dead", "rejected")
    assert "Invalid Ctwa Clid" in (verdict.error or "")
    assert await house.sandbox.requests() == []
    await house.live_through(25 * 3600, 3600)
    await house.take(click=Click(ctwa_clid=BAD))
    await house.rest()
    assert len(await house.sandbox.requests()) == 1
    await dispatcher.stop(5)


@pytest.mark.parametrize(
    ("fault", "state"),
    [
        ({"kind": "throttle", "retry_after": 60, "times": 1}, "retrying"),
        ({"kind": "status", "status": 500, "code": 190, "times": 1}, "held(token)"),
        ({"kind": "html500", "times": 3}, "retrying"),
    ],
)
async def test_trouble_in_the_middle_ends_the_search_at_once(
    house: House, outbound: Outbound, fault: dict[str, Any], state: str
) -> None:
    await strict(house)
    await backlog(house, 64, {63})
    meddling = Meddling(outbound, house.sandbox.url, 3, lambda: house.sandbox.faults(fault))
    dispatcher = house.employ(outbound, destinations={"meta": meddling})
    await dispatcher.start()
    await house.until(lambda states: not set(states) & {"pending", "sending"})
    await house.rest()
    assert meddling.sent == 3
    assert await house.states() == {"delivered": 32, state: 32}
    await house.sandbox.faults()
    await house.live_through(180, 20)
    assert await house.states() == {"delivered": 63, "dead(rejected)": 1}
    assert len(await house.sandbox.accepted()) == 63
    await dispatcher.stop(5)


async def test_an_unknown_fate_in_the_middle_is_not_that_of_the_others(house: House, outbound: Outbound) -> None:
    await strict(house)
    await backlog(house, 8, {7})
    reset = {"kind": "reset_after_accept", "times": 1}
    meddling = Meddling(outbound, house.sandbox.url, 2, lambda: house.sandbox.faults(reset))
    dispatcher = house.employ(outbound, destinations={"meta": meddling})
    await dispatcher.start()
    await house.until(lambda states: states == {"retrying": 8} and len(house.outbox.settlements) == 8)
    assert sorted(each.attempt.outcome for each in house.outbox.settlements) == ["unavailable"] * 4 + ["unknown"] * 4
    await house.live_through(60, 5)
    assert await house.states() == {"delivered": 7, "dead(rejected)": 1}
    arrived = await house.sandbox.accepted()
    assert {arrived.count(f"order-{number}") for number in range(5, 8)} == {1}
    await dispatcher.stop(5)


@pytest.mark.parametrize("broken", ['{"value":', '{"a":1}} {'])
async def test_a_row_that_somebody_broke_by_hand_spoils_only_itself(
    house: House, outbound: Outbound, broken: str
) -> None:
    await strict(house)
    house.employ(Outbound())
    for number in range(10):
        changes = {"custom_data": broken} if number == 4 else {}
        await house.take(leased=False, click=Click(ctwa_clid=GOOD), **changes)
    dispatcher = await work_off(house, outbound)
    assert await house.states() == {"delivered": 9, "dead(rejected)": 1}
    await dispatcher.stop(5)


async def test_connectly_is_not_asked_about_a_row_of_which_no_request_can_be_made(
    house: House, dispatcher: Dispatcher
) -> None:
    await house.channel(channel="connectly", token="sandbox-key", asset_id=SHOP, dataset_id=None)
    await house.directory.refresh()
    verdict = await (await house.take(destination="connectly", custom_data="[]")).wait(20)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("dead", "rejected")
    assert await house.sandbox.requests() == []


def test_refused_clicks_are_bounded_and_forgotten_in_order() -> None:
    clicks, refused = RefusedClicks(2), Outcome(kind="rejected", scope="event")
    for name in ("a", "b", "a", "c"):
        clicks.remember("meta", name, refused, 0)
    clicks.remember("meta", None, refused, 0)
    assert [clicks.recall("meta", name, 1) for name in ("a", "b", "c", None)] == [refused, None, refused, None]
    assert clicks.recall("another dataset", "a", 1) is None
    assert clicks.recall("meta", "a", 24 * 3_600_000) is None


async def test_poison_that_is_known_costs_full_batches_no_request(house: House, dispatcher: Dispatcher) -> None:
    """Ten clicks that Meta has refused before, and five events that it never takes, among a hundred."""
    await strict(house)
    for number in range(10):
        await (await house.take(click=Click(ctwa_clid=f"{BAD}{number}"))).wait(20)
    assert await house.states() == {"dead(rejected)": 10}
    await house.sandbox.forget()
    clicks = [f"{BAD}{number // 10}" if number % 10 == 7 else GOOD for number in range(100)]
    names = ["Lead" if number % 20 == 3 else "Purchase" for number in range(100)]
    await asyncio.gather(
        *(house.take(click=Click(ctwa_clid=click), event_name=name) for click, name in zip(clicks, names, strict=True))
    )
    await house.rest()
    assert await house.states() == {"dead(rejected)": 25, "delivered": 85}
    bodies = [str(request["body"]) for request in await house.sandbox.requests()]
    assert sum(body.count("event_name") for body in bodies) == 85
    assert BAD not in "".join(bodies)
    facts = dispatcher.facts()
    assert (facts["not_sent"], facts["bisections"]) == (15, 0)


async def test_what_meta_surely_refuses_costs_no_request_and_spoils_no_batch(house: House, outbound: Outbound) -> None:
    house.employ(Outbound())
    for number in range(10):
        await house.take(leased=False, event_name="Lead" if number == 4 else "Purchase")
    dispatcher = await work_off(house, outbound)
    assert await house.states() == {"delivered": 9, "dead(rejected)": 1}
    assert len(await house.sandbox.requests()) == 1
    assert (await house.attempts(5))[0].outcome == "not_sent"
    await dispatcher.stop(5)
