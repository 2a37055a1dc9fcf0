"""Finding events, their lives and their records again."""

import pytest

from collector.event import Event
from collector.store.face import StoredEvent
from collector.store.opening import Store
from tests.contract.samples import NOW, SHOP, delivery, purchase, record, revised, settlement, standing, stored

pytestmark = pytest.mark.anyio


async def test_events_come_newest_first_and_page_by_the_row_id(store: Store) -> None:
    rows = [await stored(store, purchase(at=NOW + number)) for number in range(5)]
    newest = await store.ledger.events(SHOP, None, None, None, None, 3)
    rest = await store.ledger.events(SHOP, None, None, None, newest[-1].event.id, 3)
    assert newest + rest == rows[::-1]


async def test_events_are_found_by_name_id_and_state(store: Store) -> None:
    view = await stored(store, purchase(event_name="ViewContent", event_id="v1"))
    await stored(store, purchase(event_id="o1"), "held", reason="token")
    assert await store.ledger.events(SHOP, "ViewContent", None, None, None, 10) == [view]
    assert [row.event.event_id for row in await store.ledger.events(SHOP, None, "o1", None, None, 10)] == ["o1"]
    assert [row.delivery.reason for row in await store.ledger.events(SHOP, None, None, "held", None, 10)] == ["token"]
    assert await store.ledger.events(SHOP, "Purchase", "v1", None, None, 10) == []
    assert await store.ledger.find(SHOP, "ViewContent", "v1") == view
    assert await store.ledger.find(SHOP, "Purchase", "v1") is None


async def test_records_come_newest_first_and_page_by_the_row_id(store: Store) -> None:
    notes = [record(purchase(at=NOW + number), event_row=None) for number in range(5)]
    for note in notes:
        await store.ledger.note(note, 1)
    newest = await store.ledger.records(SHOP, None, 3)
    rest = await store.ledger.records(SHOP, str(newest[-1]["id"]), 3)
    assert [row["id"] for row in newest + rest] == [note.id for note in notes[::-1]]


STATES = [
    ("pending", None, (None, None, None)),
    ("unmatched", None, (None, None, None)),
    ("held", "token", (None, None, None)),
    ("retrying", None, (None, None, None)),
    ("delivered", None, (True, None, None)),
    ("dead", "rejected", (False, "meta_forward", "Meta's words")),
    ("dead", "expired", (False, "payload_mapping", "expired")),
    ("dead", "no_click_id", (False, "payload_mapping", "no_click_id")),
    ("dead", "consent", (False, None, "consent")),
    ("dead", "test", (False, None, "test")),
    ("dead", "unmatched", (False, None, "unmatched")),
    ("dead", "unknown", (False, None, "unknown")),
]


@pytest.mark.parametrize(("state", "reason", "told"), STATES)
async def test_a_record_tells_what_became_of_its_delivery(
    store: Store, state: str, reason: str | None, told: tuple[bool | None, str | None, str | None]
) -> None:
    words = (
        {"error": "Meta's words"} if reason == "rejected" else {"reference": "trace-1"} if state == "delivered" else {}
    )
    found = await stored(store, None, state, reason=reason, **words)
    [row] = await store.ledger.event_records(SHOP, found.event.id)
    assert (row["success"], row["failure_stage"], row["error"]) == told
    assert row["forward_reference_id"] == ("trace-1" if state == "delivered" else None)


async def test_a_records_own_failure_stands_whatever_the_delivery_does(store: Store) -> None:
    found = await stored(store, None, "delivered", reference="trace-1")
    await store.ledger.note(record(found.event, failure_stage="payload_mapping", error="payload.value: missing"), 1)
    row = (await store.ledger.event_records(SHOP, found.event.id))[-1]
    assert (row["success"], row["failure_stage"], row["error"]) == (False, "payload_mapping", "payload.value: missing")
    assert row["forward_reference_id"] is None


async def test_the_record_of_a_refused_revision_stays_refused_after_the_correction_is_delivered(store: Store) -> None:
    first = await stored(store, None, "sending")
    await store.outbox.settle([settlement(first, "dead", "rejected")])
    refused = await standing(store, first.event)
    event = revised(first.event)
    await _correct(store, refused, event)
    [claim] = await store.outbox.claim(first.delivery.lane, 1, 1000)
    await store.outbox.settle([settlement(claim)])
    old, new = await store.ledger.event_records(SHOP, event.id)
    assert (old["success"], old["failure_stage"], old["error"], old["forward_reference_id"]) == (
        False,
        "meta_forward",
        "Meta's words",
        None,
    )
    assert (new["success"], new["failure_stage"], new["error"], new["forward_reference_id"]) == (
        True,
        None,
        None,
        "trace-1",
    )


async def test_the_record_of_a_held_revision_that_was_corrected_blames_no_stage(store: Store) -> None:
    held = await stored(store, None, "held", reason="token")
    await _correct(store, held, revised(held.event))
    old, new = await store.ledger.event_records(SHOP, held.event.id)
    assert (old["success"], old["failure_stage"], old["error"]) == (False, None, "corrected")
    assert new["success"] is None


async def _correct(store: Store, before: StoredEvent, event: Event) -> None:
    """Bring another body for a refused or held event."""
    again = delivery(event, revision=event.revision, attempts=before.delivery.attempts)
    assert await store.ledger.correct(before, event, again, record(event, duplicate=True))
