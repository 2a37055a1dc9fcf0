"""One business never sees another's rows, whatever ids it names."""

import pytest

from collector.attribution import Click
from collector.store.face import Wait
from collector.store.opening import Store
from tests.contract.samples import OTHER, SHOP, delivery, landing, link, purchase, record, settlement, stored

pytestmark = pytest.mark.anyio


async def test_nothing_of_a_business_is_read_under_anothers_name(store: Store) -> None:
    sent = await stored(store, purchase(event_id="order-1"), "sending")
    await store.outbox.settle([settlement(sent)])
    waiting = purchase(click=Click())
    await store.ledger.take(waiting, delivery(waiting, "unmatched"), record(waiting), (Wait(kind="ref", id="r"),), 1)
    await store.ledger.land(landing(), 1)
    await store.ledger.link(link(), 1)

    async def seen(business_id: str) -> list[bool]:
        ledger = store.ledger
        return [
            bool(found)
            for found in (
                await ledger.event(business_id, sent.event.id),
                await ledger.find(business_id, "Purchase", "order-1"),
                await ledger.events(business_id, None, None, None, None, 10),
                await ledger.attempts(business_id, sent.event.id),
                await ledger.event_records(business_id, sent.event.id),
                await ledger.records(business_id, None, 10),
                await ledger.landing(business_id, "ref-1"),
                await ledger.links(business_id, "checkout_id", "chk-1"),
                await ledger.waiting(business_id, "ref", "r"),
                await store.outbox.states([(business_id, sent.event.id)]),
            )
        ]

    assert await seen(SHOP) == [True] * 10
    assert await seen(OTHER) == [False] * 10


async def test_nothing_of_a_business_is_changed_under_anothers_name(store: Store) -> None:
    row = await stored(store, None, "dead", reason="rejected")
    foreign = purchase(business_id=OTHER, id=row.event.id, revision=2)
    assert not await store.ledger.correct(row, foreign, delivery(foreign, revision=2), record(foreign))
    assert await store.ledger.event(SHOP, row.event.id) == row
    assert await store.ledger.event(OTHER, row.event.id) is None
    assert await store.ledger.records(OTHER, None, 10) == []
