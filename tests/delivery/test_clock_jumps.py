"""The wall clock is set, forwards or back, while events wait, are on their way or are to be tried again: none is lost, none buried."""

from collections import Counter

import pytest

from collector.destinations.outbound import Outbound
from collector.dispatcher import Dispatcher
from collector.lane import Limits
from collector.sandbox import create_sandbox
from tests.delivery.clocks import WallTime
from tests.delivery.house import House, open_house
from tests.delivery.sandbox import Meddling
from tests.delivery.test_stopping import leave_behind
from tests.processes import serving

DAY = 86_400
THERE, BACK, AGAIN = (DAY,), (-DAY,), (DAY, -DAY)


def name(jumps: tuple[int, ...]) -> str:
    return "then".join("+1d" if by > 0 else "-1d" for by in jumps)


jumping = pytest.mark.parametrize("jumps", [THERE, BACK, AGAIN], ids=name)


def jump(house: House, seconds: int) -> None:
    """Set the wall clock, which is the store's too. Nobody is told."""
    house.time.ahead_ms += seconds * 1000


async def arrived(house: House) -> Counter[str]:
    """How often each event came."""
    return Counter(await house.sandbox.accepted())


@jumping
async def test_what_waits_in_the_store_is_sent_once_and_soon(
    house: House, dispatcher: Dispatcher, jumps: tuple[int, ...]
) -> None:
    right = {"future_seconds": max(sum(jumps), 0) + 600}  # the last jump was the correction: Meta's clock says the same
    await house.sandbox.put("state", {"settings": right})
    await house.sandbox.faults({"kind": "throttle", "retry_after": 60, "regain_minutes": 0, "times": 1})
    await (await house.take()).wait(20)
    for by in jumps:
        await house.take_many(10)
        jump(house, by)
        await house.live_through(10)
    await house.take_many(10)
    waiting = len(await house.deliveries())
    assert len(await house.sandbox.requests()) == 1  # the destination's own wish is not forgotten
    await house.live_through(70, 2)
    assert await house.states() == {"delivered": waiting}
    assert await arrived(house) == dict.fromkeys(await house.deliveries(), 1)


@jumping
async def test_what_is_to_be_tried_again_is_tried_again_soon(
    house: House, dispatcher: Dispatcher, jumps: tuple[int, ...]
) -> None:
    for by in jumps:
        await house.sandbox.faults({"kind": "html500", "times": 1})
        verdict = await (await house.take()).wait(20)
        assert verdict is not None
        assert verdict.state == "retrying"
        jump(house, by)
    await house.live_through(30)
    assert await house.states() == {"delivered": len(jumps)}
    assert set((await arrived(house)).values()) == {1}


@jumping
async def test_an_event_of_another_days_clock_is_not_buried(
    house: House, dispatcher: Dispatcher, jumps: tuple[int, ...]
) -> None:
    """Taken while the clock is wrong, its time may lie ahead of the right one; Meta refuses such a thing."""
    await house.sandbox.faults({"kind": "html500"})
    for by in (0, *jumps):
        jump(house, by)
        for age_days in (0, 5):
            await house.take_many(5, event_at=house.time.clock() - age_days * DAY * 1000)
        await house.live_through(3)
    jump(house, -sum(jumps))
    await house.sandbox.faults()
    await house.live_through(90, 3)
    assert await house.states() == {"delivered": 10 * (len(jumps) + 1)}
    assert set((await arrived(house)).values()) == {1}


async def old_ones(house: House) -> None:
    """Events half a day from their deadline that cannot be sent just now, and one that is in nobody's hands."""
    await house.sandbox.faults({"kind": "html500"})
    await house.take_many(3, event_at=house.time.clock() - 13 * DAY * 500)
    await house.live_through(3)
    assert await house.states() == {"retrying": 3}
    await house.take_many(2, leased=False, event_at=house.time.clock() - 13 * DAY * 500)


async def test_a_clock_a_day_ahead_that_is_set_right_within_the_hour_buries_nothing(
    house: House, dispatcher: Dispatcher
) -> None:
    await old_ones(house)
    jump(house, DAY)
    await house.live_through(3500, 20)
    assert await house.states() == {"retrying": 5}
    jump(house, -DAY)
    await house.sandbox.faults()
    await house.live_through(4000, 20)
    assert await house.states() == {"delivered": 5}
    assert set((await arrived(house)).values()) == {1}


async def test_a_clock_that_shows_another_day_for_an_hour_is_believed(house: House, dispatcher: Dispatcher) -> None:
    await old_ones(house)
    jump(house, DAY)
    await house.live_through(3700, 20)
    assert await house.states() == {"dead(expired)": 5}
    await house.take_many(2, leased=False, event_at=house.time.clock() - 8 * DAY * 1000)
    await house.live_through(40, 20)
    assert await house.states() == {"dead(expired)": 7}


@pytest.mark.parametrize("jumps", [THERE, BACK, AGAIN, (-DAY, DAY)], ids=name)
async def test_what_is_on_its_way_arrives_and_only_an_unknown_fate_is_sent_twice(
    house: House, outbound: Outbound, jumps: tuple[int, ...]
) -> None:
    async def jump_in_the_middle() -> None:
        for by in jumps:
            await house.time.parked()
            jump(house, by)
            house.time.advance(16)  # so that leases that are over are looked for
        await house.time.parked()

    house.employ(Outbound())  # takes without sending: all five shall share a request
    await house.take_many(5)
    meddling = Meddling(outbound, house.sandbox.url, 1, jump_in_the_middle)
    dispatcher = house.employ(outbound, destinations={"meta": meddling})
    await dispatcher.start()
    await house.live_through(100, 10)
    assert await house.states() == {"delivered": 5}
    attempts = [attempt for number in range(1, 6) for attempt in await house.attempts(number)]
    unknown = sum(attempt.outcome == "unknown" for attempt in attempts)
    assert unknown == (0 if jumps[0] < 0 and len(jumps) == 1 else 5)
    assert sum((await arrived(house)).values()) == 5 + unknown
    await dispatcher.stop(5)


@jumping
async def test_what_a_dead_process_had_in_hand_is_rescued_within_minutes(
    house: House, dispatcher: Dispatcher, jumps: tuple[int, ...]
) -> None:
    await house.rest()
    for by in jumps:
        await leave_behind(house, 2)
        jump(house, by)
    await house.live_through(100, 5)
    assert await house.states() == {"delivered": 2 * len(jumps)}
    assert [attempt.outcome for attempt in await house.attempts()] == ["unknown", "accepted"]


async def test_a_click_that_is_refused_is_remembered_for_a_day_by_no_clock_on_the_wall(
    house: House, dispatcher: Dispatcher
) -> None:
    await house.sandbox.put("state", {"settings": {"any_click": False}})
    await (await house.take()).wait(20)
    jump(house, 10 * DAY)
    await (await house.take()).wait(20)
    jump(house, -20 * DAY)
    await (await house.take()).wait(20)
    assert len(await house.sandbox.requests()) == 1
    assert await house.states() == {"dead(rejected)": 3}


@pytest.mark.parametrize("by", [DAY, -DAY])
async def test_leases_go_by_the_stores_clock_not_by_that_of_the_process(
    postgres_dsn: str, outbound: Outbound, by: int
) -> None:
    """A collector whose clock is a day wrong, on a PostgreSQL whose clock is right, neither rescues what is in hand nor lets events lie."""
    wrong = WallTime()
    wrong.ahead_ms = by * 1000
    with serving(create_sandbox(any_click=True)) as url:
        async with open_house(postgres_dsn, url, wrong) as house:
            await in_time(house, outbound)


async def in_time(house: House, outbound: Outbound) -> None:
    dispatcher = house.employ(outbound, alone=False, limits=Limits(chores_seconds=0.05, poll_seconds=0.05))
    await dispatcher.start()
    await house.sandbox.faults({"kind": "slow", "delay_ms": 400, "times": 1})
    first = await house.take(event_at=WallTime().clock())
    await house.take_many(10, leased=False, event_at=WallTime().clock())
    await house.until(lambda states: states == {"delivered": 11})
    verdict = await first.wait(20)
    assert verdict is None or verdict.attempts == 1
    assert dispatcher.facts()["rescued"] == 0
    assert await arrived(house) == dict.fromkeys(await house.deliveries(), 1)
    await dispatcher.stop(5)
