"""One attempt at some events of a lane: form the request, send it, read the answer, split a refused batch, settle."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, NamedTuple, TypeVar

import msgspec

from collector.delivery import UNKNOWN_CLICK, Decision, LaneName, Outcome, Trigger, decide
from collector.destinations import Account, Answer, Destination
from collector.errors import Unavailable
from collector.event import Event
from collector.lane.kit import Kit
from collector.options import envelope
from collector.store.face import Attempt, Delivery, Settlement, StoredEvent

LOG = logging.getLogger(__name__)

SETTLE_SECONDS: Final = 5.0
"""What must be left of a lease beyond the longest request, to write down what came of it."""

SETTLED_AT_ONCE: Final = 250
"""Events settled in one call: lanes must not fill the writer's queue, which fresh events need too."""

T = TypeVar("T")


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A delivery in our hands until `ends_at` (monotonic seconds)."""

    stored: StoredEvent
    trigger: Trigger
    ends_at: float

    @property
    def delivery(self) -> Delivery:
        """The claimed delivery: its attempt number is the fence."""
        return self.stored.delivery


class Ending(msgspec.Struct, frozen=True, gc=False):
    """How an attempt ends for one event. `word` is what its row says: the outcome's kind, or why nothing was sent."""

    claim: Claim
    outcome: Outcome
    decision: Decision
    word: str


class Asked(NamedTuple):
    """What one request came to."""

    outcome: Outcome
    at: int
    answer: str | None = None
    duration_ms: int | None = None


class Batch:
    """Delivers claims that share a lane, an account and an envelope. Whatever happens, each is settled or released.

    `hear` takes every outcome of a request with the number of its events, and may make it one of wider scope.
    """

    def __init__(
        self,
        kit: Kit,
        name: LaneName,
        destination: Destination,
        account: Account,
        hear: Callable[[Outcome, int], Outcome],
    ) -> None:
        self._kit = kit
        self._name = name
        self._destination = destination
        self._account = account
        self._where = f"{name.prefix}{account.dataset_id}"
        self._hear = hear
        self._code: str | None = None
        self._trouble: Outcome | None = None

    async def run(self, claims: Sequence[Claim]) -> None:
        """Settle or release them all. Raises nothing but cancellation, after which they stay leased until the rescue."""
        shared = envelope(claims[0].stored.event)
        if shared.test:
            business = self._kit.directory.business(self._name.business_id)
            self._code = shared.test_event_code or (business.test_event_code if business else None)
        if fit := await self._sort_out(claims):
            await self._deliver(fit)

    async def _sort_out(self, claims: Sequence[Claim]) -> list[Claim]:
        """The claims that may be sent now. The others end here without a request: it is too late for them, or their outcome is known."""
        now, steady, elapsed = self._kit.clock(), self._kit.steady_ms(), self._kit.elapsed_ms()
        fit: list[Claim] = []
        endings: list[Ending] = []
        for claim in claims:
            event = claim.stored.event
            known = self._destination.check(event, self._account)
            if known is None and claim.delivery.attempts == 1:  # whoever tries again wants to hear it again
                known = self._kit.clicks.recall(self._where, event.click.ctwa_clid, elapsed)
            if claim.delivery.deadline_at <= steady:
                late = Outcome(kind="rejected", scope="event", message="too old to be sent")
                endings.append(Ending(claim, late, Decision("dead", "expired", now), "expired"))
            elif event.consent == "denied":  # since it was tried before
                unwanted = Outcome(kind="rejected", scope="event", message="the visitor denied consent")
                endings.append(Ending(claim, unwanted, Decision("dead", "consent", now), "not_sent"))
            elif event.test and not (self._code and self._destination.takes_tests):
                mute = Outcome(kind="rejected", scope="event", message="a test event, and no test code to send it with")
                endings.append(Ending(claim, mute, Decision("dead", "test", now), "test"))
            elif known is not None:
                if known.kind == "held":
                    self._hear(known, 0)
                endings.append(self._ending(claim, known, now, steady, "not_sent"))
            else:
                fit.append(claim)
        await self._settle(endings, Asked(Outcome(kind="rejected", scope="event"), now))
        return fit

    async def _deliver(self, claims: Sequence[Claim]) -> None:
        """Send the claims; where they are refused together, each half by itself, until the bad ones stand alone."""
        if self._trouble is not None:  # neither a throttle nor an outage nor a held channel is a reason to go on asking
            await self._end(claims, Asked(self._trouble, self._kit.clock()))
            return
        ends_at = min(claim.ends_at for claim in claims)
        if self._kit.closing or ends_at - self._kit.monotonic() < self._destination.seconds + SETTLE_SECONDS:
            await release(self._kit, claims)
            return
        asked = await self._ask(claims)
        if asked.outcome.kind != "rejected" or len(claims) == 1:
            await self._end(claims, asked)
            return
        self._kit.counters.bisections += 1
        LOG.info("a request is refused and split", extra=_why(self._name, asked.outcome, len(claims)))
        half = (len(claims) + 1) // 2
        await self._deliver(claims[:half])
        await self._deliver(claims[half:])

    async def _ask(self, claims: Sequence[Claim]) -> Asked:
        kit, at, began = self._kit, self._kit.clock(), self._kit.monotonic()
        try:
            events = [_past(claim.stored.event, at) for claim in claims]
            wire = self._destination.to_wire(events, self._account, self._code)
        except ValueError as error:  # a row that somebody edited: the batch is split until it stands alone
            message = f"no request can be made of it: {error}"
            return Asked(Outcome(kind="rejected", scope="event", message=message), at)
        kit.counters.requests += 1
        try:
            answer = await kit.patience.bound(self._destination.send(wire))
        except TimeoutError:
            answer = Answer(lost="unknown", error="given up: the process stops")
        outcome = self._destination.read(answer, len(claims))
        if outcome.kind == "held" and self._replaced():  # the refusal is not about the channel as it is now
            outcome = msgspec.structs.replace(outcome, kind="unavailable", scope="app", hold=None)
        outcome = self._hear(outcome, len(claims))
        if outcome.kind == "unknown":  # what has not been in this request is no part of its uncertainty
            self._trouble = msgspec.structs.replace(outcome, kind="unavailable", scope="app")
        elif outcome.kind in ("held", "throttled", "unavailable"):
            self._trouble = outcome
        elif (outcome.code, outcome.subcode) == UNKNOWN_CLICK and len(claims) == 1:
            self._kit.clicks.remember(self._where, claims[0].stored.event.click.ctwa_clid, outcome, kit.elapsed_ms())
        return Asked(outcome, at, answer.kept, round((kit.monotonic() - began) * 1000))

    def _replaced(self) -> bool:
        """Whether the channel has got another token, dataset or account since the request was made."""
        used, now = self._account, self._kit.directory.channel(self._name.business_id, self._name.channel)
        return now is not None and (used.token, used.dataset_id, used.asset_id) != (
            now.token,
            now.dataset_id,
            now.asset_id,
        )

    async def _end(self, claims: Sequence[Claim], asked: Asked) -> None:
        """Every one of the claims ends its attempt with this outcome."""
        now, steady, outcome = self._kit.clock(), self._kit.steady_ms(), asked.outcome
        await self._settle([self._ending(claim, outcome, now, steady, outcome.kind) for claim in claims], asked)

    def _ending(self, claim: Claim, outcome: Outcome, now: int, steady: int, word: str) -> Ending:
        kit, delivery = self._kit, claim.delivery
        deadline = now + delivery.deadline_at - steady
        decision = decide(outcome, delivery.attempts, now, deadline, kit.random(), kit.on_unknown)
        return Ending(claim, outcome, decision, word)

    async def _settle(self, endings: Sequence[Ending], asked: Asked) -> None:
        for start in range(0, len(endings), SETTLED_AT_ONCE):
            some = endings[start : start + SETTLED_AT_ONCE]
            async with self._kit.settling.hold(len(some)):
                await self._settle_some(some, asked)

    async def _settle_some(self, endings: Sequence[Ending], asked: Asked) -> None:
        settlements = [_settlement(ending, asked) for ending in endings]
        kept = await insist(self._kit, lambda: self._kit.outbox.settle(settlements))
        for ending, settlement, ours in zip(endings, settlements, kept or (), strict=False):
            if not ours:
                self._kit.counters.fenced += 1
                self._kit.verdicts.away(settlement.attempt.business_id, settlement.attempt.delivery_id)
                continue
            if settlement.state == "retrying":
                self._kit.wake()
            self._kit.counters.count(ending.word)
            if self._kit.verdicts.awaits(settlement.attempt.business_id, settlement.attempt.delivery_id):
                self._kit.verdicts.settled(
                    msgspec.structs.replace(
                        ending.claim.delivery,
                        state=settlement.state,
                        reason=settlement.reason,
                        due_at=settlement.due_at,
                        reference=settlement.reference,
                        error=settlement.error,
                        lease_ms=None,
                    )
                )


async def release(kit: Kit, claims: Sequence[Claim]) -> None:
    """Give back what was not sent; it keeps its turn."""
    stored, now = [claim.stored for claim in claims], kit.clock()
    await insist(kit, lambda: kit.outbox.release(stored, now))
    for each in stored:
        kit.verdicts.away(each.event.business_id, each.event.id)
    kit.wake()


async def insist(kit: Kit, write: Callable[[], Awaitable[T]]) -> T | None:
    """Write, again and again while the store is away: an outcome must not be forgotten. At the end of a stop the lease is left to the rescue."""
    wait = 0.1
    while True:
        try:
            return await write()
        except Unavailable as error:
            LOG.warning("an outcome cannot be stored yet: %s", error)
            if kit.closing:
                return None
        await kit.pause(wait)
        wait = min(wait * 2, 5.0)


def _past(event: Event, now: int) -> Event:
    """The event, at the latest now: where the clock went back since, its time would lie ahead, which Meta refuses."""
    return event if event.event_at <= now else msgspec.structs.replace(event, event_at=now)


def _why(name: LaneName, outcome: Outcome, events: int) -> dict[str, object]:
    status, code, subcode = outcome.http_status, outcome.code, outcome.subcode
    return {
        "lane": str(name),
        "events": events,
        "status": status,
        "code": code,
        "subcode": subcode,
        "words": outcome.message,
    }


def _settlement(ending: Ending, asked: Asked) -> Settlement:
    outcome, delivery = ending.outcome, ending.claim.delivery
    return Settlement(
        attempt=Attempt(
            business_id=delivery.business_id,
            delivery_id=delivery.id,
            number=delivery.attempts,
            trigger=ending.claim.trigger,
            at=asked.at,
            outcome=ending.word,
            http_status=outcome.http_status,
            code=outcome.code,
            subcode=outcome.subcode,
            duration_ms=asked.duration_ms,
            reference=outcome.reference,
            answer=asked.answer,
        ),
        state=ending.decision.state,
        reason=ending.decision.reason,
        due_at=ending.decision.due_at,
        reference=outcome.reference,
        error=None if outcome.kind == "accepted" else outcome.message,
    )
