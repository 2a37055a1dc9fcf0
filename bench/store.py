"""How fast the store alone is: takes by group commit, claim and settle, on both engines.

    python -m bench.store [--seconds 3] [--producers 64] [sqlite:///… | postgresql://…]

Without a URL: SQLite in a temporary directory, and PostgreSQL where one can be found. Every commit is durable (fsync on).
"""

import argparse
import asyncio
import itertools
import json
import resource
import secrets
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack

import aiosqlite
import asyncpg
import uvloop

from bench.seasoned import seasoned_server
from collector.app import Mint
from collector.attribution import Click
from collector.event import Event
from collector.store.engine import for_postgres, for_sqlite, load, marked
from collector.store.face import Attempt, Delivery, Record, Settlement
from collector.store.opening import Store, open_store
from collector.store.postgres import PostgresEngine
from collector.store.sqlite import SqliteEngine

MINT = Mint()
BUSINESS = "11111111-1111-4111-8111-111111111111"
LANE = f"meta:{BUSINESS}:whatsapp:server"
CLICK = Click("trk_" + "a" * 20, "snd_" + "b" * 20, "ARA" + "k" * 128, "120210000000000000")
CONTENTS = [{"id": f"sku-{number}", "quantity": 1, "item_price": 43.3} for number in range(3)]
CUSTOM = json.dumps({"currency": "BRL", "value": 129.9, "content_type": "product", "contents": CONTENTS})
PAYLOAD = json.dumps({"event_name": "Purchase", "event_time": 1_760_000_000, "payload": json.loads(CUSTOM)})


def make(run: str, number: int, state: str) -> tuple[Event, Delivery, Record]:
    """A Purchase of a usual size: row ids as the collector mints them, the event id at random."""
    now = time.time_ns() // 1_000_000
    row = MINT(now)
    event_id = f"{run}-{secrets.token_hex(6)}-{number}"
    event = Event(
        business_id=BUSINESS, id=row, event_name="Purchase", event_id=event_id, event_at=now, received_at=now, click=CLICK,
        custom_data=CUSTOM, currency="BRL", value_micros=129_900_000, order_id=event_id, digest=secrets.token_hex(16),
    )  # fmt: skip
    delivery = Delivery(
        business_id=BUSINESS, id=row, destination="meta", lane=LANE, state="sending" if state == "sending" else "pending",
        attempts=int(state == "sending"), lease_ms=60_000 if state == "sending" else None, due_at=now, deadline_at=now + 6 * 86_400_000,
    )  # fmt: skip
    record = Record(
        business_id=BUSINESS, id=MINT(now), received_at=now, event_row=row, event_name="Purchase", event_id=event_id,
        click=CLICK, payload=PAYLOAD,
    )  # fmt: skip
    return event, delivery, record


async def takes(store: Store, producers: int, seconds: float, state: str) -> None:
    """Producers that each wait for their commit before the next event."""
    version = await store.directory.version()
    run, numbers = secrets.token_hex(4), itertools.count()
    waits: list[float] = []
    store.writer.batches = store.writer.committed = 0
    end = time.monotonic() + seconds

    async def produce() -> None:
        while (begin := time.monotonic()) < end:
            taken = await store.ledger.take(*make(run, next(numbers), state), (), version)
            assert taken.won
            waits.append(time.monotonic() - begin)

    begin, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    await asyncio.gather(*(produce() for _ in range(producers)))
    took, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF)
    waits.sort()
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    print(
        f"  take {state:8} {len(waits) / took:9,.0f}/s  p50 {waits[len(waits) // 2] * 1e3:5.1f} ms  p99 {waits[len(waits) * 99 // 100] * 1e3:6.1f} ms"
        f"  {store.writer.committed / store.writer.batches:5.0f} takes/transaction  {used / len(waits) * 1e6:4.0f} µs CPU each"
    )


async def drain(store: Store, batch: int, workers: int, limit: int) -> float:
    """Claim and settle what the takes left; gives how many a second."""
    done = 0

    async def work() -> None:
        nonlocal done
        while done < limit and (claimed := await store.outbox.claim(LANE, batch, 60_000)):
            settled = await store.outbox.settle([_delivered(claim.delivery) for claim in claimed])
            assert all(settled)
            done += len(claimed)

    begin = time.monotonic()
    await asyncio.gather(*(work() for _ in range(workers)))
    rate = done / (time.monotonic() - begin)
    print(f"  claim+settle  {rate:9,.0f}/s  batch {batch} × {workers}, {done} deliveries")
    return rate


def _delivered(delivery: Delivery) -> Settlement:
    attempt = Attempt(
        business_id=delivery.business_id, delivery_id=delivery.id, number=delivery.attempts, trigger="first", at=1, outcome="accepted",
        http_status=200, duration_ms=150, reference="A1b2C3d4E5f6", answer='{"events_received":50}',
    )  # fmt: skip
    return Settlement(attempt=attempt, state="delivered", reason=None, due_at=delivery.due_at, reference="A1b2C3d4E5f6")


# The same words in both dialects. The ids are told from those of the takes by their length.
BACKLOG = """
WITH RECURSIVE numbers (number) AS (SELECT {first} UNION ALL SELECT number + 1 FROM numbers WHERE number < {last})
INSERT INTO {table} ({names}) SELECT {columns} FROM numbers
"""
EVENT_NAMES = (
    "business_id, id, event_name, event_id, event_at, received_at, channel, source, ctwa_clid, consent, custom_data, currency, "
    "value_micros, user_data, test, digest, revision"
)
EVENT_COLUMNS = (
    f"'{BUSINESS}', '9' || number, 'Purchase', 'b-' || number, {{now}}, {{now}}, 'whatsapp', 'server', '{CLICK.ctwa_clid}', "
    f"'unknown', '{CUSTOM.replace('{', '{{').replace('}', '}}')}', 'BRL', 129900000, '{{{{}}}}', 0, '', 1"
)
DELIVERY_NAMES = "business_id, id, destination, lane, state, revision, attempts, due_at, deadline_at"
DELIVERY_COLUMNS = f"'{BUSINESS}', '9' || number, 'meta', '{LANE}', 'pending', 1, 0, number, 99999999999999"


async def fill(url: str, first: int, last: int) -> None:
    """Put pending deliveries there by SQL: a backlog of a million would take minutes otherwise."""
    tables = (("events", EVENT_NAMES, EVENT_COLUMNS), ("deliveries", DELIVERY_NAMES, DELIVERY_COLUMNS))
    now = time.time_ns() // 1_000_000
    statements = [
        BACKLOG.format(first=first, last=last, table=table, names=names, columns=columns.format(now=now))
        for table, names, columns in tables
    ]
    if url.startswith("sqlite"):
        async with aiosqlite.connect(url.removeprefix("sqlite:///")) as file:
            for statement in statements:
                await file.execute(statement)
            await file.commit()
    else:
        server = await asyncpg.connect(url)
        for statement in (*statements, "ANALYZE"):
            await server.execute(statement)
        await server.close()


async def claims(small: Store, large: Store) -> float:
    """What a claim of 50 costs with a large backlog over a small one, by turns: the lower quartile, which others on the machine disturb least."""
    took: dict[str, list[float]] = {"small": [], "large": []}
    for _ in range(300):
        for name, store in (("small", small), ("large", large)):
            begin = time.perf_counter()
            claimed = await store.outbox.claim(LANE, 50, 60_000)
            took[name].append(time.perf_counter() - begin)
            assert len(claimed) == 50
            await store.outbox.release(claimed, claimed[0].delivery.due_at)
    few, many = (statistics.quantiles(each)[0] * 1e3 for each in took.values())
    print(f"  claim of 50   {few:.2f} ms at the small backlog, {many:.2f} ms at the large: {many / few:.2f}x")
    for line in await plan(large):
        print(f"    {line}")
    return many / few


async def plan(store: Store) -> list[str]:
    """How the engine runs a claim. (PostgreSQL's stands in a function, and is asked for outside of it.)"""
    row = (LANE, 0, 50, 60_000, "lease")
    if isinstance(store.engine, SqliteEngine):
        text, _ = for_sqlite(load("sqlite")["claim"], 1)
        found = await store.engine._writer.run(
            lambda opened: opened.execute(f"EXPLAIN QUERY PLAN {text}", row).fetchall()
        )
        return [str(line) for *_, line in found]
    assert isinstance(store.engine, PostgresEngine)
    statement = load("postgres")["claim"]
    texts, mark, none = marked(statement.columns, [row])
    async with store.engine._pool.acquire() as session:
        lines = await session.fetch(f"EXPLAIN (COSTS OFF) {for_postgres(statement)[0]}", *texts, mark, none)
    return [line for (line,) in lines]


async def measure(url: str, producers: int, seconds: float) -> None:
    """All figures of one engine."""
    print(url.partition("?")[0].split("@")[0])
    async with open_store(url, serving=True) as store:
        await takes(store, producers, 0.5, "sending")
        await takes(store, producers, seconds, "sending")
        await takes(store, producers, seconds, "pending")
        for batch, workers in ((50, 2), (500, 2)):
            await drain(store, batch, workers, 10_000)
        await drain(store, 500, 2, 1_000_000)


def _urls(given: str | None, stack: ExitStack) -> Iterator[str]:
    if given:
        yield given
        return
    yield f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory(prefix='bench-store-'))}/bench.db"
    server = stack.enter_context(seasoned_server())
    if server is not None:
        yield stack.enter_context(server.database())


def main() -> None:
    """Measure each engine in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url", nargs="?")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--producers", type=int, default=64)
    options = parser.parse_args()
    with ExitStack() as stack:
        for url in _urls(options.url, stack):
            uvloop.run(measure(url, options.producers, options.seconds))


if __name__ == "__main__":
    main()
