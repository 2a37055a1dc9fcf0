"""A PostgreSQL as it is after its first hours, where `tests.postgres` starts one for the occasion.

A new server makes every file of its log when it gets there: 16 MB of zeros and a sync, 50 ms in which no commit ends. A server that has run for a
while writes over old ones. So those of half a gigabyte are made before anything is measured. A server that the environment names is left as it is.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from tests.postgres import OwnServer, PostgresServer, running_server

MEGABYTES = 1024


async def _season(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("ALTER SYSTEM SET min_wal_size = '1GB'")  # or the checkpoint would delete most of them
        await connection.execute("SELECT pg_reload_conf()")
        for _ in range(MEGABYTES // 64):
            await connection.execute(
                "SELECT count(pg_logical_emit_message(false, 'bench', repeat('x', 1048576))) FROM generate_series(1, 64)"
            )
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


@contextmanager
def seasoned_server() -> Iterator[PostgresServer | None]:
    """As tests.postgres.running_server, seasoned."""
    with running_server() as server:
        if isinstance(server, OwnServer):
            asyncio.run(_season(server.dsn))
        yield server
