"""Trouble below: what was acknowledged is stored once, the rest hears Unavailable, and all recovers by itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import aiosqlite
import asyncpg
import pytest
from msgspec.structs import replace

from collector.attribution import Click
from collector.errors import Unavailable, Uncertain
from collector.store.engine import Engine, Interrupted, Params, Rows, Step
from collector.store.face import StaleDirectory, StoredEvent, Taken, Wait
from collector.store.ledger import SqlLedger
from collector.store.opening import KINDS, Store
from collector.store.outbox import SqlOutbox
from collector.store.writer import Writer
from tests.contract.samples import (
    CLICK,
    NOW,
    SHOP,
    delivery,
    landing,
    link,
    purchase,
    record,
    revised,
    settlement,
    standing,
    stored,
)

pytestmark = pytest.mark.anyio


class Troubled:
    """An engine that is in the way of the real one: commits fail before they begin, or lose their answer after they have happened."""

    def __init__(self, engine: Engine, before: int = 0, after: int = 0) -> None:
        self._engine = engine
        self.writers = engine.writers
        self.before = before
        self.after = after

    async def read(self, name: str, params: Params | None = None) -> Rows:
        return await self._engine.read(name, params)

    async def commit(self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False) -> list[Rows]:
        if self.before:
            self.before -= 1
            raise Interrupted("the connection was refused")
        results = await self._engine.commit(steps, version, exclusive)
        if self.after:
            self.after -= 1
            raise Interrupted("the connection was lost in COMMIT")
        return results

    async def now_ms(self) -> int:
        return await self._engine.now_ms()

    async def migrate(self) -> None:
        await self._engine.migrate()

    async def close(self) -> None:
        await self._engine.close()


class Blind(Troubled):
    """It writes, and cannot read."""

    async def read(self, name: str, params: Params | None = None) -> Rows:
        raise Interrupted("the connection was lost")


class ThenStale(Troubled):
    """By the time a commit is run again, the directory has changed."""

    async def commit(self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False) -> list[Rows]:
        if not self.after:
            raise StaleDirectory(2)
        return await super().commit(steps, version, exclusive)


@asynccontextmanager
async def behind(store: Store, engine: Engine, patience_seconds: float = 30.0) -> AsyncIterator[Store]:
    """The same store with another writer: over `engine`, with its own patience."""
    async with Writer(engine, KINDS, patience_seconds=patience_seconds) as writer:
        yield Store(SqlLedger(engine, writer), SqlOutbox(engine, writer), store.directory, engine, writer)


async def test_a_commit_whose_answer_was_lost_is_run_again_and_tells_the_truth(store: Store) -> None:
    refused, waits, claim = (
        await stored(store, None, "dead", reason="rejected"),
        purchase(click=Click()),
        await stored(store, None, "sending"),
    )
    await store.ledger.take(waits, delivery(waits, "unmatched"), record(waits), (Wait(kind="ref", id="r"),), 1)
    unmatched = await standing(store, waits)
    first, second = purchase(event_id="same"), purchase(event_id="same")
    corrected = revised(refused.event)
    released = replace(unmatched.event, click=CLICK)
    async with behind(store, Troubled(store.engine, after=2)) as troubled:
        won, lost, *results = await asyncio.gather(
            troubled.ledger.take(first, delivery(first), record(first), (), 1),
            troubled.ledger.take(second, delivery(second), record(second), (), 1),
            troubled.ledger.correct(refused, corrected, delivery(corrected, revision=2), record(corrected)),
            troubled.ledger.release(unmatched, released, delivery(released, due_at=NOW + 1), None),
            troubled.ledger.land(landing(), 1),
            troubled.ledger.link(link(), 1),
            troubled.ledger.note(record(first, event_row=None), 1),
            troubled.outbox.settle([settlement(claim)]),
        )
    assert (won, lost) == (Taken(won=True), Taken(won=False, standing=await standing(store, first)))
    assert results == [True, True, None, None, None, [True]]
    assert len(await store.ledger.records(SHOP, None, 100)) == 6
    found = await store.ledger.landing(SHOP, "ref-1")
    assert found is not None
    assert found.hits == 1


async def test_a_short_trouble_is_heard_by_nobody(store: Store) -> None:
    async with behind(store, Troubled(store.engine, before=3)) as troubled:
        assert (await stored(troubled)).delivery.state == "pending"


async def test_a_long_trouble_is_unavailable_and_leaves_nothing(store: Store) -> None:
    event = purchase()
    async with behind(store, Troubled(store.engine, before=10**9), patience_seconds=0.05) as troubled:
        with pytest.raises(Unavailable, match="refused"):
            await troubled.ledger.take(event, delivery(event), record(event), (), 1)
        with pytest.raises(Unavailable):
            await troubled.outbox.claim("meta:any", 1, 1000)
    assert await store.ledger.event(SHOP, event.id) is None


async def test_a_commit_that_may_have_happened_is_uncertain(store: Store) -> None:
    event = purchase()
    async with behind(store, Troubled(store.engine, after=10**9), patience_seconds=0.05) as troubled:
        with pytest.raises(Uncertain):
            await troubled.ledger.take(event, delivery(event), record(event), (), 1)
    assert await store.ledger.event(SHOP, event.id) is not None


async def test_events_that_are_stored_beside_one_whose_rival_cannot_be_read_are_uncertain(store: Store) -> None:
    rival, fresh, late = purchase(event_id="same"), purchase(), purchase(event_id="same")
    await store.ledger.take(rival, delivery(rival), record(rival), (), 1)
    takes = [(event, delivery(event), record(event), ()) for event in (fresh, late)]
    async with behind(store, Blind(store.engine)) as blind:
        with pytest.raises(Uncertain):
            await blind.ledger.take_all(takes, 1)
    assert await store.ledger.event(SHOP, fresh.id) is not None


async def test_a_directory_that_changed_after_an_answer_was_lost_tells_nothing(store: Store) -> None:
    event = purchase()
    async with behind(store, ThenStale(store.engine, after=1)) as troubled:
        with pytest.raises(Uncertain):
            await troubled.ledger.take(event, delivery(event), record(event), (), 1)


async def test_a_database_that_another_holds_is_unavailable_until_it_lets_go(store: Store, url: str) -> None:
    event = purchase()
    async with behind(store, store.engine, patience_seconds=0.05) as impatient:
        async with holding(url):
            with pytest.raises(Unavailable):
                await impatient.ledger.take(event, delivery(event), record(event), (), 1)
        assert (await impatient.ledger.take(event, delivery(event), record(event), (), 1)).won
    assert len(await store.ledger.event_records(SHOP, event.id)) == 1


def holding(url: str) -> AbstractAsyncContextManager[None]:
    """Lock the database from outside, as a backup or a forgotten transaction would."""
    return holding_file(Path(url.removeprefix("sqlite:///"))) if url.startswith("sqlite") else holding_table(url)


@asynccontextmanager
async def holding_file(path: Path) -> AsyncIterator[None]:
    async with aiosqlite.connect(path, isolation_level=None) as other:
        await other.execute("BEGIN IMMEDIATE")
        yield
        await other.execute("ROLLBACK")


@asynccontextmanager
async def holding_table(url: str) -> AsyncIterator[None]:
    other = await asyncpg.connect(url)
    try:
        async with other.transaction():
            await other.execute("LOCK TABLE events IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await other.close()


async def test_a_claim_whose_answer_was_lost_has_what_it_took_and_no_more(store: Store) -> None:
    first, second, third = [await stored(store) for _ in range(3)]
    async with behind(store, Troubled(store.engine, after=1)) as troubled:
        claimed = await troubled.outbox.claim(first.delivery.lane, 2, 60_000)
    assert {each.event.id for each in claimed} == {first.event.id, second.event.id}
    assert {each.delivery.attempts for each in claimed} == {1}
    assert (await standing(store, third.event)).delivery.state == "pending"


async def test_a_release_that_is_run_again_takes_nothing_from_who_claimed_meanwhile(store: Store) -> None:
    event = (await stored(store)).event
    taken: list[StoredEvent] = []

    class Between(Troubled):
        """Another process claims before the release is run again."""

        async def commit(
            self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False
        ) -> list[Rows]:
            results = await self._engine.commit(steps, version, exclusive)
            if not taken:
                taken.extend(await store.outbox.claim(mine.delivery.lane, 1, 60_000))
                raise Interrupted("the connection was lost in COMMIT")
            return results

    (mine,) = await store.outbox.claim((await standing(store, event)).delivery.lane, 1, 60_000)
    async with behind(store, Between(store.engine)) as troubled:
        await troubled.outbox.release([mine], NOW)
    (theirs,) = taken
    found = (await standing(store, event)).delivery
    assert (found.state, found.attempts, theirs.delivery.attempts) == ("sending", 1, 1)
    await store.outbox.release([theirs], NOW)
    assert (await standing(store, event)).delivery.state == "pending"


async def test_a_step_that_no_dialect_has_is_a_fault_of_ours_and_no_silence(store: Store) -> None:
    """One that only the other dialect has is left out: a misspelt one must not be taken for it."""
    with pytest.raises(KeyError, match="clame"):
        await store.engine.commit([Step("clame", {"rows": [("lane", 1, 1000, "lease")]})])
    assert (await store.ledger.take(event := purchase(), delivery(event), record(event), (), 1)).won
