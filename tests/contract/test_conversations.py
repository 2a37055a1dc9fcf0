"""What messages told about their clicks, on both engines."""

import pytest
from msgspec.structs import replace

from collector.attribution import Click
from collector.store.face import Conversation, ConversationKind, Landing, Wait
from collector.store.opening import Store
from tests.contract.samples import NOW, SHOP, delivery, purchase, record

pytestmark = pytest.mark.anyio


def conversation(
    message_id: str = "m-1", at: int = NOW, kind: ConversationKind = "mobile_number", business_id: str = SHOP
) -> Conversation:
    click = Click(ctwa_clid=f"clid-{message_id}", ad_id="ad-1")
    return Conversation(
        business_id=business_id, kind=kind, id="sender-1", message_id=message_id, asset_id="waba", click=click, at=at
    )


async def test_a_sender_has_the_clicks_of_his_messages_oldest_first(store: Store) -> None:
    late, early = conversation("m-2", NOW + 5), conversation("m-1")
    others = [conversation(kind="page_scoped_user_id"), conversation(business_id="another")]
    await store.ledger.converse([late, early, *others])
    assert await store.ledger.conversations(SHOP, "mobile_number", "sender-1") == [early, late]


async def test_a_message_that_comes_again_changes_nothing(store: Store) -> None:
    await store.ledger.converse([conversation(), conversation()])
    await store.ledger.converse([conversation(at=NOW + 1)])
    assert await store.ledger.conversations(SHOP, "mobile_number", "sender-1") == [conversation()]


async def test_a_message_that_stands_twice_in_one_call_is_one_whatever_each_says(store: Store) -> None:
    """With a click id and without: the two cannot be put in order."""
    twice = [replace(conversation(), click=Click(**ids)) for ids in ({"ctwa_clid": "c"}, {"ad_id": "a"}, {})]
    await store.ledger.converse(twice)
    await store.ledger.converse(twice[::-1])
    assert await store.ledger.conversations(SHOP, "mobile_number", "sender-1") == [twice[0]]


async def test_retention_deletes_what_old_messages_told(store: Store) -> None:
    await store.ledger.converse([conversation("m-1", NOW - 1), conversation("m-2", NOW)])
    assert await store.ledger.forget_conversations(NOW, 10) == 1
    assert await store.ledger.conversations(SHOP, "mobile_number", "sender-1") == [conversation("m-2", NOW)]


async def test_an_event_that_waits_for_a_sender_is_resolvable_once_he_wrote(store: Store) -> None:
    event, wait = purchase(click=Click()), Wait(kind="mobile_number", id="sender-1")
    version = await store.directory.version()
    await store.ledger.take(event, delivery(event, "unmatched"), record(event), (wait,), version)
    assert await store.ledger.resolvable(10) == []
    await store.ledger.converse([conversation(kind="ig_sid")])
    assert await store.ledger.resolvable(10) == []

    await store.ledger.converse([conversation()])

    assert [(found.event.id, by) for found, by in await store.ledger.resolvable(10)] == [(event.id, wait)]
    assert [found.event.id for found in await store.ledger.waiting(SHOP, "mobile_number", "sender-1")] == [event.id]


async def test_of_many_conversations_those_are_told_that_an_event_waits_for(store: Store) -> None:
    event, wait = purchase(click=Click()), Wait(kind="mobile_number", id="sender-1")
    version = await store.directory.version()
    await store.ledger.take(event, delivery(event, "unmatched"), record(event), (wait,), version)
    others = [("another", wait), (SHOP, Wait(kind="ig_sid", id="sender-1")), (SHOP, Wait(kind="mobile_number", id="2"))]
    assert await store.ledger.awaited([*others, (SHOP, wait)]) == [(SHOP, wait)]
    assert await store.ledger.awaited(others) == []


async def test_a_landing_is_confirmed_by_the_first_message_that_told_its_click(store: Store) -> None:
    version = await store.directory.version()
    told = Click(ctwa_clid="clid-m-1")
    for ref, click, at in (
        ("told", told, NOW),
        ("silent", Click(ctwa_clid="other"), NOW + 1),
        ("no click", Click("t"), NOW + 2),
    ):
        await store.ledger.land(Landing(business_id=SHOP, ref=ref, click=click, at=at), version)
    await store.ledger.converse([conversation("m-1", NOW + 9), conversation("m-1", NOW + 5, "ig_sid")])
    await store.ledger.converse([conversation("m-1", NOW + 1, business_id="another")])

    page = await store.ledger.landings(SHOP, None, 2)
    assert [(landing.ref, confirmed) for landing, confirmed in page] == [("no click", None), ("silent", None)]
    rest = await store.ledger.landings(SHOP, (page[-1][0].at, page[-1][0].ref), 2)
    assert [(landing.ref, confirmed) for landing, confirmed in rest] == [("told", NOW + 5)]
