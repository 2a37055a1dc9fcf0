"""Databases that cannot be written for a while."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg


@contextmanager
def no_writes(database_url: str) -> Iterator[None]:
    """Nothing can be stored until the block ends: another process holds SQLite's lock, or PostgreSQL lets nobody in."""
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
            other.execute("ROLLBACK")
        return
    name = urlsplit(database_url).path.removeprefix("/")
    try:
        _administer(
            database_url,
            f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS false",
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'",
        )
        yield
    finally:
        _administer(database_url, f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS true")


def lapse_leases(database_url: str) -> None:
    """Let every lease in a PostgreSQL store end now, as if a minute had passed."""
    _run(database_url, "UPDATE deliveries SET lease_until = 0 WHERE state = 'sending'")


def _administer(database_url: str, *statements: str) -> None:
    _run(urlunsplit(urlsplit(database_url)._replace(path="/postgres")), *statements)


def _run(dsn: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(run())
