"""Time for delivery: the test's own, which moves only when it says so, and the real one."""

import asyncio
import time
from math import ceil

from collector.dispatcher import wait_for
from collector.store.opening import wall_clock

START_MS = 1_795_168_800_000


class Time:
    """Wall clock and monotonic clock that move only when the test says so. `ahead_ms` is what the wall clock shows too much."""

    def __init__(self, ms: int = START_MS) -> None:
        self._ms = ms
        self.ahead_ms = 0
        self._moved = asyncio.Event()
        self._parked = asyncio.Event()
        self._waiting: dict[int, tuple[asyncio.Event, float]] = {}

    def clock(self) -> int:
        return self._ms + self.ahead_ms

    def monotonic(self) -> float:
        return self._ms / 1000

    def advance(self, seconds: float) -> None:
        self._ms += round(seconds * 1000)
        self._moved.set()
        self._moved = asyncio.Event()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """As the dispatcher waits: for its event, or until the test has moved the clock so far."""
        until = self.monotonic() + seconds
        while not event.is_set() and self.monotonic() < until:
            waits = [asyncio.create_task(each.wait()) for each in (event, self._moved)]
            self._waiting[id(event)] = (event, until)
            self._parked.set()
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()
        self._waiting.pop(id(event), None)

    async def pause(self, seconds: float) -> None:
        """As everybody else waits before trying again: that time passes by itself."""
        self.advance(seconds)
        await asyncio.sleep(0)

    def skip(self) -> None:
        """Move on to the instant that the next one waits for."""
        now = self.monotonic()
        until = min(until for event, until in self._waiting.values() if not event.is_set() and now < until)
        self.advance(ceil((until - now) * 1000) / 1000)

    async def parked(self) -> None:
        """Returns when somebody waits for nothing but the clock or a call."""
        while not self.is_parked():
            self._parked.clear()
            await self._parked.wait()

    def is_parked(self) -> bool:
        now = self.monotonic()
        return any(not event.is_set() and now < until for event, until in self._waiting.values())


class WallTime(Time):
    """Time as it passes."""

    def clock(self) -> int:
        return wall_clock() + self.ahead_ms

    def monotonic(self) -> float:
        return time.monotonic()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        await wait_for(event, seconds)

    async def pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
