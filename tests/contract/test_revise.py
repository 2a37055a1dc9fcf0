"""Corrections and releases: fenced by what the caller saw, one winner, everything in one commit."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from collector.attribution import Click
from collector.event import Event
from collector.store.face import StoredEvent, Wait
from collector.store.opening import Store
from tests.contract.samples import CLICK, NOW, SHOP, delivery, purchase, record, revised, settlement, standing, stored

pytestmark = pytest.mark.anyio


async def refused(store: Store) -> StoredEvent:
    claim = await stored(store, None, "sending")
    await store.outbox.settle([settlement(claim, "dead", "rejected")])
    return await standing(store, claim.event)


async def unmatched(store: Store, *waits: Wait) -> StoredEvent:
    event = purchase(click=Click())
    await store.ledger.take(event, delivery(event, "unmatched"), record(event), waits, await store.directory.version())
    return await standing(store, event)


async def correct(store: Store, before: StoredEvent, event: Event, state: str = "pending") -> bool:
    again = delivery(event, state, revision=event.revision, attempts=before.delivery.attempts)
    return await store.ledger.correct(before, event, again, record(event, duplicate=True))


async def test_a_correction_replaces_the_body_under_the_same_id_and_goes_on_counting(store: Store) -> None:
    before = await refused(store)
    event = revised(before.event, event_at=NOW - 1, currency="EUR", value_micros=2_000_000)
    assert await correct(store, before, event)
    after = await standing(store, before.event)
    assert after.event == event
    assert (after.delivery.state, after.delivery.reason, after.delivery.revision, after.delivery.attempts) == (
        "pending",
        None,
        2,
        1,
    )
    assert after.delivery.error is None
    [claim] = await store.outbox.claim(after.delivery.lane, 10, 1000)
    assert claim.delivery.attempts == 2
    assert [row["revision"] for row in await store.ledger.event_records(SHOP, event.id)] == [1, 2]


async def test_a_trigger_is_for_the_next_try_alone_and_survives_one_that_was_not_made(store: Store) -> None:
    before = await refused(store)
    event = revised(before.event)
    again = delivery(event, revision=2, attempts=1, trigger="corrected")
    assert await store.ledger.correct(before, event, again, record(event))
    assert (await standing(store, event)).delivery.trigger == "corrected"
    [claim] = await store.outbox.claim(again.lane, 1, 1000)
    await store.outbox.release([claim], NOW)
    [claim] = await store.outbox.claim(again.lane, 1, 1000)
    assert (claim.delivery.attempts, claim.delivery.trigger) == (2, "corrected")
    assert await store.outbox.settle([settlement(claim, "retrying", trigger="corrected")]) == [True]
    assert (await standing(store, event)).delivery.trigger is None
    [claim] = await store.outbox.claim(again.lane, 1, 1000)
    assert (claim.delivery.attempts, claim.delivery.trigger) == (3, None)


async def test_of_a_hundred_corrections_at_once_one_wins_and_only_its_body_and_record_stay(store: Store) -> None:
    before = await refused(store)
    events = [revised(before.event, digest=f"digest-{number}") for number in range(100)]
    won = await asyncio.gather(*(correct(store, before, event) for event in events))
    after = await standing(store, before.event)
    assert won.count(True) == 1
    assert after.event == events[won.index(True)]
    assert len(await store.ledger.event_records(SHOP, before.event.id)) == 2
    assert len(await store.outbox.claim(after.delivery.lane, 10, 1000)) == 1


@pytest.mark.parametrize("seen", [{"state": "held"}, {"revision": 7}, {"attempts": 0}])
async def test_a_correction_of_what_is_no_longer_so_changes_nothing(store: Store, seen: dict[str, Any]) -> None:
    before = await refused(store)
    mistaken = replace(before, delivery=replace(before.delivery, **seen))
    assert not await correct(store, mistaken, revised(before.event))
    assert await standing(store, before.event) == before
    assert len(await store.ledger.event_records(SHOP, before.event.id)) == 1


async def test_a_corrected_event_can_be_handed_over_leased(store: Store) -> None:
    before = await refused(store)
    event = revised(before.event)
    again = replace(delivery(event, "sending", revision=2), attempts=2)
    assert await store.ledger.correct(before, event, again, record(event))
    claim = await standing(store, event)
    assert await store.outbox.claim(again.lane, 10, 1000) == []
    assert await store.outbox.settle([settlement(claim, trigger="corrected")]) == [True]
    assert [one.number for one in await store.ledger.attempts(SHOP, event.id)] == [1, 2]


async def test_a_release_gives_the_click_and_ends_the_wait(store: Store) -> None:
    before = await unmatched(store, Wait(kind="ref", id="r1"), Wait(kind="order_id", id="o1"))
    event = replace(before.event, click=CLICK)
    assert await store.ledger.waiting(SHOP, "ref", "r1") == [before]
    assert await store.ledger.release(before, event, delivery(event), None)
    after = await standing(store, event)
    assert (after.event.click, after.event.revision, after.delivery.state) == (CLICK, 1, "pending")
    assert await store.ledger.waiting(SHOP, "ref", "r1") == []
    assert await store.ledger.waiting(SHOP, "order_id", "o1") == []
    assert len(await store.ledger.event_records(SHOP, event.id)) == 1


async def test_of_many_releases_at_once_one_wins(store: Store) -> None:
    before = await unmatched(store, Wait(kind="ref", id="r1"))
    clicks = [Click(ctwa_clid=f"clid-{number}") for number in range(50)]
    events = [replace(before.event, click=click) for click in clicks]
    won = await asyncio.gather(
        *(store.ledger.release(before, event, delivery(event), record(event, duplicate=True)) for event in events)
    )
    assert won.count(True) == 1
    assert (await standing(store, before.event)).event.click == clicks[won.index(True)]
    assert len(await store.ledger.event_records(SHOP, before.event.id)) == 2


async def test_a_revision_of_one_event_leaves_its_neighbour_alone(store: Store) -> None:
    before, neighbour = await refused(store), await refused(store)
    assert await correct(store, before, revised(before.event))
    assert await standing(store, neighbour.event) == neighbour


async def test_a_correction_that_waits_on_keeps_its_waits_beside_the_new_ones(store: Store) -> None:
    before = await unmatched(store, Wait(kind="ref", id="r1"))
    event = revised(before.event, click=Click())
    again, more = delivery(event, "unmatched", revision=2), (Wait(kind="order_id", id="o1"),)
    assert await store.ledger.correct(before, event, again, record(event, duplicate=True), more, waits_on=True)
    after = await standing(store, event)
    assert await store.ledger.waiting(SHOP, "ref", "r1") == [after]
    assert await store.ledger.waiting(SHOP, "order_id", "o1") == [after]


async def test_what_is_said_of_an_event_that_is_being_sent_counts_for_its_next_try_and_leaves_the_lease(
    store: Store,
) -> None:
    claim = await stored(store, None, "sending")
    event = replace(claim.event, consent="denied")
    on_its_way = replace(claim.delivery, lease_ms=60_000)
    assert await store.ledger.release(claim, event, on_its_way, record(event, duplicate=True), waits_on=True)
    assert await store.outbox.claim(claim.delivery.lane, 10, 1000) == []
    assert await store.outbox.settle([settlement(claim, "retrying")]) == [True]
    [again] = await store.outbox.claim(claim.delivery.lane, 10, 1000)
    assert (again.event.consent, again.delivery.attempts) == ("denied", claim.delivery.attempts + 1)


async def test_a_denial_loses_to_the_claim_that_came_first(store: Store) -> None:
    before = await stored(store, None, "pending")
    [claim] = await store.outbox.claim(before.delivery.lane, 10, 1000)
    event, buried = replace(before.event, consent="denied"), replace(before.delivery, state="dead", reason="consent")
    assert not await store.ledger.release(before, event, buried, record(event, duplicate=True))
    after = await standing(store, before.event)
    assert (after.delivery.state, after.event.consent) == ("sending", before.event.consent)
    assert await store.outbox.settle([settlement(claim)]) == [True]


async def test_who_claimed_an_event_can_give_it_back_whatever_was_said_of_it_meanwhile(store: Store) -> None:
    before = await stored(store, None, "pending")
    [claim] = await store.outbox.claim(before.delivery.lane, 10, 60_000)
    event, on_its_way = replace(before.event, consent="denied"), replace(claim.delivery, lease_ms=60_000)
    assert await store.ledger.release(claim, event, on_its_way, None, waits_on=True)
    await store.outbox.release([claim], NOW)
    assert (await standing(store, event)).delivery.state == "pending"
