"""The PostgreSQL engine: a small pool, many processes."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from collector.errors import SettingsError
from collector.store.engine import (
    BadRow,
    Interrupted,
    Params,
    Rows,
    Step,
    for_postgres,
    load,
    marked,
    migrations,
    newer,
)
from collector.store.face import StaleDirectory
from collector.store.postgres_function import Function

WHOLE = ("take", "settle", "claim")
"""The statements that are functions."""
JOINED = ("settle",)
"""Those of them that join their rows with a table."""
READERS = 4
WRITERS = 4
"""Group commits, claims and directory changes at once; reads cannot take these connections."""
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 10.0
KEPT_SECONDS = 240.0
"""How long a connection waits for the next commit: the pool drops its own after five minutes, and so do balancers, without a word."""

# Locks of this schema only: several collectors may share a database. The class says whose locks they are ("cnct").
_LOCK = "(1668178804, hashtext(current_schema()))"

# One round trip. The function stands in the schema: it sets what the statements want, takes the lock and asks for the version. What is
# written most (an event alone) is a function too, which begins in the same way: then a whole commit is one round trip.
_BEGIN = "BEGIN; SELECT begin_write({exclusive}, {version})"

_STALE = "CN001"
"""The error by which `begin_write` says that the directory is at another version, which is its message."""

_DATA_ERRORS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    asyncpg.CardinalityViolationError,
)
_CONNECTION_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""After one of these a connection may be in any state: it is cut, and the pool opens another."""


class _Connection(asyncpg.Connection):
    """A connection that is given back without a round trip (nothing here changes a session) and that forgets its plans now and then."""

    _begun = 0

    def get_reset_query(self) -> str:
        return ""

    def forgets(self) -> bool:
        """Count a transaction, and say whether to drop all plans before it.

        A plan made while a table was small can be a scan that is never revised; so all go whenever their use has doubled.
        """
        self._begun += 1
        return not self._begun & (self._begun - 1)


def _begin(exclusive: bool, version: int | None) -> str:
    """How a transaction begins that relies on that version of the directory, or on none."""
    return _BEGIN.format(exclusive=str(exclusive).upper(), version="NULL" if version is None else int(version))


@contextmanager
def _named_errors() -> Iterator[None]:
    """Tell what the data is to blame for from what may pass."""
    try:
        yield
    except _DATA_ERRORS as error:
        raise BadRow(str(error)) from error
    except (OverflowError, UnicodeEncodeError) as error:
        raise BadRow(str(error)) from error
    except (asyncpg.PostgresError, *_CONNECTION_ERRORS) as error:
        if getattr(error, "sqlstate", None) == _STALE:
            raise StaleDirectory(int(str(error))) from None
        raise Interrupted(str(error) or type(error).__name__) from error


class PostgresEngine:
    """Engine over a PostgreSQL database. Open it with `open_postgres`."""

    writers = 2

    def __init__(self, pool: Any) -> None:
        self._pool = pool
        written = load("postgres")
        self._others = load("sqlite").keys() - written.keys()
        self._whole = {name: Function(name, written.pop(name), name in JOINED) for name in WHOLE}
        self._columns = {name: statement.columns for name, statement in written.items()}
        self._statements = {name: for_postgres(statement) for name, statement in written.items()}
        self._reads = asyncio.Semaphore(READERS)
        self._writes = asyncio.Semaphore(WRITERS)
        self._kept: list[tuple[Any, float]] = []
        self._closing = False

    async def read(self, name: str, params: Params | None = None) -> Rows:
        """Rows of a reading statement."""
        with _named_errors():
            async with self._reads, self._pool.acquire() as connection:
                try:
                    return await self._fetch(connection, name, params or {})
                except _CONNECTION_ERRORS:
                    _cut(connection)
                    raise

    async def _fetch(self, connection: Any, name: str, params: Params, version: int | None = None) -> Rows:
        """What a statement finds. `version` is of the directory; a function asks for it, where it is a commit of its own."""
        if "rows" in params and not params["rows"]:
            return []
        values: Sequence[Any]
        if name in self._whole:
            text, values = self._whole[name].call, self._whole[name].given(version, params["rows"])
        elif "rows" in params:
            text, (texts, *marks) = self._statements[name][0], marked(self._columns[name], params["rows"])
            values = [*texts, *marks]
        else:
            text, names = self._statements[name]
            values = [params[name] for name in names]
        rows: Rows = await connection.fetch(text, *values)
        return rows

    @asynccontextmanager
    async def _writer(self) -> AsyncIterator[Any]:
        """A connection to commit with: that of the last commit, which stays at hand (the pool makes a task of every return)."""
        now = asyncio.get_running_loop().time
        async with self._writes:
            connection = None
            while self._kept and connection is None:
                connection, since = self._kept.pop()
                if now() - since > KEPT_SECONDS or not _is_open(connection):
                    _cut(connection)
                    connection = None
            connection = connection or await self._pool.acquire()
            keep = False
            try:
                yield connection
                keep = not self._closing
            finally:
                if keep:
                    self._kept.append((connection, now()))
                else:
                    await self._pool.release(connection)

    async def commit(self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False) -> list[Rows]:
        """All steps in one transaction, under this schema's lock: shared, or `exclusive` for a change of the directory."""
        steps = [step for step in steps if step.name not in self._others]
        with _named_errors():
            async with self._writer() as connection:
                try:
                    if connection.forgets():
                        await connection.execute("DISCARD PLANS")
                    if not exclusive and len(steps) == 1 and steps[0].name in self._whole:
                        return [await self._fetch(connection, steps[0].name, steps[0].given([]) or {}, version)]
                    await connection.execute(_begin(exclusive, version))
                    results = await self._run(connection, steps)
                    await connection.execute("COMMIT")
                except _CONNECTION_ERRORS:  # a ROLLBACK would wait for the same dead server
                    _cut(connection)
                    raise
                except BaseException:
                    await _roll_back(connection)
                    raise
                return results

    async def _run(self, connection: Any, steps: Sequence[Step]) -> list[Rows]:
        results: list[Rows] = []
        for step in steps:
            params = step.given(results)
            results.append([] if params is None else await self._fetch(connection, step.name, params))
        return results

    async def now_ms(self) -> int:
        """The server's clock."""
        return int((await self.read("clock"))[0][0])

    async def migrate(self) -> None:
        """Apply what is missing, in one transaction; a second process waits for the lock and finds it done."""
        steps = migrations("postgres")
        with _named_errors():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(f"SELECT pg_advisory_xact_lock{_LOCK}")
                await connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)")
                version = await connection.fetchval("SELECT max(version) FROM schema_version") or 0
                if version > steps[-1][0]:
                    raise SettingsError([newer(version, steps[-1][0])])
                for number, text in steps:
                    if number > version:
                        await connection.execute(text)
                for function in self._whole.values():
                    await function.create(connection)
                await connection.execute("DELETE FROM schema_version")
                await connection.execute("INSERT INTO schema_version (version) VALUES ($1)", steps[-1][0])

    async def close(self) -> None:
        """Give the connections back; those that do not answer are cut."""
        self._closing = True
        while self._kept:
            await self._pool.release(self._kept.pop()[0])
        try:
            await asyncio.wait_for(self._pool.close(), COMMAND_SECONDS)
        except TimeoutError:
            self._pool.terminate()


async def _roll_back(connection: Any) -> None:
    """Leave no transaction open."""
    try:
        if not connection.is_closed():
            await connection.execute("ROLLBACK", timeout=CONNECT_SECONDS)
    except (asyncpg.PostgresError, *_CONNECTION_ERRORS):
        _cut(connection)


def _is_open(connection: Any) -> bool:
    """False also for one that the pool took back because it was lost."""
    with suppress(asyncpg.InterfaceError):
        return not connection.is_closed()
    return False


def _cut(connection: Any) -> None:
    with suppress(asyncpg.InterfaceError):
        connection.terminate()


def _options(url: str) -> tuple[str, dict[str, Any]]:
    """Take `statement_cache_size` out of the DSN: it is the driver's (0 behind a pooler in transaction mode), not the server's."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    size = query.pop("statement_cache_size", None)
    if size is not None and not size.isdecimal():
        raise SettingsError(["COLLECTOR_DATABASE_URL: statement_cache_size must be a number"])
    return urlunsplit(parts._replace(query=urlencode(query))), {} if size is None else {
        "statement_cache_size": int(size)
    }


@asynccontextmanager
async def open_postgres(url: str) -> AsyncIterator[PostgresEngine]:
    """Open the database that the DSN names and migrate the first schema of its search_path (`?search_path=…` chooses one).

    Raises errors.SettingsError when it cannot be used.
    """
    dsn, options = _options(url)
    pool = asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=READERS + WRITERS,
        timeout=CONNECT_SECONDS,
        command_timeout=COMMAND_SECONDS,
        connection_class=_Connection,
        **options,
    )
    try:
        await pool
    except (OverflowError, UnicodeEncodeError) as error:
        raise BadRow(str(error)) from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError, ValueError) as error:
        raise SettingsError(
            [f"COLLECTOR_DATABASE_URL: PostgreSQL cannot be reached: {str(error) or type(error).__name__}"]
        ) from error
    engine = PostgresEngine(pool)
    try:
        try:
            await engine.migrate()
        except (Interrupted, BadRow) as error:
            raise SettingsError([f"COLLECTOR_DATABASE_URL: the database cannot be prepared: {error}"]) from error
        yield engine
    finally:
        await engine.close()
