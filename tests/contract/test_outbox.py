"""Claiming, settling, rescuing, expiring, holding: nobody sends twice, nothing is stuck."""

import asyncio

import pytest
from msgspec.structs import replace

from collector.attribution import Click
from collector.store.engine import Step
from collector.store.face import LaneDue, StoredEvent, Wait
from collector.store.opening import Store
from collector.store.outbox import HEADS_MAX
from tests.contract.conftest import Clock
from tests.contract.samples import (
    NOW,
    OTHER,
    SHOP,
    WEEK,
    channel,
    delivery,
    lane,
    purchase,
    record,
    settlement,
    standing,
    stored,
)  # fmt: skip

pytestmark = pytest.mark.anyio


async def claim_one(store: Store, lease_ms: int = 1000) -> StoredEvent:
    [claim] = await store.outbox.claim(lane(), 1, lease_ms)
    return claim


async def test_due_tells_each_lane_once_with_its_first_instant(store: Store) -> None:
    for number in range(3):
        await stored(store, due_at=NOW - number)
    await stored(store, purchase(business_id=OTHER), "retrying", due_at=NOW + 500)
    for state, reason in (
        ("sending", None),
        ("held", "token"),
        ("delivered", None),
        ("dead", "rejected"),
        ("unmatched", None),
    ):
        await stored(store, purchase(channel="messenger"), state, reason=reason)
    assert await store.outbox.due() == [
        LaneDue(lane=lane(), due_at=NOW - 2),
        LaneDue(lane=lane(OTHER), due_at=NOW + 500),
    ]


async def test_a_claim_takes_what_is_due_in_due_order_and_leases_it(store: Store, clock: Clock) -> None:
    rows = [await stored(store, due_at=NOW - number) for number in range(3)]
    await stored(store, due_at=NOW + 1)
    await stored(store, purchase(channel="website"))
    claims = await store.outbox.claim(lane(), 2, 1000)
    assert [claim.event for claim in claims] == [rows[2].event, rows[1].event]
    assert {(claim.delivery.state, claim.delivery.attempts) for claim in claims} == {("sending", 1)}
    assert [claim.event for claim in await store.outbox.claim(lane(), 10, 1000)] == [rows[0].event]
    assert await store.outbox.claim(lane(), 10, 1000) == []


async def test_what_is_put_before_what_was_claimed_waits_until_a_lane_is_no_longer_full(store: Store) -> None:
    rows = [await stored(store, due_at=NOW - number) for number in (3, 2, 1)]
    assert (await claim_one(store)).event == rows[0].event
    early = await stored(store, due_at=NOW - 10)
    claims = await store.outbox.claim(lane(), 5, 1000)
    assert [claim.event for claim in claims] == [rows[1].event, rows[2].event]
    await stored(store, due_at=NOW)
    assert (await claim_one(store)).event == early.event


async def test_a_claim_that_finds_nothing_behind_the_last_looks_before_it(store: Store) -> None:
    await stored(store, due_at=NOW - 1)
    await claim_one(store)
    early = await stored(store, due_at=NOW - 10)
    assert (await claim_one(store)).event == early.event


async def test_however_full_a_lane_is_what_is_put_before_the_rest_has_its_turn(store: Store) -> None:
    rows = [await stored(store, due_at=NOW - 100 + number) for number in range(HEADS_MAX + 4)]
    await claim_one(store)
    early = await stored(store, due_at=NOW - 1000)
    found = [(await claim_one(store)).event for _ in range(HEADS_MAX + 2)]
    assert found == [row.event for row in (*rows[1 : HEADS_MAX + 1], early, rows[HEADS_MAX + 1])]


async def test_what_is_given_back_is_claimed_next(store: Store) -> None:
    for number in (3, 2, 1):
        await stored(store, due_at=NOW - number)
    first, _ = [await claim_one(store) for _ in range(2)]
    await store.outbox.release([first], first.delivery.due_at)
    assert (await claim_one(store)).event == first.event


async def test_claims_at_once_are_disjoint_and_leave_nothing(store: Store) -> None:
    rows = [await stored(store) for _ in range(60)]
    claims = await asyncio.gather(*(store.outbox.claim(lane(), 7, 60_000) for _ in range(12)))
    ids = [claim.event.id for batch in claims for claim in batch]
    ids += [claim.event.id for claim in await store.outbox.claim(lane(), 100, 60_000)]
    assert sorted(ids) == sorted(row.event.id for row in rows)


async def test_a_settlement_writes_the_state_and_the_attempt(store: Store) -> None:
    await stored(store)
    told = settlement(await claim_one(store), code=None, duration_ms=17)
    assert await store.outbox.settle([told]) == [True]
    after = await store.ledger.event(SHOP, told.attempt.delivery_id)
    assert after is not None
    assert (after.delivery.state, after.delivery.reference, after.delivery.error) == ("delivered", "trace-1", None)
    assert await store.ledger.attempts(SHOP, told.attempt.delivery_id) == [told.attempt]


async def test_a_retry_is_claimed_again_when_it_is_due_with_the_next_number(store: Store, clock: Clock) -> None:
    await stored(store)
    await store.outbox.settle([replace(settlement(await claim_one(store), "retrying"), due_at=NOW + 5000)])
    assert await store.outbox.claim(lane(), 1, 1000) == []
    await clock.set(NOW + 5000)
    assert (await claim_one(store)).delivery.attempts == 2


async def test_whoever_lost_the_lease_settles_nothing(store: Store, clock: Clock) -> None:
    await stored(store)
    late = await claim_one(store)
    await clock.set(NOW + 1000)
    assert await store.outbox.rescue(False, "retrying", None, NOW, 10) == 1
    current = await claim_one(store)
    assert await store.outbox.settle([settlement(late), settlement(current, "retrying")]) == [False, True]
    after = await standing(store, late.event)
    assert (after.delivery.state, after.delivery.reference) == ("retrying", None)
    assert [one.outcome for one in await store.ledger.attempts(SHOP, late.event.id)] == ["unknown", "unavailable"]


async def test_a_settlement_written_twice_is_told_the_same_but_another_of_that_number_is_not(store: Store) -> None:
    """An uncertain COMMIT is run again."""
    await stored(store)
    told = settlement(await claim_one(store))
    assert await store.outbox.settle([told]) == [True]
    assert await store.outbox.settle([told]) == [True]
    assert await store.outbox.settle(
        [replace(told, attempt=replace(told.attempt, outcome="rejected"), state="dead")]
    ) == [False]
    assert len(await store.ledger.attempts(SHOP, told.attempt.delivery_id)) == 1


async def test_a_long_answer_and_a_foreign_delivery_settle_on_their_own(store: Store) -> None:
    await stored(store)
    claim = await claim_one(store)
    foreign = settlement(replace(claim, delivery=replace(claim.delivery, business_id=OTHER)))
    assert await store.outbox.settle([foreign, settlement(claim, answer="x" * 8192)]) == [False, True]
    assert await store.ledger.attempts(OTHER, claim.event.id) == []


async def test_an_outcome_that_cannot_be_stored_leaves_its_neighbours_theirs(store: Store) -> None:
    """Somebody set the count of attempts back by hand. Were the neighbours' outcomes lost with it, they would be sent once more."""
    for _ in range(5):
        await stored(store)
    claims = await store.outbox.claim(lane(), 5, 1000)
    taken = {"rows": [(SHOP, claims[1].event.id)]}
    await store.engine.commit([Step("rescue_attempts", taken)])
    assert await store.outbox.settle([settlement(claim) for claim in claims]) == [True, False, True, True, True]
    after = [(await standing(store, claim.event)).delivery.state for claim in claims]
    assert after == ["delivered", "sending", "delivered", "delivered", "delivered"]


async def test_what_is_given_back_is_pending_again_and_was_never_tried(store: Store) -> None:
    await stored(store)
    claim = await claim_one(store)
    await store.outbox.release([claim], NOW)
    again = await claim_one(store)
    assert again.delivery.attempts == 1
    await store.outbox.settle([settlement(again)])
    await store.outbox.release([claim], NOW)
    assert (await standing(store, claim.event)).delivery.state == "delivered"
    assert len(await store.ledger.attempts(SHOP, claim.event.id)) == 1


async def test_a_rescue_waits_for_the_lease_and_writes_the_lost_try_down(store: Store, clock: Clock) -> None:
    await stored(store)
    lost = await claim_one(store, lease_ms=1000)
    await clock.set(NOW + 999)
    assert await store.outbox.rescue(False, "held", "unknown", NOW, 10) == 0
    await clock.set(NOW + 1000)
    assert await store.outbox.rescue(False, "held", "unknown", NOW, 10) == 1
    after = await standing(store, lost.event)
    assert (after.delivery.state, after.delivery.reason, after.delivery.attempts) == ("held", "unknown", 1)
    [attempt] = await store.ledger.attempts(SHOP, lost.event.id)
    assert (attempt.number, attempt.trigger, attempt.outcome, attempt.at) == (1, "rescue", "unknown", NOW + 1000)


async def test_the_only_process_rescues_all_leases_a_bounded_number_at_a_time(store: Store) -> None:
    for _ in range(5):
        await stored(store, None, "sending")
    assert [await store.outbox.rescue(True, "retrying", None, NOW, 3) for _ in range(3)] == [3, 2, 0]
    assert len(await store.outbox.claim(lane(), 10, 1000)) == 5


async def test_what_is_past_its_deadline_is_buried_unless_it_is_being_sent(store: Store) -> None:
    event = purchase(click=Click())
    await store.ledger.take(event, delivery(event, "unmatched"), record(event), (Wait(kind="ref", id="r"),), 1)
    rows = [
        await stored(store, None, state, reason=reason)
        for state, reason in (("pending", None), ("retrying", None), ("held", "token"))
    ]
    others = [await stored(store, None, state) for state in ("sending", "delivered")]
    young = await stored(store, purchase(at=NOW + 10))
    assert [await store.outbox.expire(NOW + WEEK, 3) for _ in range(2)] == [3, 1]
    assert [(await standing(store, row.event)).delivery.reason for row in rows] == ["expired"] * 3
    assert (await standing(store, event)).delivery.reason == "unmatched"
    assert await store.ledger.waiting(SHOP, "ref", "r") == []
    assert [await standing(store, row.event) for row in (*others, young)] == [*others, young]


async def test_a_hold_stops_one_channel_and_its_undoing_sends_it_again(store: Store, clock: Clock) -> None:
    await store.directory.put_channel(channel())
    before, holds = await store.directory.editions()
    row, retried, browser = (
        await stored(store),
        await stored(store, None, "retrying"),
        await stored(store, purchase(source="browser")),
    )
    others = [await stored(store, purchase(business_id=OTHER)), await stored(store, purchase(channel="website"))]
    consent = await stored(store, None, "held", reason="consent")
    await store.outbox.hold(SHOP, "whatsapp", f"meta:{SHOP}:whatsapp:", "token")
    held = [await standing(store, one.event) for one in (row, retried, browser)]
    assert {(one.delivery.state, one.delivery.reason) for one in held} == {("held", "token")}
    assert [await standing(store, one.event) for one in others] == others
    assert (await store.directory.snapshot()).channels[0].held == "token"
    assert (await store.directory.held()).reasons == {(SHOP, "whatsapp"): "token"}
    assert await store.directory.editions() == (before, holds + 1)  # whoever is writing is not sent back
    await clock.set(NOW + 9)
    assert await store.outbox.resume(SHOP, "whatsapp", f"meta:{SHOP}:whatsapp:") == 3
    claims = await store.outbox.claim(lane(), 10, 1000)
    assert {(claim.event.id, claim.delivery.due_at) for claim in claims} == {
        (one.event.id, NOW + 9) for one in (row, retried)
    }
    assert (await standing(store, consent.event)).delivery.state == "held"
    assert (await store.directory.snapshot()).channels[0].held is None
    assert (await store.directory.held()).reasons == {}
    assert await store.directory.editions() == (before, holds + 2)


async def test_a_probe_releases_one_delivery_and_the_rest_is_found_again(store: Store) -> None:
    await store.directory.put_channel(channel())
    for _ in range(3):
        await stored(store)
    await stored(store, purchase(channel="website"), "held", reason="consent")
    await store.outbox.hold(SHOP, "whatsapp", f"meta:{SHOP}:whatsapp:", "token")
    assert await store.outbox.held_lanes() == [lane()]
    await store.outbox.probe(SHOP, "whatsapp", f"meta:{SHOP}:whatsapp:")
    assert (await store.directory.snapshot()).channels[0].held is None
    assert len(await store.outbox.claim(lane(), 10, 1000)) == 1
    assert await store.outbox.held_lanes() == [lane()]
    assert await store.outbox.resume(SHOP, "whatsapp", f"meta:{SHOP}:whatsapp:") == 2
    assert await store.outbox.held_lanes() == []


async def test_states_are_told_for_exactly_the_pairs_asked_for(store: Store) -> None:
    row = await stored(store)
    assert await store.outbox.states([(SHOP, row.event.id), (OTHER, row.event.id), (SHOP, "unknown")]) == [row.delivery]
    assert await store.outbox.states([]) == []


async def test_the_oldest_undelivered_event_is_told(store: Store) -> None:
    assert await store.outbox.oldest_pending_at() is None
    await stored(store, purchase(at=NOW - 9), "delivered")
    await stored(store, purchase(at=NOW - 3))
    await stored(store, purchase(at=NOW - 5, channel="website"), "sending")
    assert await store.outbox.oldest_pending_at() == NOW - 5


async def test_a_lease_without_its_state_or_the_reverse_is_refused(store: Store) -> None:
    """A row that says `sending` and has no lease would be rescued by nobody."""
    from collector.errors import InvalidField

    with pytest.raises(InvalidField):
        await stored(store, None, "sending", lease_ms=None)
