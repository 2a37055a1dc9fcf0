"""One channel's queue towards its destination.

What waits while requests are on their way travels in the next one: no timer when idle, no event alone in a request when there is load. How many
requests may be on their way grows with success and shrinks with trouble and idleness, so that a revoked token costs a few requests, not many.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Sequence
from typing import Final

import msgspec

from collector.delivery import REFUSALS_ALIKE_MAX, HoldReason, LaneName, Outcome, State, hold_reason
from collector.destinations import Account, Destination
from collector.lane.batch import Batch, Claim, release
from collector.lane.circuit import Circuit, Mode
from collector.lane.hold import Holds
from collector.lane.kit import Counters, Directory, Kit, Limits
from collector.options import envelope
from collector.store.face import StoredEvent

LOG = logging.getLogger(__name__)

IDLE_SECONDS: Final = 1.0
"""After so long without a request a lane begins carefully again."""

PROBE_EVENTS: Final = 1

MANY_EVENTS: Final = 128
"""So many on their way, and a lane has fewer and larger requests."""

FEWER: Final = 16
"""So many times fewer."""

FEWEST: Final = 2
"""But not one alone: a search for a bad event, which takes many requests in a row, must not stop its lane."""


class Lane:
    """Holds claimed events and starts requests. Everything but the requests themselves happens at once, on the event loop."""

    def __init__(self, kit: Kit, holds: Holds, name: LaneName, destination: Destination) -> None:
        self.name = name
        self.in_line = False
        self.patient = name.source == "browser"
        self.circuit = Circuit(kit.random)
        self._kit = kit
        self._holds = holds
        self._destination = destination
        self._waiting: deque[Claim] = deque()
        self._reserved = 0
        self._carried = 0
        self._on_way = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.Handle | None = None
        self._sent_at = float("-inf")
        self._refusal: tuple[object, ...] = ()
        self._refusals = 0
        self._doubtful: list[Claim] = []
        self._window_first = 1 if self.patient else 2
        self._window_max = max(destination.requests_max // (4 if self.patient else 1), self._window_first)
        self._window = self._window_first
        self._claims_max = min(kit.limits.claimed_events, max(2 * destination.batch_max, 4 * destination.requests_max))

    @property
    def slots(self) -> int:
        """Events that the lane holds or keeps room for."""
        return self._reserved + len(self._waiting) + self._carried

    def mode(self) -> Mode:
        """What may be sent now."""
        held = self._holds.mode(self.name)
        if self._kit.closing or held == "stop":
            return "stop"
        mode = self.circuit.mode(self._kit.monotonic())
        return held if mode == "flow" else mode

    # -- slots: for fresh events, and for claims

    def reserve(self) -> bool:
        """Keep room for an event that is about to be committed; False when there is none, or nothing may be sent."""
        if self.slots >= self._kit.limits.lane_events or self.mode() != "flow":
            return False
        self.occupy(1)
        return True

    def occupy(self, slots: int) -> None:
        """Keep room for so many claims; a negative number gives it back."""
        self._reserved += slots
        self._kit.occupy(slots)

    def give_back(self, doubtful: StoredEvent | None) -> None:
        """A slot that is not needed. An event that may have been committed, leased to us, goes back to the store first: nobody has sent it."""
        if doubtful is None:
            self.occupy(-1)
            return
        self._doubtful.append(Claim(doubtful, "first", 0.0))
        if len(self._doubtful) == 1:  # those of one commit go together
            asyncio.get_running_loop().call_soon(self._return)

    def _return(self) -> None:
        claims, self._doubtful = self._doubtful, []
        self._reserved -= len(claims)
        self._spawn(self._give_up(claims), len(claims))

    def room(self) -> int:
        """How many claims are worth asking the store for: enough to fill requests, or none."""
        mode = self.mode()
        if mode != "flow":
            return PROBE_EVENTS if mode == "probe" and not self.slots else 0
        limits = self._kit.limits
        fresh = limits.lane_events - limits.claimed_events
        free = min(self._claims_max - self.slots, limits.events - fresh - self._kit.slots)
        return free if free >= self._claims_max // 4 or (free > 0 and not self.slots) else 0

    def accept(self, claims: Sequence[Claim]) -> None:
        """Take claims into the room that was kept for them."""
        self._reserved -= len(claims)
        self._waiting.extend(claims)
        if self._timer is not None or not claims:
            return
        loop = asyncio.get_running_loop()
        if self._crowded():
            self._timer = loop.call_later(self._kit.limits.linger_seconds, self.pump)
        else:  # all that is handed over in this turn of the loop still joins
            self._timer = loop.call_soon(self.pump)

    # -- requests

    def pump(self) -> None:
        """Start as many requests as may be on their way now. What may not be sent at all goes back to the store."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now = self._kit.monotonic()
        if not self._on_way and now - self._sent_at > IDLE_SECONDS:
            self._window = self._window_first
        while self._waiting:
            account = self._account()
            mode = self.mode()
            if account is None or mode == "stop":
                self._shed()
                return
            if self._on_way >= (1 if mode == "probe" else self._most()) or not self._kit.sockets.take(self):
                return
            self._sent_at = now
            self._on_way += 1
            claims = self._take(PROBE_EVENTS if mode == "probe" else self._destination.batch_max)
            batch = Batch(self._kit, self.name, self._destination, account, self.hear)
            self._spawn(self._carry(batch, claims), len(claims))

    def _most(self) -> int:
        """How many requests may be on their way."""
        return min(self._window, max(self._window // FEWER, FEWEST)) if self._crowded() else self._window

    def _crowded(self) -> bool:
        """While few events are on their way, none waits for company or for another's answer; of many, fewer and larger requests cost less and
        delay little."""
        return self._destination.batch_max > 1 and self._carried >= MANY_EVENTS

    def _account(self) -> Account | None:
        """The channel, if it can be used; else it is held."""
        account = self._kit.directory.channel(self.name.business_id, self.name.channel)
        if account is not None and not account.held and account.token:
            return account
        reason: HoldReason = "channel" if account is None else hold_reason(account.held or "token")
        self._holds.place(self.name, reason)
        return None

    def _take(self, most: int) -> list[Claim]:
        """The first claims in line that may share a request: test events never travel with live ones."""
        claims = [self._waiting.popleft()]
        shared = envelope(claims[0].stored.event)
        while self._waiting and len(claims) < most and envelope(self._waiting[0].stored.event) == shared:
            claims.append(self._waiting.popleft())
        return claims

    def _spawn(self, work: Coroutine[None, None, None], events: int) -> None:
        self._carried += events
        task = asyncio.create_task(self._see_through(work, events), name=str(self.name))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _see_through(self, work: Coroutine[None, None, None], events: int) -> None:
        try:
            await work
        except Exception:  # a fault of ours must not stop the lane: what it held is leased, and rescued
            LOG.exception("a batch failed", extra={"lane": str(self.name)})
        finally:
            self._carried -= events
            self._kit.occupy(-events)
            if self in self._kit.behind and self.room():
                self._kit.wake()

    async def _carry(self, batch: Batch, claims: Sequence[Claim]) -> None:
        try:
            await batch.run(claims)
        finally:
            self._on_way -= 1
            self._kit.sockets.give()
            self.pump()

    def _shed(self) -> None:
        """Give everything that waits back to the store."""
        claims = list(self._waiting)
        self._waiting.clear()
        self._spawn(self._give_up(claims), len(claims))

    async def _give_up(self, claims: Sequence[Claim]) -> None:
        await release(self._kit, claims)
        reason = self._holds.reason(self.name)
        if reason is not None:
            await self._holds.commit(self.name)
        state: State = "held" if reason else "pending"
        for claim in claims:  # their callers need not wait for what will not come
            self._kit.verdicts.settled(
                msgspec.structs.replace(claim.delivery, state=state, reason=reason, lease_ms=None)
            )

    def hear(self, outcome: Outcome, events: int) -> Outcome:
        """Learn from the outcome of a request of so many events (0: known without one). Returns it, or what it is, seen with others."""
        if outcome.kind == "rejected" and events == 1:
            outcome = self._weigh(outcome)
        if outcome.kind == "held":
            self._holds.place(self.name, outcome.hold or "channel")
        if events:
            self.circuit.hear(outcome, self._kit.monotonic())
        if outcome.kind == "accepted":
            self._refusals = 0
            self._window = self._window_max
        elif outcome.kind != "rejected":
            self._window = self._window_first
        if outcome.kind == "accepted" or outcome.names_event:  # either way the channel was let in
            self._holds.prove(self.name)
        if self._waiting and self.mode() == "stop":
            self._shed()
        return outcome

    def _weigh(self, outcome: Outcome) -> Outcome:
        """One event refused is its own fault; many in a row, all alike, by a code that names no event, are the channel's."""
        if outcome.names_event:
            self._refusals = 0
            return outcome
        alike = (outcome.http_status, outcome.code, outcome.subcode, None if outcome.code else outcome.message)
        self._refusals = self._refusals + 1 if alike == self._refusal else 1
        self._refusal = alike
        if self._refusals < REFUSALS_ALIKE_MAX:
            return outcome
        return msgspec.structs.replace(outcome, kind="held", scope="channel", hold="channel")

    async def finished(self) -> None:
        """Wait for all that was begun."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def cancel(self) -> None:
        """Drop everything; what is leased stays so."""
        for task in self._tasks:
            task.cancel()


__all__ = ["Claim", "Counters", "Directory", "Holds", "Kit", "Lane", "Limits"]
