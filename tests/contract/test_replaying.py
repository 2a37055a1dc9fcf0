"""Searching for what a replay may be about, and beginning again with it."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from collector.attribution import Click
from collector.store.face import Delivery, Search, StoredEvent, Wait
from collector.store.opening import Store
from tests.contract.samples import (
    CLICK,
    NOW,
    OTHER,
    SHOP,
    delivery,
    lane,
    purchase,
    record,
    settlement,
    standing,
    stored,
)  # fmt: skip

pytestmark = pytest.mark.anyio


async def settled(store: Store, state: str, reason: str | None = None, **attempt: Any) -> StoredEvent:
    """An event whose first try came to this."""
    claim = await stored(store, None, "sending")
    assert await store.outbox.settle([settlement(claim, state, reason, **attempt)]) == [True]
    return await standing(store, claim.event)


def again(row: StoredEvent, **fields: Any) -> Delivery:
    return delivery(row.event, attempts=row.delivery.attempts, trigger="manual", **fields)


async def ids(store: Store, search: Search, limit: int = 1000) -> list[str]:
    return [each.standing.event.id for each in (await store.outbox.search(search, "", limit)).found]


async def test_a_search_finds_the_dead_and_those_held_as_unknown_and_the_delivered_where_asked(store: Store) -> None:
    dead, unknown = await settled(store, "dead", "rejected"), await settled(store, "held", "unknown")
    sent = await settled(store, "delivered")
    for state, reason in (("held", "token"), ("retrying", None)):
        await settled(store, state, reason)
    waiting = await stored(store)
    await stored(store, purchase(business_id=OTHER), "dead", reason="rejected")
    every = Search(business_id=SHOP)
    assert await ids(store, every) == [dead.event.id, unknown.event.id]
    assert await ids(store, replace(every, delivered=True)) == [dead.event.id, unknown.event.id, sent.event.id]
    assert await ids(store, replace(every, reason="rejected")) == [dead.event.id]
    assert await ids(store, replace(every, id=waiting.event.id)) == [waiting.event.id]
    assert await ids(store, replace(every, id=waiting.event.id, business_id=OTHER)) == []
    assert [await ids(store, replace(every, id=odd)) for odd in ("", "x", "'; --", "\U0010ffff")] == [[]] * 4
    assert (await store.outbox.count(SHOP), await store.outbox.count(OTHER)) == (6, 1)


async def test_a_search_is_narrowed_by_channel_and_arrival(store: Store) -> None:
    rows = [await stored(store, purchase(at=NOW + at), "dead", reason="rejected") for at in range(3)]
    site = await stored(store, purchase(at=NOW + 9, channel="website"), "dead", reason="rejected")
    every = Search(business_id=SHOP)
    assert await ids(store, replace(every, channel="website")) == [site.event.id]
    assert await ids(store, replace(every, received_from=NOW + 1, received_before=NOW + 2)) == [rows[1].event.id]


async def test_pages_are_bounded_by_what_is_looked_at(store: Store) -> None:
    rows = [await stored(store) for _ in range(3)] + [await settled(store, "dead", "rejected")]
    first = await store.outbox.search(Search(business_id=SHOP), "", 3)
    assert (first.found, first.looked_at, first.last) == ((), 3, rows[2].event.id)
    second = await store.outbox.search(Search(business_id=SHOP), rows[2].event.id, 3)
    assert ([each.standing for each in second.found], second.looked_at) == ([rows[3]], 1)
    third = await store.outbox.search(Search(business_id=SHOP), rows[3].event.id, 3)
    assert (third.found, third.looked_at, third.last) == ((), 0, None)


@pytest.mark.parametrize(
    ("outcomes", "sent"),
    [(["rejected"], None), (["unavailable", "unknown", "rejected"], "unknown"), (["unknown", "accepted"], "accepted")],
)
async def test_a_search_tells_what_may_have_arrived(store: Store, outcomes: list[str], sent: str | None) -> None:
    row = await stored(store)
    for outcome in outcomes:
        [claim] = await store.outbox.claim(lane(), 1, 1000)
        assert await store.outbox.settle([settlement(claim, "retrying", outcome=outcome)]) == [True]
    [found] = (await store.outbox.search(Search(business_id=SHOP, id=row.event.id), "", 10)).found
    assert (found.standing.event, found.sent) == (row.event, sent)


async def test_a_replay_goes_on_under_the_same_id_revision_and_count_and_says_so(store: Store) -> None:
    before = await settled(store, "dead", "rejected")
    assert await store.outbox.replay(before, before.event, again(before))
    after = await standing(store, before.event)
    assert after.event == before.event
    told = after.delivery
    assert (told.state, told.reason, told.error, told.revision, told.trigger) == ("pending", None, None, 1, "manual")
    [claim] = await store.outbox.claim(lane(), 10, 1000)
    assert (claim.event.event_id, claim.delivery.attempts) == (before.event.event_id, 2)
    assert claim.delivery.trigger == "manual"
    assert await store.outbox.settle([settlement(claim, trigger="manual")]) == [True]
    assert [one.number for one in await store.ledger.attempts(SHOP, before.event.id)] == [1, 2]
    assert len(await store.ledger.event_records(SHOP, before.event.id)) == 1


async def test_of_many_replays_at_once_one_wins(store: Store) -> None:
    before = await settled(store, "dead", "rejected")
    won = await asyncio.gather(*(store.outbox.replay(before, before.event, again(before)) for _ in range(20)))
    assert won.count(True) == 1
    assert len(await store.outbox.claim(lane(), 10, 1000)) == 1


@pytest.mark.parametrize("seen", [{"state": "held"}, {"revision": 2}, {"attempts": 0}])
async def test_a_replay_of_what_is_no_longer_so_changes_nothing(store: Store, seen: dict[str, Any]) -> None:
    before = await settled(store, "dead", "rejected")
    mistaken = replace(before, delivery=replace(before.delivery, **seen))
    assert not await store.outbox.replay(mistaken, before.event, again(before))
    assert await standing(store, before.event) == before


async def test_a_replayed_event_waits_for_nothing_any_more(store: Store) -> None:
    event = purchase(click=Click())
    await store.ledger.take(event, delivery(event, "unmatched"), record(event), (Wait(kind="ref", id="r"),), 1)
    before = await standing(store, event)
    found = replace(event, click=CLICK, test=True, event_at=NOW + 5)
    assert await store.outbox.replay(before, found, again(before))
    assert (await standing(store, event)).event == found
    assert await store.ledger.waiting(SHOP, "ref", "r") == []
