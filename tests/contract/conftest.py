"""One store, twice: every contract test runs on SQLite and on PostgreSQL."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import asyncpg
import pytest

from collector.store.opening import Store, open_store
from tests.contract.samples import NOW
from tests.postgres import PostgresServer

_schemas = itertools.count()


class Clock(Protocol):
    """The store's clock, set by hand."""

    async def set(self, ms: int) -> None: ...


class InjectedClock:
    """SQLite asks the process."""

    def __init__(self) -> None:
        self.ms = NOW

    def __call__(self) -> int:
        return self.ms

    async def set(self, ms: int) -> None:
        self.ms = ms


class ReplacedClock:
    """PostgreSQL asks its function now_ms(), which the test replaces in its own database."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn

    async def set(self, ms: int) -> None:
        connection = await asyncpg.connect(self._dsn)
        try:
            await connection.execute(
                f"CREATE OR REPLACE FUNCTION now_ms() RETURNS BIGINT LANGUAGE sql VOLATILE AS 'SELECT CAST({ms} AS BIGINT)'"
            )
        finally:
            await connection.close()


@pytest.fixture(params=["sqlite", "postgres"])
def engine_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def contract_dsn(postgres_server: PostgresServer) -> Iterator[str]:
    """One PostgreSQL database for the whole suite: each test has a schema in it."""
    with postgres_server.database() as dsn:
        yield dsn


@pytest.fixture
def url(engine_name: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """An empty store."""
    if engine_name == "sqlite":
        return f"sqlite:///{tmp_path}/collector.db"
    dsn, schema = request.getfixturevalue("contract_dsn"), f"test_{next(_schemas)}"
    asyncio.run(create_schema(dsn, schema))
    return f"{dsn}{'&' if '?' in dsn else '?'}search_path={schema}"


async def create_schema(dsn: str, schema: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"CREATE SCHEMA {schema}")
    finally:
        await connection.close()


@pytest.fixture
def clock(engine_name: str, url: str) -> Clock:
    return InjectedClock() if engine_name == "sqlite" else ReplacedClock(url)


@pytest.fixture
async def store(url: str, clock: Clock) -> AsyncIterator[Store]:
    """An open store whose clock stands at NOW."""
    async with open_store(
        url, clock=clock if isinstance(clock, InjectedClock) else InjectedClock(), serving=True
    ) as opened:
        await clock.set(NOW)
        yield opened
