"""A backend that is killed in the middle of COMMIT, just before it happens or just after: the answer is lost, the truth is not."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from collector.store import postgres
from collector.store.engine import Interrupted, Rows, Step
from collector.store.face import Taken
from collector.store.opening import open_store
from tests.contract.samples import SHOP, delivery, landing, purchase, record, settlement, standing, stored
from tests.postgres import OwnServer, find_binaries, own_server

pytestmark = pytest.mark.anyio

DEFERRED = """
    CREATE FUNCTION stand_still() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN PERFORM pg_advisory_xact_lock(42); RETURN NULL; END';
    CREATE CONSTRAINT TRIGGER stand_still AFTER INSERT OR UPDATE ON deliveries DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION stand_still();
    SELECT pg_advisory_lock(42);
"""
WAITING = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event = $1 AND pid <> pg_backend_pid()"


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    """A server whose settings may be changed."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("only a server of our own may be made to wait in COMMIT")
    with own_server(binaries) as running:
        yield running


@pytest.fixture
def dsn(server: OwnServer) -> Iterator[str]:
    with server.database() as name:
        yield name


@asynccontextmanager
async def before(other: Any) -> AsyncIterator[str]:
    """COMMIT stands still before it has happened: a deferred trigger waits for a lock."""
    await other.execute(DEFERRED)
    yield "advisory"
    await other.execute("SELECT pg_advisory_unlock(42)")


@asynccontextmanager
async def after(other: Any) -> AsyncIterator[str]:
    """COMMIT stands still when it has happened: it waits for a standby that is not there."""
    await other.execute("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    await other.execute("SELECT pg_reload_conf()")
    yield "SyncRep"
    await other.execute("ALTER SYSTEM RESET synchronous_standby_names")
    await other.execute("SELECT pg_reload_conf()")


async def kill_in_commit(other: Any, wait_event: str) -> int:
    """Wait until backends stand still in COMMIT, and end them."""
    async with asyncio.timeout(10):
        while not (found := await other.fetch(WAITING, wait_event)):
            pass
    for row in found:
        await other.execute("SELECT pg_terminate_backend($1)", row["pid"])
    return len(found)


@pytest.mark.parametrize("moment", [before, after])
async def test_a_backend_killed_in_commit_costs_and_doubles_nothing(dsn: str, moment: Any) -> None:
    async with open_store(dsn, serving=True) as store:
        claim = await stored(store, None, "sending")
        store.writer._patience = 10
        other = await asyncpg.connect(dsn)
        async with moment(other) as wait_event:
            events = [purchase() for _ in range(20)]
            takes = [store.ledger.take(event, delivery(event), record(event), (), 1) for event in events]
            work = asyncio.gather(*takes, store.outbox.settle([settlement(claim)]), store.ledger.land(landing(), 1))
            assert await kill_in_commit(other, wait_event) > 0
        *taken, settled, _ = await work
        await other.close()
        assert taken == [Taken(won=True)] * 20
        assert settled == [True]
        assert len(await store.ledger.events(SHOP, None, None, None, None, 100)) == 21
        assert len(await store.ledger.records(SHOP, None, 100)) == 21
        assert (await standing(store, claim.event)).delivery.state == "delivered"
        assert [each.number for each in await store.ledger.attempts(SHOP, claim.event.id)] == [1]
        found = await store.ledger.landing(SHOP, "ref-1")
        assert found is not None
        assert found.hits == 1
        assert len(await store.outbox.claim(claim.delivery.lane, 100, 1000)) == 20


@pytest.mark.parametrize("moment", [before, after])
async def test_a_claim_killed_in_commit_is_found_again(dsn: str, moment: Any) -> None:
    async with open_store(dsn, serving=True) as store:
        rows = [await stored(store) for _ in range(3)]
        store.writer._patience = 10
        other = await asyncpg.connect(dsn)
        async with moment(other) as wait_event:
            work = asyncio.create_task(store.outbox.claim(rows[0].delivery.lane, 10, 60_000))
            assert await kill_in_commit(other, wait_event) == 1
        claimed = {each.event.id for each in await work}
        found = [await standing(store, row.event) for row in rows]
        assert {each.delivery.state for each in found} == {"sending"}
        assert {each.delivery.attempts for each in found} == {1}
        assert claimed == {row.event.id for row in rows}
        await other.close()


async def test_a_server_that_does_not_answer_is_not_asked_for_a_rollback(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would keep callers waiting for as long again."""
    asked: list[object] = []

    async def silence(*_given: object) -> Rows:
        raise TimeoutError

    async def roll_back(connection: object) -> None:
        asked.append(connection)

    async with open_store(dsn, serving=True) as store:
        row = await stored(store)
        with monkeypatch.context() as patched:
            patched.setattr(postgres, "_roll_back", roll_back)
            patched.setattr(store.engine, "_fetch", silence)
            with pytest.raises(Interrupted):
                await store.engine.commit([Step("take", {"rows": []})])
        assert asked == []
        assert len(await store.outbox.claim(row.delivery.lane, 1, 1000)) == 1
