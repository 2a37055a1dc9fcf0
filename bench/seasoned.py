"""A PostgreSQL as it is after its first hours, where `tests.postgres` starts one for the occasion.

A new server makes every file of its log when it gets there: 16 MB of zeros and a sync, 50 ms in which no commit ends; and the system clears the
memory of its buffers when each is first used. A server that has run for a while writes over old files and old buffers. So both are used once before
anything is measured. A server that the environment names is left as it is.
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
        await connection.execute("CREATE TABLE filler (text TEXT)")
        await connection.execute(
            "ALTER TABLE filler ALTER text SET STORAGE PLAIN"
        )  # neither compressed nor put elsewhere: a row a page
        await connection.execute(
            "INSERT INTO filler SELECT repeat('x', 7000) FROM generate_series(1, 32768)"
        )  # twice the buffers
        await connection.execute("DROP TABLE filler")
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
