"""No statement reads a table that grows whole, in PostgreSQL, once its planner knows how long the tables are."""

import re

import asyncpg
import pytest

from collector.store.engine import for_postgres, load
from collector.store.opening import open_store
from collector.store.postgres import PostgresEngine

pytestmark = pytest.mark.anyio

GROWING = "events|deliveries|records|attempts|landings|links|conversations"
ROWS = 50_000
WAITS = 100
FILL = f"""
INSERT INTO events (
    business_id, id, event_name, event_id, event_at, received_at, channel, source, ctwa_clid, ad_id, consent, custom_data, user_data, test, digest,
    revision
)
SELECT
    'b' || n % 20, lpad(n::TEXT, 32, '0'), 'Purchase', md5(n::TEXT), n, n, 'whatsapp', 'server', md5(n::TEXT), 'ad' || n % 50, 'unknown', '{{}}',
    '{{}}', 0, '', 1
FROM generate_series(1, {ROWS}) AS n;
INSERT INTO deliveries (business_id, id, destination, lane, state, revision, attempts, due_at, deadline_at)
SELECT
    business_id, id, 'meta', 'meta:' || business_id || ':whatsapp:server', CASE WHEN event_at % 50 = 0 THEN 'pending' ELSE 'delivered' END, 1, 1,
    event_at, event_at
FROM events;
INSERT INTO attempts (business_id, delivery_id, number, trigger, at, outcome, revision)
SELECT business_id, id, 1, 'first', event_at, 'accepted', 1 FROM events;
INSERT INTO records (business_id, id, received_at, source, event_row, event_name, event_id, duplicate, revision)
SELECT business_id, id, event_at, 'server', id, event_name, event_id, 0, 1 FROM events;
INSERT INTO landings (business_id, ref, ctwa_clid, first_at, consent, last_at, hits)
SELECT business_id, event_id, ctwa_clid, event_at, 'unknown', event_at, 1 FROM events;
INSERT INTO links (business_id, kind, id, ref, linked_at)
SELECT business_id, 'order_id', event_at::TEXT, event_id, event_at FROM events;
INSERT INTO conversations (business_id, kind, id, message_id, asset_id, at)
SELECT business_id, 'mobile_number', event_id, event_at::TEXT, 'account', event_at FROM events;
INSERT INTO waits (business_id, event_row, kind, id)
SELECT business_id, id, 'order_id', event_at::TEXT FROM events LIMIT {WAITS};
ANALYZE;
SET plan_cache_mode = force_generic_plan
"""


async def test_no_statement_reads_a_growing_table_whole(postgres_dsn: str) -> None:
    async with open_store(postgres_dsn, serving=True) as store:
        assert isinstance(store.engine, PostgresEngine)
        whole = set(store.engine._whole)
    session = await asyncpg.connect(postgres_dsn)
    try:
        await session.execute(FILL)
        read = {
            name: await _read_whole(session, for_postgres(each)[0])
            for name, each in load("postgres").items()
            if name not in whole
        }
    finally:
        await session.close()
    assert len(read) > 50
    assert {name: tables for name, tables in read.items() if tables} == {}


async def _read_whole(session: "asyncpg.Connection[asyncpg.Record]", text: str) -> list[str]:
    """The growing tables that a statement reads whole, by the plan that serves for all its parameters."""
    count = len((await session.prepare(text)).get_parameters())
    await session.execute(f"PREPARE asked AS {text}")
    given = f"({', '.join(['NULL'] * count)})" if count else ""
    lines = await session.fetch(f"EXPLAIN EXECUTE asked{given}")
    await session.execute("DEALLOCATE asked")
    return re.findall(rf"Seq Scan on ({GROWING})", "\n".join(line for (line,) in lines))
