"""The SQLite engine: one writing connection, a few reading ones, each on a thread of its own."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, Self

import aiosqlite

from collector.errors import SettingsError
from collector.store.engine import BadRow, Interrupted, Params, Rows, Step, for_sqlite, load
from collector.store.face import StaleDirectory
from collector.store.sqlite_file import migrate, prepare, serving_lock, transact, trickle

READERS = 3
BUSY_MS = 500
"""How long SQLite itself waits for another process's write; the writer retries beyond that."""
OPENING_MS = 5000
"""The same while the database is opened and brought to this code's schema: several commands may begin on a new one at once."""
CHECKPOINT_BYTES = 8 * 1024 * 1024
"""A log whose file is at least so long is copied into the database. Then it begins anew, and the file gets no shorter than LOG_BYTES."""
REST_SECONDS = 0.5
"""But not again so soon: a page that many commits change is copied once, and each copy asks for syncs that commits wait behind."""
PASSES = 3
"""So many copies beside the writes, before the one between two of them."""
OLDEST = (3, 37, 0)
"""The first SQLite with STRICT tables (UPDATE … FROM, RETURNING and MATERIALIZED are older)."""
LOG_BYTES = 64 * 1024 * 1024
"""What a burst leaves the log's file to be, at most."""
FEW_ROWS = 32
"""Rows that go into one call of a statement, however many they are: each call costs its thread a wait for Python's lock, or two."""
MOST_ROWS = 128
"""More rows are cut into powers of two, at most this, so that few texts have to be prepared."""
WHOLE = ("take", "settle")
"""Statements that may be a commit by themselves: they look at the directory's version, or rely on none."""

_DATA_ERRORS = {
    sqlite3.SQLITE_ERROR, sqlite3.SQLITE_TOOBIG, sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_RANGE,
}  # fmt: skip


class _Connection(aiosqlite.Connection):
    """An aiosqlite connection that runs a whole function on its thread: one hop for a transaction instead of one for each statement."""

    _stopped: asyncio.Future[Any] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self
        except BaseException:
            if self._stopped is not None:
                await self._stopped  # the thread's last word goes to this loop, which must not be closed by then
            raise
        return self

    def stop(self) -> asyncio.Future[Any] | None:
        self._stopped = super().stop()
        return self._stopped

    async def run(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        return await self._execute(work, self._conn)  # type: ignore[no-untyped-call]  # the one protected call; see above


@contextmanager
def _named_errors() -> Iterator[None]:
    """Tell what the data is to blame for from what may pass."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        if isinstance(error, sqlite3.OperationalError) and code is not None and code & 0xFF not in _DATA_ERRORS:
            raise Interrupted(str(error)) from error
        if isinstance(error, (sqlite3.OperationalError, sqlite3.IntegrityError, sqlite3.DataError)):
            raise BadRow(str(error)) from error
        raise Interrupted(str(error)) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise BadRow(str(error)) from error


def _copy(connection: sqlite3.Connection) -> None:
    """Copy what may be copied of the log into the database, waiting for nobody."""
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()


def _is_whole(steps: Sequence[Step]) -> bool:
    """Whether one call of one statement is the whole commit: SQLite makes a transaction of it, and nobody asks three times for one."""
    return len(steps) == 1 and steps[0].name in WHOLE and len((steps[0].given([]) or {})["rows"]) <= FEW_ROWS


class _Statements:
    """The statements by name; those that take rows, by the number of rows too, so that each text is prepared once."""

    def __init__(self) -> None:
        self._written = load("sqlite")
        self._texts: dict[tuple[str, int], tuple[str, tuple[str, ...]]] = {}

    def run(self, connection: sqlite3.Connection, name: str, params: Params) -> Rows:
        if "rows" not in params:
            return connection.execute(self._get(name, 0)[0], params).fetchall()
        given, start = params["rows"], 0
        found: Rows = []
        while start < len(given):
            left = len(given) - start
            count = left if left <= FEW_ROWS else min(MOST_ROWS, 1 << left.bit_length() - 1)
            text, names = self._get(name, count)
            values = [*chain.from_iterable(given[start : start + count]), *(params[each] for each in names)]
            found += connection.execute(text, values).fetchall()
            start += count
        return found

    def _get(self, name: str, rows: int) -> tuple[str, tuple[str, ...]]:
        key = (name, rows)
        if key not in self._texts:
            self._texts[key] = for_sqlite(self._written[name], rows)
        return self._texts[key]


class SqliteEngine:
    """Engine over one SQLite file in WAL mode, every commit fsynced. Open it with `open_sqlite`."""

    writers = 1

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        self._path = path
        self._log = path.with_name(path.name + "-wal")
        self._clock = clock
        self._statements = _Statements()
        self._lost: Rows = []  # what triggers told of the rows of this step; the writer's thread alone has any
        self._stack = AsyncExitStack()
        self._readers: asyncio.LifoQueue[_Connection] = asyncio.LifoQueue()
        self._writer: _Connection
        self._sweeper: _Connection
        self._sweep: asyncio.Task[None] | None = None
        self._rested_at = 0.0

    async def start(self) -> None:
        """Open the connections; what was opened is closed again when one fails."""
        async with AsyncExitStack() as stack:
            with _named_errors():
                self._writer = await stack.enter_async_context(self._connection())
                self._sweeper = await stack.enter_async_context(self._connection())
                for _ in range(READERS):
                    self._readers.put_nowait(await stack.enter_async_context(self._connection("PRAGMA query_only = 1")))
            self._stack = stack.pop_all()

    def _connection(self, *more: str) -> _Connection:
        def connect() -> sqlite3.Connection:
            connection = sqlite3.connect(
                self._path,
                isolation_level=None,
                timeout=OPENING_MS / 1000,
                check_same_thread=False,
                cached_statements=256,
            )
            connection.create_function("now_ms", 0, self._clock)
            connection.create_function("lost", 2, lambda *key: self._lost.append(key))
            # Checkpoints are ours (see _tend); the rest of the hot path must not wait for one.
            for pragma in (
                "journal_mode = WAL",
                "synchronous = FULL",
                "wal_autocheckpoint = 0",
                f"journal_size_limit = {LOG_BYTES}",
                "temp_store = MEMORY",
                "cache_size = -32768",
                "trusted_schema = ON",  # our triggers call our functions, and some builds forbid that
                f"busy_timeout = {BUSY_MS}",
            ):
                connection.execute(f"PRAGMA {pragma}")
            for statement in more:
                connection.execute(statement)
            return connection

        return _Connection(connect, 64)

    async def read(self, name: str, params: Params | None = None) -> Rows:
        """Rows of a reading statement, on a connection that no write holds up."""
        reader = await self._readers.get()
        try:
            with _named_errors():
                rows: Rows = await reader.run(lambda connection: self._statements.run(connection, name, params or {}))
        finally:
            self._readers.put_nowait(reader)
        return rows

    async def commit(self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False) -> list[Rows]:
        """All steps in one transaction, fsynced. There is one writer, so every commit is exclusive."""
        with _named_errors():
            results: list[Rows] = await self._writer.run(lambda connection: self._run(connection, steps, version))
        self._tend()
        return results

    def _run(self, connection: sqlite3.Connection, steps: Sequence[Step], version: int | None) -> list[Rows]:
        def work() -> list[Rows]:
            self._check(connection, version)
            return self._all(connection, steps, version)

        if not _is_whole(steps):
            return transact(connection, work)
        try:
            return self._all(connection, steps, version)
        except sqlite3.IntegrityError:
            self._check(connection, version)
            raise

    def _check(self, connection: sqlite3.Connection, version: int | None) -> None:
        if version is not None:
            now = self._statements.run(connection, "version", {})[0][0]
            if now != version:
                raise StaleDirectory(now)

    def _all(self, connection: sqlite3.Connection, steps: Sequence[Step], version: int | None) -> list[Rows]:
        own = {"now": self._clock(), "version": version}
        results: list[Rows] = []
        for step in steps:
            self._lost.clear()
            params = step.given(results)
            rows = [] if params is None else self._statements.run(connection, step.name, {**own, **params})
            results.append(rows + self._lost)
        return results

    async def now_ms(self) -> int:
        """The injected clock: there is one process to ask."""
        return self._clock()

    async def migrate(self) -> None:
        """Apply what is missing, in one transaction."""

        def work(connection: sqlite3.Connection) -> None:
            connection.execute(f"PRAGMA busy_timeout = {OPENING_MS}")
            migrate(connection)
            connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")

        with _named_errors():
            await self._writer.run(work)

    def _tend(self) -> None:
        """Copy the log into the database on a connection of its own, beside the writes."""
        if (self._sweep is None or self._sweep.done()) and asyncio.get_running_loop().time() >= self._rested_at:
            with suppress(OSError):
                if self._log.stat().st_size > CHECKPOINT_BYTES:
                    self._sweep = asyncio.create_task(self._checkpoint())

    async def _checkpoint(self) -> None:
        """The log beside the writes, then what came meanwhile, and so on: the last, between two writes, must be little. Then it starts anew.

        SQLite syncs the database after the last alone: what the others wrote is on the disk by then, or commits would wait for all of it.
        """
        with suppress(sqlite3.Error, ValueError):  # the latter of a connection that was closed meanwhile
            for _ in range(PASSES):
                await self._sweeper.run(_copy)
                with suppress(OSError):  # a failed write is told to the sync that matters
                    await self._sweeper.run(lambda _: trickle(self._path))
            await self._writer.run(_copy)
        self._rested_at = asyncio.get_running_loop().time() + REST_SECONDS

    async def close(self) -> None:
        """Close every connection; an open one would keep the interpreter from ending."""
        try:
            if self._sweep is not None:
                await asyncio.wait([self._sweep])  # it is not cancelled with us
        finally:
            await self._stack.aclose()


@asynccontextmanager
async def open_sqlite(path: Path, clock: Callable[[], int], serving: bool) -> AsyncIterator[SqliteEngine]:
    """Open the database file, creating and migrating it; `serving` takes the lock that one process at a time can hold.

    Raises errors.SettingsError when the file cannot be used.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise SettingsError(
            [f"SQLite {sqlite3.sqlite_version} is too old: at least {'.'.join(map(str, OLDEST))} is needed"]
        )
    async with AsyncExitStack() as stack:
        try:
            prepare(path)
            if serving:
                stack.enter_context(serving_lock(path))
        except OSError as error:
            raise SettingsError([f"COLLECTOR_DATABASE_URL: {path} cannot be used: {error.strerror}"]) from error
        engine = SqliteEngine(path, clock)
        stack.push_async_callback(engine.close)
        try:
            await engine.start()
            await engine.migrate()
        except (Interrupted, BadRow) as error:
            raise SettingsError([f"COLLECTOR_DATABASE_URL: {path} cannot be used: {error}"]) from error
        yield engine
