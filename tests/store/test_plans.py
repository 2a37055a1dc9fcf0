"""Every statement goes by an index, in both engines, whatever the tables hold: nothing grows with the backlog."""

import asyncio
import sqlite3
from functools import partial
from typing import Any

import pytest

from collector.store import engine
from collector.store.opening import Store, open_store
from collector.store.outbox import HEADS_MAX
from collector.store.postgres import READERS, WRITERS, PostgresEngine
from collector.store.sqlite import SqliteEngine
from tests.contract.samples import SHOP, delivery, lane, purchase, record, settlement, stored

pytestmark = pytest.mark.anyio

FAR = 10**14

# Read whole when the directory changes, or bounded: what waits for a click, what is being sent, the statement's own rows.
READ_WHOLE = {
    "directory", "pulse", "businesses", "channels", "credentials", "api_keys", "w USING COVERING INDEX waits_key", "d USING INDEX deliveries_leased",
    "each", "CONSTANT ROW", "2 CONSTANT ROWS", "lanes", "page", "due", "lost", "late", "idle", "held", "old", "resolved",
    "ahead", "channels LEFT-JOIN",
}  # fmt: skip

ALL = "SELECT sum(coalesce(heap_blks_hit, 0) + coalesce(idx_blks_hit, 0)) FROM pg_statio_user_tables"
DUE = "SELECT idx_blks_hit FROM pg_statio_user_indexes WHERE indexrelname = 'deliveries_due'"

INDEXES = {
    "claim": "deliveries_due (lane=? AND due_at>? AND due_at<?)",
    "due": "deliveries_due (lane>?)",
    "hold": "deliveries_due (lane>? AND lane<?)",
    "resume": "deliveries_held (lane>? AND lane<?)",
    "rescue": "deliveries_leased (lease_until<?)",
    "rewind_due": "deliveries_due (lane=? AND due_at>?)",
    "rewind_leases": "deliveries_leased (lease_until>?)",
    "expire": "deliveries_deadline (deadline_at<?)",
    "find": "events_key (business_id=? AND event_name=? AND event_id=?)",
    "event_records": "records_event (business_id=? AND event_row=?)",
    "forget_landings": "landings_last (last_at<?)",
    "landings": "landings_first (business_id=? AND (first_at,ref)<(?,?))",
    "waiting": "waits_key (business_id=? AND kind=? AND id=?)",
}


def explain(connection: sqlite3.Connection, text: str, given: Any) -> list[Any]:
    return connection.execute(text, given).fetchall()


@pytest.fixture
async def sqlite_plans(store: Store) -> dict[str, list[str]]:
    """How SQLite runs each statement."""
    assert isinstance(store.engine, SqliteEngine)
    plans: dict[str, list[str]] = {}
    for name, statement in engine.load("sqlite").items():
        text, names = engine.for_sqlite(statement, 2)
        given = ["1"] * text.count("?") or dict.fromkeys(names, "1")
        rows = await store.engine._writer.run(partial(explain, text=f"EXPLAIN QUERY PLAN {text}", given=given))
        plans[name] = [row[3] for row in rows]
    return plans


async def test_no_statement_reads_a_growing_table_whole_in_sqlite(sqlite_plans: dict[str, list[str]]) -> None:
    scanned = {row.removeprefix("SCAN ") for rows in sqlite_plans.values() for row in rows if row.startswith("SCAN ")}
    assert scanned <= READ_WHOLE
    assert not any("AUTOMATIC" in row for rows in sqlite_plans.values() for row in rows)


async def test_statements_use_the_indexes_made_for_them_in_sqlite(sqlite_plans: dict[str, list[str]]) -> None:
    missed = {name: index for name, index in INDEXES.items() if not any(index in row for row in sqlite_plans[name])}
    assert missed == {}


async def fill(store: Store, count: int) -> None:
    """A backlog of so many pending deliveries, due one after the other."""
    for first in range(0, count, 500):
        events = [(due_at, purchase()) for due_at in range(first, first + 500)]
        await asyncio.gather(
            *(
                store.ledger.take(event, delivery(event, due_at=due_at, deadline_at=FAR), record(event), (), 1)
                for due_at, event in events
            )
        )


async def work(store: Store) -> None:
    """What the hot paths ask for one delivery."""
    await store.outbox.due()
    [claim] = await store.outbox.claim(lane(), 1, 1000)
    await store.outbox.settle([settlement(claim)])
    await store.outbox.oldest_pending_at()
    await store.outbox.rescue(False, "retrying", None, 0, 10)
    await store.outbox.expire(0, 10)
    await store.outbox.rewind(3_600_000, 60_000)
    row = await stored(store, deadline_at=FAR)
    await store.ledger.find(SHOP, "Purchase", row.event.event_id)
    await store.ledger.event_records(SHOP, row.event.id)


async def test_the_work_for_one_delivery_does_not_grow_with_the_backlog_in_sqlite(store: Store) -> None:
    """Counted in steps of SQLite's machine, which no noise changes."""
    assert isinstance(store.engine, SqliteEngine)
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    connections = [store.engine._writer, *store.engine._readers._queue]  # type: ignore[attr-defined]

    async def cost() -> int:
        before = steps
        for handler in (count, None):
            for connection in connections:
                await connection.run(lambda real, handler=handler: real.set_progress_handler(handler, 1))
            if handler:
                await work(store)
        return steps - before

    await fill(store, 500)
    small = await cost()
    await fill(store, 5_000)
    assert await cost() < 1.2 * small


@pytest.mark.parametrize("gathered_again", [False, True])
async def test_the_work_for_one_delivery_does_not_grow_with_the_backlog_in_postgres(
    postgres_dsn: str, gathered_again: bool
) -> None:
    """Counted in pages touched. The server gathers its statistics when the tables are small, as it does by itself, and again or not."""
    async with open_store(postgres_dsn, serving=True) as store:

        async def cost() -> int:
            before = await pages(store)
            for _ in range(5):
                await work(store)
            return await pages(store) - before

        await undisturbed(store)
        await stored(store, deadline_at=FAR)
        await work(store)
        await fill(store, 500)
        await gather_statistics(store)
        await cost()  # the first five of each statement are planned one by one
        small = await cost()
        await fill(store, 5_000)
        if gathered_again:
            await gather_statistics(store)
        await cost()
        assert await cost() < 1.2 * small


async def test_a_claim_does_not_walk_past_what_was_claimed_before_it_in_postgres(postgres_dsn: str) -> None:
    """Its index keeps that until it is swept."""
    async with open_store(postgres_dsn, serving=True) as store:
        await undisturbed(store)
        await fill(store, 6_000)

        async def cost() -> int:
            before = await pages(store, DUE)
            assert len(await store.outbox.claim(lane(), 100, 60_000)) == 100
            return await pages(store, DUE) - before

        await cost()
        small = await cost()
        for _ in range(HEADS_MAX - 3):
            await store.outbox.settle([settlement(claim) for claim in await store.outbox.claim(lane(), 400, 60_000)])
        assert await cost() <= small + 1
        await cost()
        assert await cost() > small + 10  # one begins at the start again


async def undisturbed(store: Store) -> None:
    """No table is swept meanwhile: the pages that the sweeper touches would be counted too."""
    assert isinstance(store.engine, PostgresEngine)
    async with store.engine._pool.acquire() as session:
        for row in await session.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"):
            await session.execute(f"ALTER TABLE {row['tablename']} SET (autovacuum_enabled = false)")


async def gather_statistics(store: Store) -> None:
    assert isinstance(store.engine, PostgresEngine)
    async with store.engine._pool.acquire() as session:
        await session.execute("ANALYZE")


async def pages(store: Store, touched: str = ALL) -> int:
    """Pages that the store's sessions have touched so far."""
    assert isinstance(store.engine, PostgresEngine)
    kept = [connection for connection, _ in store.engine._kept]
    sessions = [await store.engine._pool.acquire() for _ in range(READERS + WRITERS - len(kept))]
    for session in (*kept, *sessions):
        await session.execute("SELECT pg_stat_force_next_flush()")
    count = int(await sessions[0].fetchval(touched))
    for session in sessions:
        await store.engine._pool.release(session)
    return count
