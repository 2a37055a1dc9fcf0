"""Callers of the writer who are cancelled, and a writer that is."""

import asyncio

import pytest

from collector.errors import Unavailable, Uncertain
from collector.store.ledger import SqlLedger
from collector.store.opening import KINDS, Store
from collector.store.writer import Writer
from tests.contract.samples import SHOP
from tests.store.gate import Gate, take

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("waiting_in_line", [False, True])
async def test_a_cancelled_caller_hears_of_it_when_its_commit_has_ended(store: Store, waiting_in_line: bool) -> None:
    """What it stored can be taken back only then."""
    gate = Gate(store)
    async with Writer(gate, KINDS) as writer, gate.opened_at_last(), asyncio.timeout(10):
        ledger = SqlLedger(gate, writer)
        tasks = [take(ledger, "first")]
        await gate.reached.wait()
        tasks.append(take(ledger, "second"))
        await asyncio.sleep(0)
        gone = tasks[waiting_in_line]
        gone.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not gone.done()
        gate.open.set()
        await asyncio.wait(tasks)
        assert gone.cancelled()
        assert (await ledger.find(SHOP, "Purchase", ("first", "second")[waiting_in_line])) is not None
    assert gate.batches == [["first"], ["second"]]


@pytest.mark.parametrize("writers", [1, 2])
async def test_a_writer_that_is_cancelled_leaves_nobody_waiting(store: Store, writers: int) -> None:
    """Its callers may be cancelled in the same moment, when the interpreter ends its tasks: each once."""
    gate = Gate(store)
    gate.writers = writers
    async with asyncio.timeout(10):
        writer = await Writer(gate, KINDS).__aenter__()
        ledger = SqlLedger(gate, writer)
        tasks = []
        for number in range(5):
            tasks.append(take(ledger, f"order-{number}"))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        await gate.reached.wait()
        for each in (tasks[-1], *writer._tasks):
            each.cancel()
        await asyncio.wait(tasks)
        assert tasks[-1].cancelled()
        assert {type(each.exception()) for each in tasks[:-1]} == {Unavailable, Uncertain}
        with pytest.raises(Unavailable):
            await take(ledger, "later")


async def test_a_caller_who_is_cancelled_twice_waits_no_longer(store: Store) -> None:
    gate = Gate(store)
    async with Writer(gate, KINDS) as writer, gate.opened_at_last(), asyncio.timeout(10):
        gone = take(SqlLedger(gate, writer), "first")
        await gate.reached.wait()
        for _ in range(2):
            gone.cancel()
            await asyncio.sleep(0)
        await asyncio.wait([gone])
        assert gone.cancelled()
