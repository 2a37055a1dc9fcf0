"""A process that ends at its n-th call of the store or of a destination, for every n until a run never gets so far: a fresh one finishes the work."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.attribution import Click
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.dispatcher import Dispatcher
from collector.sandbox import create_sandbox
from tests.delivery.clocks import WallTime
from tests.delivery.house import SHOP, House, open_house
from tests.integration.outage import lapse_leases
from tests.processes import serving

EVENTS, POISON = 6, 1
"""Events of each run, and which of them Meta refuses; half of them are handed over leased, the others are found by a claim."""
POINTS_MOST = 200
OVER = {"delivered", "dead(rejected)"}


def over(states: dict[str, int]) -> bool:
    return OVER.issuperset(states)


class Crash(Exception):
    """The process ends here."""


class Point:
    """Ends everything at the n-th call: that call still takes effect, nobody hears of it, and no call after it is made."""

    def __init__(self, number: int) -> None:
        self._left = number
        self.reached = asyncio.Event()
        self.calls: list[str] = []

    def guard(self, part: Any) -> Any:
        """The same part, whose calls count."""
        return _Guarded(part, self)

    async def pass_through(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        if self.reached.is_set():
            raise Crash
        self._left -= 1
        self.calls.append(name)
        if self._left == 0:
            self.reached.set()
        answer = await call()
        if self.reached.is_set():
            raise Crash
        return answer


class _Guarded:
    def __init__(self, part: Any, point: Point) -> None:
        self._part = part
        self._point = point

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not iscoroutinefunction(found):
            return found

        async def guarded(*given: Any) -> Any:
            return await self._point.pass_through(name, lambda: found(*given))

        return guarded


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    with serving(create_sandbox()) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    return str(request.getfixturevalue("postgres_dsn")) if request.param == "postgres" else tmp_path / "store.db"


def victim(house: House, point: Point) -> House:
    """The same house, as it is seen by a process that will end at the point."""
    store = msgspec.structs.replace(house.store, ledger=point.guard(house.store.ledger))
    doomed = House(store, point.guard(house.outbox), house.directory, house._vault, house.sandbox)
    doomed.time, doomed.numbered_from = house.time, house.numbered_from
    return doomed


async def end(dispatcher: Dispatcher) -> None:
    """As a process ends: whatever it was at is dropped."""
    if dispatcher._loop is not None:
        dispatcher._loop.cancel()
    for lane in dispatcher._lanes.values():
        lane.cancel()
        await lane.finished()


async def live(house: House, outbound: Outbound, point: Point, alone: bool) -> list[str]:
    """One process's life: until the point, or until all events came to their end; gives the event ids that it acknowledged."""
    doomed = victim(house, point)
    meta = point.guard(Meta(outbound, house.sandbox.url, "v25.0", "collector"))
    dispatcher = doomed.employ(outbound, alone=alone, destinations={"meta": meta})
    await dispatcher.start()
    acknowledged: list[str] = []

    async def take(number: int) -> None:
        click = f"AfgBad{number}" if number % EVENTS == POISON else "AfgGood"
        with suppress(Crash):
            await doomed.take(
                leased=number % 2 == 0, id=f"{number:032x}", event_id=f"order-{number}", click=Click(ctwa_clid=click)
            )
            acknowledged.append(f"order-{number}")

    first = house.numbered_from
    house.numbered_from += EVENTS
    await asyncio.gather(*(take(number) for number in range(first, first + EVENTS)))
    ends = [asyncio.create_task(each) for each in (point.reached.wait(), house.until(over))]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for each in ends:
        each.cancel()
    await end(dispatcher)
    return acknowledged


async def finish(house: House, outbound: Outbound, database: Path | str) -> None:
    """What a fresh process makes of it."""
    alone = isinstance(database, Path)
    if not alone:
        await asyncio.to_thread(lapse_leases, str(database))
    dispatcher = house.employ(outbound, alone=alone)
    await dispatcher.start()
    await house.until(over)
    await dispatcher.stop(5)


async def check(house: House, first: int, acknowledged: list[str], point: str) -> None:
    """Every acknowledged event is there, arrived, and was never sent again after it was accepted; numbers have no gaps; doubles are explained."""
    kept = {
        name: each for name, each in (await house.deliveries()).items() if int(name.removeprefix("order-")) >= first
    }
    arrived = Counter(await house.sandbox.accepted())
    assert kept.keys() >= set(acknowledged), point
    for name, each in kept.items():
        attempts = await house.store.ledger.attempts(SHOP, each.id)
        outcomes = [attempt.outcome for attempt in attempts]
        assert [attempt.number for attempt in attempts] == list(range(1, each.attempts + 1)), point
        assert each.state == ("dead" if int(name.removeprefix("order-")) % EVENTS == POISON else "delivered"), point
        assert outcomes[-1] == ("rejected" if each.state == "dead" else "accepted"), point
        assert outcomes.count("accepted") <= 1, point
        assert (arrived[name] > 0) is (each.state == "delivered"), point
        assert arrived[name] <= 1 + outcomes.count("unknown"), point


async def test_whatever_call_was_the_last_a_fresh_process_finishes_the_work(
    database: Path | str, sandbox_url: str
) -> None:
    async with open_house(database, sandbox_url, WallTime()) as house, Outbound() as outbound:
        await house.sandbox.put("state", {"settings": {"any_click": False}, "clicks": {"AfgGood": {}}})
        ended: Counter[str] = Counter()
        for number in range(1, POINTS_MOST):
            first, point = house.numbered_from, Point(number)
            acknowledged = await live(house, outbound, point, isinstance(database, Path))
            await finish(house, outbound, database)
            await check(house, first, acknowledged, f"call {number}, {point.calls[-1]}")
            if not point.reached.is_set():
                break
            ended[point.calls[-1]] += 1
        assert not point.reached.is_set()
        assert ended.keys() >= {"take", "send", "settle"}  # the order of the others differs from run to run
