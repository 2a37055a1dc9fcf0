"""The delivery machine of the store beside a small model: whatever is done in whatever order, on both engines, they agree."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from msgspec.structs import replace

from collector.store.face import StoredEvent
from collector.store.opening import Store, open_store
from tests.contract.conftest import Clock, InjectedClock, ReplacedClock
from tests.contract.samples import NOW, delivery, lane, purchase, record, revised, settlement

T = TypeVar("T")
ENDINGS = [("delivered", None), ("dead", "rejected"), ("retrying", None), ("held", "token"), ("held", "unknown")]
OUTCOMES = {"delivered": "accepted", "dead": "rejected", "retrying": "unavailable", "held": "held"}
LEASE, LIFE = 2_000, 20_000

EXAMPLES, STEPS = 60, 30

_shops = itertools.count()


@dataclass
class Row:
    """What the model knows of one delivery: `tries` are the outcomes of its attempts, `number` counts those begun."""

    due: int
    deadline: int
    state: str = "pending"
    reason: str | None = None
    number: int = 0
    revision: int = 1
    lease: int = 0
    trigger: str | None = None
    tries: list[str] = field(default_factory=list)

    def move(self, state: str, reason: str | None = None, due: int | None = None) -> None:
        self.state, self.reason = state, reason
        self.due = self.due if due is None else due

    def is_hers(self, claim: StoredEvent) -> bool:
        return self.state == "sending" and self.number == claim.delivery.attempts


class Bench:
    """An open store with its clock, and a loop to ask it on."""

    def __init__(self, store: Store, clock: Clock, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.store = store
        self.clock = clock
        self.run = run
        self.now = NOW


class Machine(RuleBasedStateMachine):
    """Each example is a business of its own in the same store."""

    def __init__(self, bench: Bench) -> None:
        super().__init__()
        self.bench = bench
        self.shop = f"{next(_shops):08x}-1111-4111-8111-111111111111"
        self.lane = lane(self.shop)
        self.rows: dict[str, Row] = {}
        self.hands: list[StoredEvent] = []
        self.ats = itertools.count(NOW)

    @property
    def outbox(self) -> Any:
        return self.bench.store.outbox

    @property
    def ledger(self) -> Any:
        return self.bench.store.ledger

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        answer: T = self.bench.run(work)
        return answer

    def standing(self, data: st.DataObject) -> tuple[StoredEvent, Row]:
        name = data.draw(st.sampled_from(sorted(self.rows)))
        return self.run(self.ledger.event(self.shop, name)), self.rows[name]

    def in_state(self, *states: str) -> list[Row]:
        return [row for row in self.rows.values() if row.state in states]

    # -- what may happen

    @precondition(lambda self: len(self.rows) < 6)
    @rule(leased=st.booleans(), twice=st.booleans())
    def take(self, leased: bool, twice: bool) -> None:
        now = self.bench.now
        event = purchase(self.shop, now)
        given = delivery(event, "sending" if leased else "pending", deadline_at=now + LIFE)
        given = replace(given, lease_ms=LEASE if leased else None)
        version = self.run(self.bench.store.directory.version())
        assert self.run(self.ledger.take(event, given, record(event), (), version)).won
        row = self.rows[event.id] = Row(due=now, deadline=now + LIFE)
        if leased:
            row.move("sending")
            row.number, row.lease = 1, now + LEASE
            self.hands.append(self.run(self.ledger.event(self.shop, event.id)))
        if twice:
            other = purchase(self.shop, now, event_id=event.event_id)
            taken = self.run(self.ledger.take(other, delivery(other), record(other), (), version))
            assert not taken.won
            assert taken.standing.event.id == event.id

    @rule(limit=st.integers(1, 3))
    def claim(self, limit: int) -> None:
        due = {
            name: row
            for name, row in self.rows.items()
            if row.state in ("pending", "retrying") and row.due <= self.bench.now
        }
        claims = self.run(self.outbox.claim(self.lane, limit, LEASE))
        taken = [claim.event.id for claim in claims]
        assert len(taken) == len(set(taken)) == min(limit, len(due))
        assert set(taken) <= due.keys()
        left = [row.due for name, row in due.items() if name not in taken]
        assert not left or not taken or max(due[name].due for name in taken) <= min(left)
        for claim in claims:
            row = self.rows[claim.event.id]
            assert claim.delivery.trigger == row.trigger
            row.move("sending")
            row.number, row.lease = row.number + 1, self.bench.now + LEASE
            assert row.number == claim.delivery.attempts
        self.hands += claims

    @precondition(lambda self: self.hands)
    @rule(data=st.data(), ending=st.sampled_from(ENDINGS), wait=st.integers(0, 3000), keep=st.booleans())
    def settle(self, data: st.DataObject, ending: tuple[str, str | None], wait: int, keep: bool) -> None:
        claim = self.hands[data.draw(st.integers(0, len(self.hands) - 1))]
        outcome = "unknown" if ending[1] == "unknown" else OUTCOMES[ending[0]]
        told = replace(settlement(claim, *ending, at=next(self.ats), outcome=outcome), due_at=self.bench.now + wait)
        row = self.rows[claim.event.id]
        ours = row.is_hers(claim)
        assert self.run(self.outbox.settle([told])) == [ours]
        if ours:
            row.move(ending[0], ending[1], self.bench.now + wait)
            row.tries.append(outcome)
            row.trigger = None
            assert self.run(self.outbox.settle([told])) == [True]  # an uncertain commit, run again
        if not keep:
            self.hands.remove(claim)

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        claim = self.hands.pop(data.draw(st.integers(0, len(self.hands) - 1)))
        self.run(self.outbox.release([claim], self.bench.now))
        row = self.rows[claim.event.id]
        if row.is_hers(claim):
            row.move("pending", due=self.bench.now)
            row.number -= 1

    @rule(everything=st.booleans(), hold=st.booleans())
    def rescue(self, everything: bool, hold: bool) -> None:
        to = ("held", "unknown") if hold else ("retrying", None)
        while self.run(self.outbox.rescue(everything, *to, self.bench.now, 100)):
            pass
        for row in self.in_state("sending"):
            if everything or row.lease <= self.bench.now:
                row.move(to[0], to[1], self.bench.now)
                row.tries.append("unknown")
                row.trigger = None

    @rule()
    def expire(self) -> None:
        while self.run(self.outbox.expire(self.bench.now, 100)):
            pass
        for row in self.in_state("pending", "retrying", "held"):
            if row.deadline <= self.bench.now:
                row.move("dead", "expired")

    @rule()
    def hold(self) -> None:
        self.run(self.outbox.hold(self.shop, "whatsapp", f"meta:{self.shop}:whatsapp:", "token"))
        for row in self.in_state("pending", "retrying"):
            row.move("held", "token")

    @rule()
    def resume(self) -> None:
        released = self.run(self.outbox.resume(self.shop, "whatsapp", f"meta:{self.shop}:whatsapp:"))
        held = [row for row in self.in_state("held") if row.reason == "token"]
        assert released == len(held)
        for row in held:
            row.move("pending", due=self.bench.now)

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), stale=st.booleans())
    def correct(self, data: st.DataObject, stale: bool) -> None:
        found, row = self.standing(data)
        if row.state != "held" and (row.state, row.reason) != ("dead", "rejected"):
            return
        seen = replace(found, delivery=replace(found.delivery, revision=found.delivery.revision + stale))
        event = revised(found.event)
        again = delivery(
            event, revision=event.revision, attempts=row.number, due_at=self.bench.now, deadline_at=row.deadline, trigger="corrected"
        )  # fmt: skip
        won = self.run(self.ledger.correct(seen, event, again, record(event, duplicate=True)))
        assert won is not stale
        if won:
            row.move("pending", due=self.bench.now)
            row.revision, row.trigger = row.revision + 1, "corrected"

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), stale=st.booleans())
    def replay(self, data: st.DataObject, stale: bool) -> None:
        found, row = self.standing(data)
        if row.state not in ("dead", "delivered") and (row.state, row.reason) != ("held", "unknown"):
            return
        seen = replace(found, delivery=replace(found.delivery, attempts=found.delivery.attempts + stale))
        again = delivery(
            found.event, revision=row.revision, attempts=row.number, due_at=self.bench.now, deadline_at=self.bench.now + LIFE, trigger="manual"
        )  # fmt: skip
        won = self.run(self.outbox.replay(seen, found.event, again))
        assert won is not stale
        if won:
            row.move("pending", due=self.bench.now)
            row.deadline, row.trigger = self.bench.now + LIFE, "manual"

    @rule(ms=st.sampled_from([1, 500, LEASE, LIFE]))
    def wait(self, ms: int) -> None:
        self.bench.now += ms
        self.run(self.bench.clock.set(self.bench.now))

    # -- what is always true

    @invariant()
    def the_store_agrees_with_the_model(self) -> None:
        told = {each.event.id: each for each in self.run(self.ledger.events(self.shop, None, None, None, None, 100))}
        assert told.keys() == self.rows.keys()
        for name, row in self.rows.items():
            found = told[name].delivery
            assert (found.state, found.reason, found.attempts) == (row.state, row.reason, row.number)
            assert (found.revision, told[name].event.revision, found.trigger) == (
                row.revision,
                row.revision,
                row.trigger,
            )

    @invariant()
    def attempts_are_numbered_without_gaps_and_end_as_they_were_settled(self) -> None:
        for name, row in self.rows.items():
            attempts = self.run(self.ledger.attempts(self.shop, name))
            assert [each.number for each in attempts] == list(range(1, len(row.tries) + 1))
            assert [each.outcome for each in attempts] == row.tries
            assert row.number == len(row.tries) + (row.state == "sending")


@pytest.fixture(params=["sqlite", "postgres"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Bench]:
    """One store for all examples, on either engine."""
    postgres = request.param == "postgres"
    url = request.getfixturevalue("postgres_dsn") if postgres else f"sqlite:///{tmp_path}/collector.db"
    injected = InjectedClock()
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        store = runner.run(stack.enter_async_context(open_store(url, clock=injected, serving=True)))
        bench = Bench(store, ReplacedClock(url) if postgres else injected, runner.run)
        runner.run(bench.clock.set(bench.now))
        try:
            yield bench
        finally:
            runner.run(stack.aclose())


def test_the_store_does_as_the_model_does(bench: Bench) -> None:
    run_state_machine_as_test(
        lambda: Machine(bench),  # type: ignore[arg-type]  # any maker of machines will do
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
