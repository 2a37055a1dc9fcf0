"""Opens the store that a URL names."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from collector.errors import SettingsError, Unavailable
from collector.store.directory import SqlDirectory
from collector.store.engine import BadRow, Engine, Interrupted, Step
from collector.store.ledger import CONVERSE, LAND, LINK, NOTE, REVISE, TAKE, SqlLedger
from collector.store.outbox import SETTLE, SqlOutbox
from collector.store.sqlite import open_sqlite
from collector.store.writer import Writer

KINDS = (TAKE, NOTE, REVISE, LAND, LINK, CONVERSE, SETTLE)
"""All kinds of operations, in the order in which every commit runs them."""


class Store(msgspec.Struct, frozen=True):
    """An open store: the faces, and the engine and writer behind them."""

    ledger: SqlLedger
    outbox: SqlOutbox
    directory: SqlDirectory
    engine: Engine
    writer: Writer

    async def writable(self) -> None:
        """Commit a write that changes nothing of value. Raises errors.Unavailable when that cannot be done now."""
        try:
            await self.engine.commit([Step("pulse")])
        except (Interrupted, BadRow) as problem:
            raise Unavailable(str(problem)) from problem


def wall_clock() -> int:
    """UTC milliseconds."""
    return time.time_ns() // 1_000_000


@asynccontextmanager
async def open_store(url: str, *, clock: Callable[[], int] = wall_clock, serving: bool) -> AsyncIterator[Store]:
    """Open, create and migrate the store at `url`; what waits is committed before it closes.

    `sqlite:///relative.db`, `sqlite:////absolute.db` or `postgresql://…`. `serving` is for the process that serves: on SQLite only one
    may; commands pass False and write beside it. `clock` is SQLite's clock; PostgreSQL has its own.
    Raises errors.SettingsError when the URL or what it names cannot be used.
    """
    async with (
        _open_engine(url, clock, serving) as engine,
        Writer(engine, KINDS) as writer,
    ):
        yield Store(SqlLedger(engine, writer), SqlOutbox(engine, writer), SqlDirectory(engine, writer), engine, writer)


@asynccontextmanager
async def _open_engine(url: str, clock: Callable[[], int], serving: bool) -> AsyncIterator[Engine]:
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite" and rest.startswith("/") and len(rest) > 1:
        async with open_sqlite(Path(rest[1:]), clock, serving) as engine:
            yield engine
    elif scheme in ("postgresql", "postgres"):
        # The driver is an extra, and costs start-up time that SQLite's users need not pay.
        from collector.store.postgres import open_postgres

        async with open_postgres(url) as server:
            yield server
    else:
        raise SettingsError(["COLLECTOR_DATABASE_URL: must be sqlite:///path or postgresql://…"])
