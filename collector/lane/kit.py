"""What every lane works with: the store, the directory, the clocks, the limits, the sockets they share, the counters."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Container, Mapping
from contextlib import asynccontextmanager
from typing import Final, Protocol, TypeVar

import msgspec

from collector.delivery import OnUnknown
from collector.destinations import Account, Destination
from collector.lane.clicks import RefusedClicks
from collector.lane.steady import SteadyClock
from collector.store.face import BusinessRow, Outbox
from collector.verdict import Verdicts

T = TypeVar("T")

SETTLING_MAX: Final = 500
"""Events whose outcomes are being written: two full commits. Small lanes share one, or each would wait for a commit of its own."""


class Directory(Protocol):
    """What delivery asks of the directory."""

    def business(self, business_id: str) -> BusinessRow | None:
        """The business, or None."""

    def channel(self, business_id: str, channel: str) -> Account | None:
        """Its channel with the token opened, or None where it is not set up."""

    async def refresh(self) -> None:
        """Notice what other processes changed."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Every number that bounds delivery.

    - `lane_events`: events that one lane holds, waiting or on their way; `claimed_events`: how many of them come from the backlog, the rest is
      room for fresh ones.
    - `events`: all lanes together. What a lane holds is leased: so many events are of unknown fate after a crash, at most.
    - `sockets`: requests on their way, all lanes together.
    - `lease_ms`: how long a claim is ours; longer than any request may take.
    - `linger_seconds`: how long a lane with many events on their way waits for company before the next request.
    - `poll_seconds`: how often the store is asked for deliveries that others put there.
    - `chores_seconds`: how often leases of the dead are looked for, and deadlines that have passed.
    - `refused_clicks`: click ids that Meta did not know, remembered for a day.
    """

    lane_events: int = 3000
    claimed_events: int = 2000
    events: int = 10_000
    sockets: int = 128
    lease_ms: int = 60_000
    linger_seconds: float = 0.002
    poll_seconds: float = 1.0
    chores_seconds: float = 15.0
    refused_clicks: int = 10_000


class Counters(msgspec.Struct):
    """What happened since the start, in events; `requests` and `bisections` (refused requests that were split) in requests."""

    requests: int = 0
    bisections: int = 0
    accepted: int = 0
    rejected: int = 0
    held: int = 0
    throttled: int = 0
    unavailable: int = 0
    unknown: int = 0
    not_sent: int = 0
    fenced: int = 0
    rescued: int = 0
    expired: int = 0

    def count(self, word: str) -> None:
        """One attempt ended with this word: an outcome's kind, or another that says that nothing was sent."""
        name = word if word in self.__struct_fields__ else "not_sent"
        setattr(self, name, getattr(self, name) + 1)


class Waiting(Protocol):
    """Whoever waits for a socket."""

    in_line: bool

    @property
    def patient(self) -> bool:
        """Whether others go first."""
        ...

    def pump(self) -> None:
        """Start what can be started now."""


class Sockets:
    """A fixed number of requests on their way. Lanes take turns, one request a turn; browsers' lanes let servers' lanes go first."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.free = limit
        self._lines: tuple[deque[Waiting], deque[Waiting]] = (deque(), deque())

    def take(self, lane: Waiting) -> bool:
        """Take one; without one the lane stands in line and is pumped when its turn comes."""
        if self.free > 0:
            self.free -= 1
            return True
        if not lane.in_line:
            lane.in_line = True
            self._lines[lane.patient].append(lane)
        return False

    def give(self) -> None:
        """Give one back; whoever is next uses it."""
        self.free += 1
        while self.free > 0 and (line := self._lines[0] or self._lines[1]):
            lane = line.popleft()
            lane.in_line = False
            lane.pump()


class Room:
    """So many may be inside at once; who comes first enters first. One who is more than all that alone."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._inside = 0
        self._line = asyncio.Lock()
        self._left = asyncio.Event()

    @asynccontextmanager
    async def hold(self, count: int) -> AsyncIterator[None]:
        """Be inside, `count` at once."""
        async with self._line:
            while self._inside and self._inside + count > self._most:
                self._left.clear()
                await self._left.wait()
            self._inside += count
        try:
            yield
        finally:
            self._inside -= count
            self._left.set()


class Patience:
    """Bounds every request on its way by one common end, which comes when a stop has waited long enough."""

    def __init__(self) -> None:
        self._limits: set[asyncio.Timeout] = set()

    async def bound(self, work: Awaitable[T]) -> T:
        """Wait for the work. Raises TimeoutError when patience ends before."""
        async with asyncio.timeout(None) as limit:
            self._limits.add(limit)
            try:
                return await work
            finally:
                self._limits.discard(limit)

    def end(self) -> None:
        """Wait no longer."""
        for limit in self._limits:
            limit.reschedule(0)


class Kit:
    """See above. `wake` calls the dispatcher; for a lane that is `behind` the store has more than it holds.

    `slots` counts the events that lanes hold or keep room for. `closing`: nothing more is begun.
    """

    def __init__(
        self,
        *,
        outbox: Outbox,
        directory: Directory,
        destinations: Mapping[str, Destination],
        verdicts: Verdicts,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        random: Callable[[], float],
        pause: Callable[[float], Awaitable[None]],
        limits: Limits,
        on_unknown: OnUnknown,
        wake: Callable[[], None],
        behind: Container[object],
    ) -> None:
        self.outbox = outbox
        self.directory = directory
        self.destinations = destinations
        self.verdicts = verdicts
        self.clock = clock
        self.monotonic = monotonic
        self.random = random
        self.pause = pause
        self.limits = limits
        self.on_unknown = on_unknown
        self.wake = wake
        self.behind = behind
        self.sockets = Sockets(limits.sockets)
        self.counters = Counters()
        self.clicks = RefusedClicks(limits.refused_clicks)
        self.steady = SteadyClock(clock(), self.elapsed_ms())
        self.patience = Patience()
        self.settling = Room(SETTLING_MAX)
        self.closing = False
        self.slots = 0
        self.empty = asyncio.Event()
        self.empty.set()

    def elapsed_ms(self) -> int:
        """Milliseconds by a clock that nobody sets: for spans that begin and end in this process."""
        return int(self.monotonic() * 1000)

    async def now_ms(self) -> int:
        """The store's clock: what is due goes by it."""
        now = await self.outbox.now_ms()
        self.steady.look(now, self.elapsed_ms())
        return now

    def steady_ms(self) -> int:
        """The time by which deadlines have passed: the earliest that may be true. (The process's own clock may just have gone back.)"""
        return min(self.clock(), self.steady.now(self.elapsed_ms()))

    def occupy(self, slots: int) -> None:
        """Count slots taken (or, negative, given back); `empty` is set while there are none."""
        self.slots += slots
        if self.slots:
            self.empty.clear()
        else:
            self.empty.set()
