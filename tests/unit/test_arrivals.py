"""What waited for a conversation is released behind the answer, by one look for many."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from collector import arrivals
from collector.arrivals import AT_ONCE, WAITING_MAX, Arrivals
from collector.errors import Unavailable
from collector.store.face import Wait

pytestmark = pytest.mark.anyio

Key = tuple[str, Wait]


def key(number: int) -> Key:
    return "shop", Wait(kind="mobile_number", id=str(number))


class Waiting:
    """Ledger and linker in one: events wait for the even numbers."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.looks: list[list[Key]] = []
        self.released: list[Key] = []
        self.changed = asyncio.Event()

    async def awaited(self, keys: Sequence[Key]) -> list[Key]:
        self.looks.append(list(keys))
        self.changed.set()
        if self.troubles:
            raise self.troubles.pop()
        return [each for each in keys if int(each[1].id) % 2 == 0]

    async def arrived(self, business_id: str, wait: Wait) -> None:
        self.released.append((business_id, wait))
        self.changed.set()

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not true():
                self.changed.clear()
                await self.changed.wait()


async def no_pause(seconds: float) -> None:
    await asyncio.sleep(0)


@pytest.fixture
async def waiting() -> Waiting:
    return Waiting()


def line(waiting: Any) -> Arrivals:
    return Arrivals(waiting, waiting, no_pause)


async def test_only_what_is_waited_for_is_released_and_nothing_twice(waiting: Waiting) -> None:
    arrived = line(waiting)
    for number in (1, 2, 3, 4, 2):
        arrived.add(*key(number))
    task = asyncio.create_task(arrived.run())
    await waiting.until(lambda: len(waiting.released) == 2)
    arrived.add(*key(6))
    await waiting.until(lambda: len(waiting.released) == 3)
    task.cancel()
    assert waiting.released == [key(2), key(4), key(6)]
    assert waiting.looks == [[key(1), key(2), key(3), key(4)], [key(6)]]


async def test_a_long_line_is_looked_at_in_pieces_and_what_is_beyond_it_left_out(waiting: Waiting) -> None:
    arrived = line(waiting)
    for number in range(WAITING_MAX + 5):
        arrived.add(*key(2 * number))
    task = asyncio.create_task(arrived.run())
    await waiting.until(lambda: len(waiting.released) >= WAITING_MAX)
    assert {len(look) for look in waiting.looks} == {AT_ONCE}
    later = key(-2)
    arrived.add(*later)
    await waiting.until(lambda: waiting.released[-1] == later)
    task.cancel()
    assert key(2 * WAITING_MAX) not in waiting.released


@pytest.mark.parametrize(
    ("trouble", "level"), [(Unavailable("away"), "WARNING"), (KeyError("a fault of ours"), "ERROR")]
)
async def test_a_look_that_fails_is_told_and_followed_by_the_next(
    trouble: Exception, level: str, caplog: pytest.LogCaptureFixture
) -> None:
    waiting = Waiting(trouble)
    arrived = line(waiting)
    arrived.add(*key(2))
    with caplog.at_level(logging.WARNING, logger=arrivals.__name__):
        task = asyncio.create_task(arrived.run())
        await waiting.until(lambda: len(waiting.looks) == 1)
        arrived.add(*key(4))
        await waiting.until(lambda: bool(waiting.released))
        task.cancel()
    assert waiting.released == [key(4)]
    assert [record.levelname for record in caplog.records] == [level]
