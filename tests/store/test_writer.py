"""The group-commit writer: natural batches, limits, order, a clean stop."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from collector.errors import InvalidField, Unavailable
from collector.store import waiting, writer as writing
from collector.store.engine import BadRow, Interrupted, Rows, Step
from collector.store.face import Taken
from collector.store.ledger import SqlLedger
from collector.store.opening import KINDS, Store
from collector.store.writer import Writer
from tests.contract.samples import SHOP
from tests.store.gate import Gate, take, take_together

pytestmark = pytest.mark.anyio


async def test_what_comes_while_a_commit_runs_shares_the_next(store: Store) -> None:
    gate = Gate(store)
    async with Writer(gate, KINDS) as writer, gate.opened_at_last(), asyncio.timeout(10):
        ledger = SqlLedger(gate, writer)
        first = take(ledger, "first")
        await gate.reached.wait()
        others = [take(ledger, f"order-{number}") for number in range(50)]
        await asyncio.sleep(0)
        gate.open.set()
        assert all(taken.won for taken in await asyncio.gather(first, *others))
    assert [len(batch) for batch in gate.batches] == [1, 50]
    assert (writer.batches, writer.committed) == (2, 51)


async def test_of_the_operations_with_many_events_one_is_committed_at_a_time(store: Store) -> None:
    """Whoever comes with one event waits for few of another's, however many those are."""
    gate = Gate(store)
    async with Writer(gate, KINDS) as writer, gate.opened_at_last(), asyncio.timeout(10):
        ledger = SqlLedger(gate, writer)
        tasks: list[asyncio.Task[Any]] = [take(ledger, "first")]
        await gate.reached.wait()
        tasks += [take_together(ledger, call, 3) for call in ("a", "b")]
        tasks.append(take(ledger, "single"))
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(*tasks)
    assert gate.batches == [["first"], ["single"], ["a-0", "a-1", "a-2"], ["b-0", "b-1", "b-2"]]


async def test_many_events_and_single_ones_have_every_other_commit_each(store: Store) -> None:
    """However many come with one event, who comes with many is not left waiting; both share the commits of the many."""
    gate = Gate(store)
    async with Writer(gate, KINDS) as writer, gate.opened_at_last(), asyncio.timeout(10):
        ledger = SqlLedger(gate, writer)
        tasks: list[asyncio.Task[Any]] = [take(ledger, "first")]
        await gate.reached.wait()
        tasks += [take_together(ledger, call, 2) for call in ("a", "b")]
        for number in range(4):  # in each commit somebody else comes with one event
            tasks.append(take(ledger, f"single-{number}"))
            await asyncio.sleep(0)
            gate.reached.clear()
            gate.open.set()
            await gate.reached.wait()
            gate.open.clear()
        gate.open.set()
        await asyncio.gather(*tasks)
    assert gate.batches == [
        ["first"], ["single-0"], ["a-0", "a-1", "single-1"], ["single-2"], ["b-0", "b-1", "single-3"],
    ]  # fmt: skip


async def test_of_two_writers_one_has_the_operations_with_many_events(store: Store) -> None:
    gate = Gate(store)
    gate.writers = 2
    async with Writer(gate, KINDS) as writer, gate.opened_at_last(), asyncio.timeout(10):
        ledger = SqlLedger(gate, writer)
        tasks: list[asyncio.Task[Any]] = [take_together(ledger, call, 3) for call in ("a", "b")]
        await gate.reached.wait()
        gate.reached.clear()
        tasks.append(take(ledger, "single"))
        await gate.reached.wait()
        assert gate.batches == [["a-0", "a-1", "a-2"], ["single"]]
        gate.open.set()
        await asyncio.gather(*tasks)
    assert gate.batches[2:] == [["b-0", "b-1", "b-2"]]


async def test_who_has_much_to_do_can_wait_for_commits_of_single_events(store: Store) -> None:
    gate = Gate(store)
    async with Writer(gate, KINDS) as writer, gate.opened_at_last(), asyncio.timeout(10):
        ledger = SqlLedger(gate, writer)
        assert await ledger.lull(10) == 0.0
        single = take(ledger, "single")
        await gate.reached.wait()
        assert await ledger.lull(-0.001) == 0.0  # patience is over
        assert 0.01 <= await ledger.lull(0.01) < 5  # no longer than asked
        aside = asyncio.create_task(ledger.lull(10))
        await asyncio.sleep(0)
        gate.reached.clear()
        many = take_together(ledger, "a", 2)
        gate.open.set()
        assert await aside > 0.0
        gate.open.clear()
        await gate.reached.wait()
        assert await ledger.lull(10) == 0.0  # nobody stands aside for many
        gate.open.set()
        await asyncio.gather(single, many)


async def test_free_writers_share_what_waits(store: Store) -> None:
    gate = Gate(store)
    gate.writers = 2
    gate.open.set()
    async with Writer(gate, KINDS) as writer:
        ledger = SqlLedger(gate, writer)
        tasks = [take(ledger, f"order-{number}") for number in range(100)]
        assert all(taken.won for taken in await asyncio.gather(*tasks))
    assert [len(batch) for batch in gate.batches] == [50, 50]


async def test_a_batch_is_bounded_and_server_events_go_first(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "MAX_OPS", 4)
    gate = Gate(store)
    async with Writer(gate, KINDS) as writer:
        ledger = SqlLedger(gate, writer)
        tasks = [take(ledger, "first")]
        await gate.reached.wait()
        tasks += [take(ledger, f"view-{number}", "browser") for number in range(3)] + [
            take(ledger, f"order-{number}") for number in range(3)
        ]
        await asyncio.sleep(0)
        gate.open.set()
        await asyncio.gather(*tasks)
    assert gate.batches == [["first"], ["order-0", "order-1", "order-2", "view-0"], ["view-1", "view-2"]]


@pytest.mark.parametrize(("limit", "value", "payload"), [("MAX_WAITING", 3, "{}"), ("MAX_BYTES", 33_000, "x" * 9_000)])
async def test_a_full_queue_is_unavailable_and_browsers_make_room(
    store: Store, monkeypatch: pytest.MonkeyPatch, limit: str, value: int, payload: str
) -> None:
    """Three takes fit. A fourth from the browser is refused, one from a server takes a browser's place."""
    monkeypatch.setattr(waiting, limit, value)
    gate = Gate(store)
    async with Writer(gate, KINDS) as writer:
        ledger = SqlLedger(gate, writer)
        first = take(ledger, "first")
        await gate.reached.wait()
        view, *orders = (
            take(ledger, "view", "browser", payload),
            take(ledger, "order-0", "server", payload),
            take(ledger, "order-1", "server", payload),
        )
        late_view = take(ledger, "late-view", "browser", payload)
        with pytest.raises(Unavailable, match="too much"):
            await late_view
        assert not view.done()
        orders += [take(ledger, "order-2", "server", payload)]
        with pytest.raises(Unavailable, match="too much"):
            await view
        with pytest.raises(Unavailable, match="too much"):
            await take(ledger, "order-3", "server", payload)
        gate.open.set()
        assert all(taken.won for taken in await asyncio.gather(first, *orders))
    assert gate.batches == [["first"], ["order-0", "order-1", "order-2"]]


async def test_stopping_commits_what_waits_and_refuses_what_comes(store: Store) -> None:
    gate = Gate(store)
    writer = Writer(gate, KINDS)
    async with writer:
        ledger = SqlLedger(gate, writer)
        tasks = [take(ledger, f"order-{number}") for number in range(10)]
        await gate.reached.wait()
        gate.open.set()
    assert all(task.result().won for task in tasks)
    with pytest.raises(Unavailable, match="stopping"):
        await take(ledger, "late")
    assert len(await store.ledger.events(SHOP, None, None, None, None, 100)) == 10


class Picky(Gate):
    """Refuses every batch that holds the event `guilty`."""

    async def commit(self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False) -> list[Rows]:
        results = await super().commit(steps, version, exclusive) if "guilty" not in str(steps) else []
        if not results:
            self.batches.append(["refused"])
            raise BadRow("value out of range")
        return results


async def test_one_bad_event_among_many_costs_a_few_commits(store: Store) -> None:
    engine = Picky(store)
    engine.open.set()
    async with Writer(engine, KINDS) as writer:
        ledger = SqlLedger(engine, writer)
        tasks = [take(ledger, "guilty" if number == 33 else f"order-{number}") for number in range(100)]
        results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [number for number, result in enumerate(results) if isinstance(result, InvalidField)] == [33]
    assert sum(isinstance(result, Taken) and result.won for result in results) == 99
    assert len(engine.batches) <= 2 * 7 + 2


class Down(Gate):
    """Is never there."""

    async def commit(self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False) -> list[Rows]:
        raise Interrupted("disk I/O error")


async def test_each_operation_waits_only_its_own_patience(store: Store) -> None:
    """The clock moves by the pauses only: nobody hears Unavailable before two seconds, nor much later."""
    now = 0.0
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        nonlocal now
        now += seconds
        pauses.append(seconds)
        await asyncio.sleep(0)

    async with Writer(Down(store), KINDS, monotonic=lambda: now, sleep=pause) as writer:
        with pytest.raises(Unavailable, match="disk I/O error"):
            await take(SqlLedger(store.engine, writer), "order-1")
    assert writing.PATIENCE_SECONDS <= now <= writing.PATIENCE_SECONDS + writing.LONGEST_PAUSE_SECONDS
    assert pauses == sorted(pauses)


class Faulty(Gate):
    """Has a bug."""

    async def commit(self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False) -> list[Rows]:
        if not self.open.is_set():
            raise RuntimeError("a bug")
        return await super().commit(steps, version, exclusive)


async def test_a_bug_below_leaves_nobody_waiting_and_the_writer_running(store: Store) -> None:
    engine = Faulty(store)
    async with Writer(engine, KINDS) as writer:
        ledger = SqlLedger(engine, writer)
        with pytest.raises(Unavailable, match="RuntimeError"):
            await take(ledger, "order-1")
        engine.open.set()
        assert (await take(ledger, "order-2")).won
