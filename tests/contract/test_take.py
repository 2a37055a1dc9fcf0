"""Taking an event: one commit, one row for one key, and everybody hears who stands."""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from collector.errors import InvalidField
from collector.store.face import StaleDirectory, Taken, Wait
from collector.store.opening import Store
from tests.contract.samples import NOW, OTHER, SHOP, business, delivery, purchase, record, settlement, stored

pytestmark = pytest.mark.anyio


async def take(store: Store, event_id: str = "order-1", **fields: Any) -> Taken:
    event = purchase(event_id=event_id, **fields)
    return await store.ledger.take(event, delivery(event), record(event), (), await store.directory.version())


async def test_an_event_its_delivery_and_its_record_are_stored_as_given(store: Store) -> None:
    event = purchase(
        custom_data='{"value": 1.5}',
        currency="BRL",
        value_micros=1_500_000,
        test=True,
        page_url="https://shop.example/é",
        order_id="o",
    )
    note = record(event, payload='{"order_id": "o"}')
    taken = await store.ledger.take(event, delivery(event), note, (), 1)
    found = await store.ledger.event(SHOP, event.id)
    assert taken == Taken(won=True)
    assert found is not None
    assert (found.event, found.delivery) == (event, delivery(event))
    [row] = await store.ledger.event_records(SHOP, event.id)
    assert (row["id"], row["payload"], row["ctwa_clid"], row["duplicate"], row["success"]) == (
        note.id,
        note.payload,
        "clid-1",
        False,
        None,
    )


async def test_an_event_inserted_leased_has_its_lease_from_the_stores_clock(store: Store) -> None:
    found = await stored(store, state="sending")
    assert (found.delivery.state, found.delivery.attempts) == ("sending", 1)
    assert await store.outbox.due() == []
    assert await store.outbox.rescue(False, "retrying", None, NOW, 10) == 0


async def test_a_hundred_identical_takes_at_once_leave_one_event_one_delivery_one_record(store: Store) -> None:
    taken = await asyncio.gather(*(take(store) for _ in range(100)))
    rows = await store.ledger.events(SHOP, None, None, None, None, 200)
    assert sum(one.won for one in taken) == 1
    assert {one.standing.event.id for one in taken if one.standing} == {rows[0].event.id}
    assert sum(one.standing is not None for one in taken) == 99
    assert len(rows) == 1
    assert len(await store.ledger.records(SHOP, None, 200)) == 1
    assert len(await store.outbox.claim(rows[0].delivery.lane, 200, 1000)) == 1


async def test_a_repeat_hears_where_the_first_stands_now(store: Store) -> None:
    await take(store)
    [claim] = await store.outbox.claim(delivery(purchase()).lane, 1, 1000)
    await store.outbox.settle([settlement(claim)])
    repeat = await take(store)
    assert repeat.standing is not None
    assert (repeat.won, repeat.standing.delivery.state, repeat.standing.delivery.reference) == (
        False,
        "delivered",
        "trace-1",
    )


async def test_of_two_businesses_events_that_share_a_row_id_each_hears_its_own_fate(store: Store) -> None:
    first = await stored(store, purchase(OTHER, event_id="taken"))
    new = purchase(SHOP)
    again = purchase(OTHER, id=new.id, event_id="taken")
    taken = await store.ledger.take_all([(event, delivery(event), record(event), ()) for event in (new, again)], 1)
    assert [one.won for one in taken] == [True, False]
    assert taken[1].standing is not None
    assert taken[1].standing.event == first.event
    assert await store.outbox.count(OTHER) == 1


async def test_of_events_that_come_together_each_hears_its_own_fate(store: Store) -> None:
    """One is new, one stands already, and one comes twice: the first of the two wins, whichever row id sorts first."""
    await take(store, "old")
    events = [purchase(event_id=event_id) for event_id in ("new", "old", "twin", "twin")]
    events[2:] = replace(events[2], id="f" * 32), replace(events[3], id="0" * 32)
    taken = await store.ledger.take_all([(event, delivery(event), record(event), ()) for event in events], 1)
    assert [one.won for one in taken] == [True, False, True, False]
    assert [one.standing and one.standing.event.event_id for one in taken] == [None, "old", None, "twin"]
    assert taken[3].standing is not None
    assert taken[3].standing.event.id == events[2].id
    assert len(await store.ledger.records(SHOP, None, 10)) == 3


async def test_of_events_that_come_together_none_is_stored_where_one_cannot_be(store: Store) -> None:
    events = [purchase(), purchase(event_at=2**63)]
    with pytest.raises(InvalidField, match="cannot be stored"):
        await store.ledger.take_all([(event, delivery(event), record(event), ()) for event in events], 1)
    assert await store.ledger.events(SHOP, None, None, None, None, 10) == []


async def test_the_loser_of_a_key_leaves_nothing(store: Store) -> None:
    await take(store)
    loser = purchase(event_id="order-1")
    await store.ledger.take(loser, delivery(loser, "unmatched"), record(loser), (Wait(kind="ref", id="r"),), 1)
    assert await store.ledger.event(SHOP, loser.id) is None
    assert await store.ledger.event_records(SHOP, loser.id) == []
    assert await store.outbox.states([(SHOP, loser.id)]) == []
    assert await store.ledger.waiting(SHOP, "ref", "r") == []


async def test_another_name_or_another_business_is_another_key(store: Store) -> None:
    taken = [await take(store), await take(store, event_name="ViewContent"), await take(store, business_id=OTHER)]
    assert [one.won for one in taken] == [True, True, True]


async def test_bad_data_fails_only_the_event_that_brought_it(store: Store) -> None:
    guilty = purchase(event_id="guilty", event_at=2**63)
    good = [take(store, f"order-{number}") for number in range(20)]
    bad = store.ledger.take(guilty, delivery(guilty, deadline_at=1), record(guilty), (), 1)
    results = await asyncio.gather(*good[:10], bad, *good[10:], return_exceptions=True)
    assert isinstance(results.pop(10), InvalidField)
    assert all(isinstance(one, Taken) and one.won for one in results)
    assert await store.ledger.event(SHOP, guilty.id) is None
    assert await store.ledger.event_records(SHOP, guilty.id) == []


async def test_text_that_no_database_keeps_is_cleaned_and_fails_nobody(store: Store) -> None:
    odd = purchase(event_id="odd", page_url="https://shop.example/\0?q=\ud800")
    good = [take(store, f"order-{number}") for number in range(5)]
    taken, *others = await asyncio.gather(store.ledger.take(odd, delivery(odd), record(odd), (), 1), *good)
    found = await store.ledger.event(SHOP, odd.id)
    assert taken.won
    assert all(one.won for one in others)
    assert found is not None
    assert found.event.page_url == "https://shop.example/?q=?"


@pytest.mark.parametrize(
    "texts",
    [
        ("",),
        ("\x1e",),
        ("\x1f",),
        ("", "a", ""),
        ("\x1e\x1f", "\x1e", "\x1f", "a\x1eb"),
        ("\ue000\x1e\ue001", "\x1f\ue003"),
        ('\\"{,}',),
    ],
    ids=ascii,
)
async def test_no_text_is_taken_for_what_parts_the_rows(store: Store, texts: tuple[str, ...]) -> None:
    events = [purchase(page_url=text, order_id=None) for text in texts]
    await asyncio.gather(*(store.ledger.take(event, delivery(event), record(event), (), 1) for event in events))
    found = [await store.ledger.event(SHOP, event.id) for event in events]
    assert [row and row.event for row in found] == events


async def test_a_take_prepared_for_an_older_directory_is_refused_and_the_others_go_on(store: Store) -> None:
    old = await store.directory.version()
    await store.directory.put_business(business())
    stale, fresh = purchase(), purchase()
    results = await asyncio.gather(
        store.ledger.take(stale, delivery(stale), record(stale), (), old),
        store.ledger.take(fresh, delivery(fresh), record(fresh), (), await store.directory.version()),
        store.ledger.note(record(stale, event_row=None), old),
        return_exceptions=True,
    )
    assert isinstance(results[0], StaleDirectory)
    assert results[0].version == await store.directory.version()
    assert results[1] == Taken(won=True)
    assert isinstance(results[2], StaleDirectory)
    assert await store.ledger.event(SHOP, stale.id) is None
    assert len(await store.ledger.records(SHOP, None, 10)) == 1


async def test_takes_alone_in_their_commit_are_refused_for_an_older_directory_too(store: Store) -> None:
    old = await store.directory.version()
    await store.directory.put_business(business())
    late = [purchase(), purchase()]
    with pytest.raises(StaleDirectory) as refused:
        await store.ledger.take_all([(event, delivery(event), record(event), ()) for event in late], old)
    assert refused.value.version == await store.directory.version() != old
    assert [await store.ledger.event(SHOP, event.id) for event in late] == [None, None]
    assert await store.ledger.records(SHOP, None, 10) == []


async def test_a_caller_who_goes_away_harms_nobody(store: Store) -> None:
    tasks = [asyncio.create_task(take(store, f"order-{number}")) for number in range(30)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(one, Taken) and one.won for one in results[1::2])
    assert (await take(store, "afterwards")).won


async def test_a_record_noted_twice_is_one(store: Store) -> None:
    note = record(purchase(), event_row=None, failure_stage="payload_mapping", error="payload.currency: missing")
    await store.ledger.note(note, 1)
    await store.ledger.note(note, 1)
    [row] = await store.ledger.records(SHOP, None, 10)
    assert (row["id"], row["success"], row["failure_stage"], row["error"]) == (
        note.id,
        False,
        "payload_mapping",
        "payload.currency: missing",
    )


async def test_the_same_row_taken_again_has_won_again(store: Store) -> None:
    """An uncertain COMMIT is run again: the row that stands is the caller's own."""
    event = purchase()
    for _ in range(2):
        assert await store.ledger.take(event, delivery(event), record(event, id="0" * 32), (), 1) == Taken(won=True)
    assert len(await store.ledger.event_records(SHOP, event.id)) == 1
    other = replace(event, id="f" * 32)
    assert not (await store.ledger.take(other, delivery(other), record(other), (), 1)).won
