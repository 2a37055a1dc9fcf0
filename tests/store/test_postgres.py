"""What only the PostgreSQL engine does: a DSN with options, a server that goes away and comes back."""

import asyncio
from typing import Any

import asyncpg
import pytest

from collector.errors import SettingsError
from collector.store import postgres
from collector.store.engine import Step
from collector.store.face import Taken
from collector.store.opening import Store, open_store
from collector.store.postgres import READERS, WRITERS, PostgresEngine
from tests.contract.samples import SHOP, delivery, lane, purchase, record, stored

pytestmark = pytest.mark.anyio


def with_option(dsn: str, option: str) -> str:
    return f"{dsn}{'&' if '?' in dsn else '?'}{option}"


async def test_statements_need_not_be_cached(postgres_dsn: str) -> None:
    """A pooler in transaction mode knows no prepared statements."""
    async with open_store(with_option(postgres_dsn, "statement_cache_size=0"), serving=True) as store:
        assert [(await stored(store)).delivery.state for _ in range(3)] == ["pending"] * 3


async def test_the_search_path_chooses_the_schema(postgres_dsn: str) -> None:
    connection = await asyncpg.connect(postgres_dsn)
    await connection.execute("CREATE SCHEMA elsewhere")
    async with open_store(with_option(postgres_dsn, "search_path=elsewhere"), serving=True) as store:
        await stored(store)
    assert await connection.fetchval("SELECT count(*) FROM elsewhere.events") == 1
    assert await connection.fetchval("SELECT to_regclass('public.events')") is None
    await connection.close()


@pytest.mark.parametrize("option", ["statement_cache_size=many", "search_path=nowhere", "port=1&host=127.0.0.1"])
async def test_a_server_that_cannot_be_used_is_a_settings_error(postgres_dsn: str, option: str) -> None:
    dsn = with_option(postgres_dsn.partition("?")[0] if "host" in option else postgres_dsn, option)
    with pytest.raises(SettingsError, match="COLLECTOR_DATABASE_URL"):
        async with open_store(dsn, serving=True):
            pytest.fail("it opened")


async def test_commits_keep_their_connections_and_reads_have_others(postgres_dsn: str) -> None:
    """Whatever commits hold, every read finds a connection; and what was lost while nobody used it costs nobody a call."""
    other = await asyncpg.connect(postgres_dsn)
    backends = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"

    async with open_store(postgres_dsn, serving=True) as store:
        assert isinstance(store.engine, PostgresEngine)
        await asyncio.gather(*(store.outbox.claim(lane(), 1, 1000) for _ in range(3 * WRITERS)))
        kept = held(store)
        assert len(kept) == WRITERS
        await asyncio.wait_for(asyncio.gather(*(store.outbox.due() for _ in range(3 * READERS))), 10)
        await stored(store)
        assert set(held(store)) == set(kept)
        for row in await other.fetch(backends):
            await other.execute("SELECT pg_terminate_backend($1, 5000)", row[0])
        while any(postgres._is_open(each) for each in kept):  # noqa: ASYNC110  # nobody signals that the news of their end has come
            await asyncio.sleep(0)
        assert (await stored(store)).delivery.state == "pending"
        assert not set(held(store)) & set(kept)
    assert await other.fetch(backends) == []
    await other.close()


def held(store: Store) -> list[Any]:
    """The connections that wait for the next commit."""
    assert isinstance(store.engine, PostgresEngine)
    return [connection for connection, _ in store.engine._kept]


async def test_a_connection_that_waited_for_long_is_not_used_again(
    postgres_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Something between may have dropped it without a word, and a commit would wait for its answer."""
    async with open_store(postgres_dsn, serving=True) as store:
        await stored(store)
        kept = held(store)
        await stored(store)
        assert held(store) == kept
        monkeypatch.setattr(postgres, "KEPT_SECONDS", -1.0)
        await stored(store)
        assert len(held(store)) == 1
        assert held(store) != kept
        assert not postgres._is_open(kept[0])


async def test_the_end_waits_for_a_commit_under_way_and_not_longer(postgres_dsn: str) -> None:
    other = await asyncpg.connect(postgres_dsn)
    async with open_store(postgres_dsn, serving=True) as store:
        async with other.transaction():
            await other.execute("LOCK TABLE directory IN ACCESS EXCLUSIVE MODE")
            late = asyncio.create_task(store.engine.commit([Step("clock")], 1))
            while not await other.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"):
                pass
            end = asyncio.create_task(store.engine.close())
            await asyncio.sleep(0)
        await asyncio.wait_for(end, postgres.COMMAND_SECONDS / 2)
        assert len(await late) == 1
        assert held(store) == []
    await other.close()


async def test_backends_killed_under_load_lose_and_double_nothing(postgres_dsn: str) -> None:
    other = await asyncpg.connect(postgres_dsn)
    killed = 0

    async def kill() -> int:
        return int(await other.fetchval(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ))  # fmt: skip

    async with open_store(postgres_dsn, serving=True) as store:

        async def produce(number: int) -> list[Taken]:
            nonlocal killed
            taken = []
            for turn in range(10):
                event = purchase(event_id=f"{number}-{turn}")
                taken.append(await store.ledger.take(event, delivery(event), record(event), (), 1))
                if number == 0:
                    killed += await kill()
            return taken

        results = await asyncio.gather(*(produce(number) for number in range(20)))
        assert killed >= 10
        assert all(taken.won for many in results for taken in many)
        assert len(await store.ledger.events(SHOP, None, None, None, None, 1000)) == 200
        assert len(await store.ledger.records(SHOP, None, 1000)) == 200
    await other.close()
