"""Finds what is due, claims it, gives it to its lane; rescues what the dead left behind; buries what is too late; stops without losing."""

import asyncio
import logging
import random as chance
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, Final

from collector.delivery import LaneName, OnUnknown, Trigger, hold_reason
from collector.destinations import Destination
from collector.errors import Unavailable
from collector.lane import Claim, Directory, Holds, Kit, Lane, Limits
from collector.lane.batch import SETTLE_SECONDS
from collector.lane.chores import Chores
from collector.store.face import LaneDue, Outbox, StoredEvent
from collector.verdict import Verdicts

LOG = logging.getLogger(__name__)

CLAIMS_AT_ONCE: Final = 16
BREATH_SECONDS: Final = 0.02
"""The least pause between two looks at the store that nothing asked for."""

LOOK_SECONDS: Final = 0.25
"""How long the store need not be asked what else is due, while lanes are behind: who asks walks past all that was settled and not swept yet."""

COMMIT_SECONDS: Final = 10.0
"""A row that is inserted leased may have waited so long for its commit: that much of its lease may be over when it is handed over."""


async def wait_for(event: asyncio.Event, seconds: float) -> None:
    """Return when the event is set, or after the seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


class Dispatcher:
    """The lanes of this process.

    `alone`: no other process sends from this store (SQLite), so whatever is found leased at the start was left behind. `on_unknown`: what to do
    with an event that may have arrived. `clock` is UTC ms, `monotonic` seconds; they, `random`, `pause` and `wait` are given for tests.

    Raises ValueError where a lease could end before the longest request does.
    """

    def __init__(
        self,
        outbox: Outbox,
        directory: Directory,
        destinations: Mapping[str, Destination],
        verdicts: Verdicts,
        *,
        alone: bool,
        on_unknown: OnUnknown = "retry",
        limits: Limits | None = None,
        clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = chance.random,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        wait: Callable[[asyncio.Event, float], Awaitable[None]] = wait_for,
    ) -> None:
        self._wake = asyncio.Event()
        self._behind: dict[Lane, None] = {}  # the store has more for them than they hold; in the order of their turns
        self._kit = Kit(
            outbox=outbox,
            directory=directory,
            destinations=destinations,
            verdicts=verdicts,
            clock=clock,
            monotonic=monotonic,
            random=random,
            pause=pause,
            limits=limits or Limits(),
            on_unknown=on_unknown,
            wake=self._wake.set,
            behind=self._behind,
        )
        longest = max((each.seconds for each in destinations.values()), default=0.0)
        if self._kit.limits.lease_ms / 1000 <= longest + SETTLE_SECONDS + COMMIT_SECONDS:
            raise ValueError("the lease must be longer than a request and its commits")
        self._holds = Holds(outbox, directory, monotonic, self._wake.set)
        self._chores = Chores(self._kit, self._holds, self._lane)
        self._alone = alone
        self._wait = wait
        self._lanes: dict[str, Lane] = {}
        self._strange: set[str] = set()
        self._look_at = 0.0
        self._chores_at = 0.0
        self._serving = False
        self._stopping = False
        self._loop: asyncio.Task[None] | None = None

    # -- the intake's side

    def reserve(self, lane: str) -> bool:
        """Keep a slot of this lane for an event about to be committed as leased. False: commit it as pending, and `nudge`."""
        if not self._serving or self._kit.slots >= self._kit.limits.events:
            return False
        found = self._lane(lane)
        return found is not None and found.reserve()

    def paused(self, lane: str) -> bool:
        """Whether nothing is sent on this lane for a while, because its destination is in trouble. (What is held is told at once.)"""
        found = self._lanes.get(lane)
        return found is not None and not self._holds.reason(found.name) and found.mode() == "stop"

    def give_back(self, lane: str, doubtful: StoredEvent | None = None) -> None:
        """The slot is not needed: the commit failed, or the event was another's. Where it may have been committed, it is `doubtful`."""
        self._lanes[lane].give_back(doubtful)

    def hand_over(self, stored: StoredEvent) -> None:
        """The event is committed, leased to us: send it. Uses the reserved slot."""
        delivery = stored.delivery
        lease = (delivery.lease_ms or self._kit.limits.lease_ms) / 1000
        ends_at = self._kit.monotonic() + lease - COMMIT_SECONDS
        self._kit.verdicts.here(delivery.business_id, delivery.id)
        trigger: Trigger = "first" if delivery.attempts == 1 else "corrected"
        self._lanes[delivery.lane].accept([Claim(stored, trigger, ends_at)])

    def nudge(self, lane: str) -> None:
        """A pending delivery was committed."""
        found = self._lane(lane) if self._serving else None
        if found is not None:
            self._behind[found] = None
            if found.room() or self._holds.reason(found.name):  # what slips into a held channel is held at once
                self._wake.set()

    # -- life

    async def start(self, held: Iterable[tuple[LaneName, str]] = ()) -> None:
        """Take over what a dead process left behind, then serve.

        `held` is for `learn`.
        """
        self.learn(held)
        await self._attempt(lambda: self._take_over(self._chores.rescue))
        self._loop = asyncio.create_task(self._run(), name="dispatcher")

    def learn(self, held: Iterable[tuple[LaneName, str]]) -> None:
        """Take to heart what the store says of held channels: a lane of each, and the reason.

        Another process may have held them, or this one before its end; they are probed like those that are held here.
        """
        for name, reason in held:
            self._holds.place(name, hold_reason(reason), committed=True)

    async def stop(self, grace_seconds: float) -> None:
        """Claim no more, finish what is in hand; after the grace give back what waits and settle what is on its way as unknown.

        Close the web edge before: its callers hear their verdicts meanwhile.
        """
        self._stopping, self._serving = True, False
        self._wake.set()
        if self._loop is not None:
            await self._loop
        await self._wait(self._kit.empty, grace_seconds)
        self._kit.closing = True
        self._kit.patience.end()
        for lane in self._lanes.values():
            lane.pump()
        await self._wait(self._kit.empty, SETTLE_SECONDS)
        for lane in self._lanes.values():
            lane.cancel()
            await lane.finished()

    def facts(self) -> dict[str, Any]:
        """Counters and gauges, for readiness and metrics."""
        now = self._kit.monotonic()
        return {
            "serving": self._serving,
            "events_in_hand": self._kit.slots,
            "requests_on_way": self._kit.sockets.limit - self._kit.sockets.free,
            "lanes": len(self._lanes),
            "lanes_paused": sum(lane.circuit.mode(now) != "flow" for lane in self._lanes.values()),
            "channels_held": len(self._holds),
            "waiters": len(self._kit.verdicts),
            **{name: getattr(self._kit.counters, name) for name in self._kit.counters.__struct_fields__},
        }

    # -- the loop

    async def _run(self) -> None:
        while not self._stopping:
            self._wake.clear()
            seconds = await self._attempt(self._round)
            if not self._stopping:
                await self._wait(self._wake, max(seconds or BREATH_SECONDS, BREATH_SECONDS))

    async def _attempt(self, work: Callable[[], Awaitable[float]]) -> float:
        """Do the work; where the store is away, or we are at fault, come back later. Returns the seconds to wait."""
        try:
            return await work()
        except Unavailable as error:
            LOG.warning("the store cannot be asked: %s", error)
        except Exception:  # the loop must go on: whatever it is, the next round finds everything in the store
            LOG.exception("a round failed")
        return self._kit.limits.poll_seconds

    async def _take_over(self, chores: Callable[[bool], Awaitable[None]]) -> float:
        """See to chores. Where nobody else can be sending, whatever is leased at the start was left behind."""
        await chores(self._alone and not self._serving)
        self._serving = not self._stopping
        return 0.0

    async def _round(self) -> float:
        """Claim for every lane that has room. Returns the seconds until something is due that we know of."""
        if self._kit.monotonic() >= self._chores_at:
            await self._take_over(self._chores.see_to)
            self._chores_at = self._kit.monotonic() + self._kit.limits.chores_seconds
        now = self._kit.monotonic()
        soon = self._look_at - now
        if soon <= 0 or not any(lane.room() for lane in self._behind):
            soon = await self._look()
            self._look_at = now + LOOK_SECONDS
        ready = [lane for lane in self._behind if lane.room()]
        share = max(1, (self._kit.limits.events - self._kit.slots) // max(1, len(ready)))
        for start in range(0, len(ready), CLAIMS_AT_ONCE):
            await asyncio.gather(*(self._claim(lane, share) for lane in ready[start : start + CLAIMS_AT_ONCE]))
        return soon

    async def _look(self) -> float:
        """Ask the store which lanes are behind. Returns the seconds until something else is due."""
        soon = self._kit.limits.poll_seconds
        self._behind.clear()
        due = await self._kit.outbox.due()
        soon = min(soon, await self._holds.review())  # loads the directory: newer than what was just read
        now = await self._kit.now_ms()
        for each in sorted(due, key=_turn):
            lane = self._lane(each.lane)
            if lane is None:
                continue
            if each.due_at > now:
                soon = min(soon, (each.due_at - now) / 1000)
            elif self._holds.reason(lane.name):
                await self._holds.commit(lane.name)  # it was committed while we held the channel: hold it too
            else:
                self._behind[lane] = None
                if lane.mode() == "stop":
                    soon = min(soon, (lane.circuit.opens_at or 0.0) - self._kit.monotonic())
        return soon

    async def _claim(self, lane: Lane, share: int) -> None:
        """Claim for one lane, no more than its share of the room that all have together: a great backlog leaves some to the others."""
        most, began = min(lane.room(), share), self._kit.monotonic()
        if not most:
            return
        lane.occupy(most)
        self._behind.pop(lane, None)
        claims: list[Claim] = []
        try:
            lease_ms = self._kit.limits.lease_ms
            for stored in await self._kit.outbox.claim(str(lane.name), most, lease_ms):
                own: Trigger = "first" if stored.delivery.attempts == 1 else "scheduled"
                claims.append(Claim(stored, stored.delivery.trigger or own, began + lease_ms / 1000))
                self._kit.verdicts.here(stored.delivery.business_id, stored.delivery.id)
        finally:
            if len(claims) == most:
                self._behind[lane] = None
            lane.occupy(len(claims) - most)
            lane.accept(claims)
            if len(claims) < most and lane in self._behind and lane.room():
                self._wake.set()  # a nudge found no room, because we kept it

    def _lane(self, text: str) -> Lane | None:
        """The lane of this name; None where the name or its destination is none of ours (a row edited by hand)."""
        lane = self._lanes.get(text)
        if lane is None and text not in self._strange:
            try:
                name = LaneName.parse(text)
                lane = self._lanes[text] = Lane(self._kit, self._holds, name, self._kit.destinations[name.destination])
            except (ValueError, KeyError):
                self._strange.add(text)
                LOG.error("no such lane, its deliveries stay: %s", text)
        return lane


def _turn(due: LaneDue) -> tuple[bool, int]:
    """Servers' lanes before browsers', then who has waited longest."""
    return due.lane.endswith(":browser"), due.due_at
