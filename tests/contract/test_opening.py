"""Opening a store: migrations, several openers, and what is refused."""

import asyncio
from pathlib import Path

import aiosqlite
import asyncpg
import pytest

from collector.errors import SettingsError
from collector.store import engine
from collector.store.face import Taken
from collector.store.opening import Store, open_store
from tests.contract.samples import SHOP, business, delivery, lane, purchase, record, stored

pytestmark = pytest.mark.anyio


async def execute(url: str, statement: str) -> None:
    """Change the database behind the store's back."""
    if url.startswith("sqlite"):
        async with aiosqlite.connect(Path(url.removeprefix("sqlite:///"))) as file:
            await file.execute(statement)
            await file.commit()
    else:
        server = await asyncpg.connect(url)
        try:
            await server.execute(statement)
        finally:
            await server.close()


async def test_several_processes_that_start_at_once_migrate_once(url: str) -> None:
    async def start() -> int:
        async with open_store(url, serving=False) as store:
            await store.directory.put_business(business())
            return len((await store.directory.snapshot()).businesses)

    assert await asyncio.gather(*(start() for _ in range(4))) == [1, 1, 1, 1]


async def test_what_was_stored_is_there_after_a_restart(url: str) -> None:
    async with open_store(url, serving=True) as store:
        row = await stored(store)
    async with open_store(url, serving=True) as store:
        assert await store.ledger.event(SHOP, row.event.id) == row


async def test_a_database_of_a_later_release_is_refused_and_untouched(url: str) -> None:
    async with open_store(url, serving=True):
        pass
    await execute(url, "UPDATE schema_version SET version = 9999")
    with pytest.raises(SettingsError, match="version 9999"):
        async with open_store(url, serving=True):
            pytest.fail("it opened")
    await execute(url, "CREATE TABLE untouched AS SELECT version FROM schema_version WHERE version = 9999")


@pytest.mark.parametrize("old", range(len(engine.migrations("sqlite"))))
async def test_a_database_of_any_older_release_is_brought_forward(
    url: str, old: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if old:
        with monkeypatch.context() as patch:
            for module in ("sqlite", "postgres"):
                patch.setattr(f"collector.store.{module}.migrations", lambda dialect: engine.migrations(dialect)[:old])
            async with open_store(url, serving=True):
                pass
    async with open_store(url, serving=True) as store:
        assert (await stored(store)).delivery.state == "pending"


async def test_both_dialects_have_the_same_migrations() -> None:
    assert [number for number, _ in engine.migrations("sqlite")] == [
        number for number, _ in engine.migrations("postgres")
    ]


async def test_two_processes_share_keys_and_claims(store: Store, url: str) -> None:
    """On SQLite the second is a command beside the serving process."""
    async with open_store(url, serving=False) as second:
        races = []
        for number in range(40):
            for one in (store, second):
                event = purchase(event_id=f"order-{number}")
                races.append(one.ledger.take(event, delivery(event), record(event), (), 1))
        taken: list[Taken] = await asyncio.gather(*races)
        claims = await asyncio.gather(*(one.outbox.claim(lane(), 9, 60_000) for one in (store, second) * 5))
    assert [first.won + other.won for first, other in zip(taken[::2], taken[1::2], strict=True)] == [1] * 40
    ids = [claim.event.id for batch in claims for claim in batch]
    assert len(ids) == len(set(ids)) == 40


async def test_a_change_by_another_process_makes_the_old_directory_stale_at_once(store: Store, url: str) -> None:
    async with open_store(url, serving=False) as second:
        before = await store.directory.version()
        await second.directory.put_business(business())
        assert await store.directory.version() == before + 1
