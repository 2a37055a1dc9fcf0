"""A destination that fails now and then, and one that is away for hours: all arrives, at little cost, soon after it can."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.lane import Limits
from collector.sandbox import create_sandbox
from tests.delivery.clocks import Time
from tests.delivery.house import House, open_house
from tests.processes import serving

SEED = 1219
"""Of its first hundreds of draws, too, one in ten is below 0.1; others are as far off as one in seven."""
HOUR = 3600.0
HOURS = 6


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A house whose sandbox lives in the test's time too, and draws its chances in a known order."""
    time = Time()
    with serving(create_sandbox(any_click=True, clock=time.monotonic, chance=Random(SEED).random)) as url:
        async with open_house(tmp_path / "store.db", url, time) as opened:
            yield opened


class Fives(Meta):
    """Five events a request: a thousand events are enough requests to speak of one in ten."""

    batch_max = 5


@pytest.mark.parametrize("leased", [False, True], ids=["backlog", "fresh"])
async def test_one_500_in_ten_costs_little_more_than_one_attempt_an_event(
    house: House, outbound: Outbound, leased: bool
) -> None:
    await house.sandbox.faults({"kind": "status", "status": 500, "probability": 0.1})
    fives = Fives(outbound, house.sandbox.url, "v25.0", "collector")
    dispatcher = house.employ(outbound, destinations={"meta": fives}, random=Random(SEED).random)
    if leased:
        await dispatcher.start()
    for _ in range(10):
        await house.take_many(100, leased=leased)
    if not leased:
        await dispatcher.start()
    await house.live_through(120, 5)
    assert await house.states() == {"delivered": 1000}
    assert sorted(await house.sandbox.accepted()) == sorted(await house.deliveries())
    facts = dispatcher.facts()
    assert facts["unavailable"] > 0
    attempts = sum(each.attempts for each in (await house.deliveries()).values())
    assert attempts == facts["accepted"] + facts["unavailable"]
    assert attempts <= 1.15 * 1000
    await dispatcher.stop(5)


async def test_an_outage_of_six_hours_costs_probes_and_no_event(house: House, outbound: Outbound) -> None:
    """An order every five minutes all the while. No look at the store is needed in between: nobody else writes to it."""
    limits = Limits(poll_seconds=60, chores_seconds=3600)
    dispatcher = house.employ(outbound, limits=limits, random=Random(SEED).random)
    await dispatcher.start()
    await house.sandbox.faults({"kind": "html500", "times": 300}, {"kind": "status", "status": 503})
    await house.take_many(100)
    began, taken = house.time.monotonic(), 100
    while (passed := house.time.monotonic() - began) < HOURS * HOUR:
        if taken - 100 < passed / 300:
            await house.take()
            taken += 1
        await house.rest()
        house.time.skip()
    await house.rest()
    states = await house.states()
    assert set(states) <= {"pending", "retrying"}
    assert sum(states.values()) == taken
    tries = [call["received_at"] / 1000 for call in await house.sandbox.requests()]
    assert HOURS * 60 < len(tries) <= HOURS * 60 * 3
    assert max(sum(at <= each < at + 60 for each in tries) for at in tries) <= 15
    assert max(later - at for at, later in pairwise(tries)) <= 60

    await house.sandbox.forget()
    await house.sandbox.faults()
    recovered = house.time.monotonic()
    while set(await house.states()) != {"delivered"}:
        house.time.skip()
        await house.rest()
        assert house.time.monotonic() - recovered < 180
    requests = await house.sandbox.requests()
    assert requests[0]["received_at"] / 1000 - recovered <= 60
    assert str(requests[0]["body"]).count("event_name") == 1
    assert len(requests) <= 20
    assert sorted(await house.sandbox.accepted()) == sorted(await house.deliveries())
    assert len(await house.deliveries()) == taken
    await dispatcher.stop(5)
