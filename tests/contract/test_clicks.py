"""Landings, links and the events that wait for them."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from msgspec.structs import replace

from collector import link as link_module
from collector.attribution import Click
from collector.consent import Consent
from collector.match import Match, Matcher
from collector.store.face import Conversation, StaleDirectory, StoredEvent, Wait
from collector.store.opening import Store
from tests.contract.samples import (
    CLICK,
    NOW,
    OTHER,
    SHOP,
    business,
    delivery,
    landing,
    link,
    purchase,
    record,
    standing,
)

pytestmark = pytest.mark.anyio


async def wait_for(store: Store, *waits: Wait) -> StoredEvent:
    event = purchase(click=Click())
    await store.ledger.take(event, delivery(event, "unmatched"), record(event), waits, await store.directory.version())
    return await standing(store, event)


async def test_the_same_landing_is_one_row_that_counts_its_visits(store: Store) -> None:
    await store.ledger.land(landing(page_url="https://shop.example/a"), 1)
    await store.ledger.land(landing(at=NOW + 5, page_url="https://shop.example/b"), 1)
    found = await store.ledger.landing(SHOP, "ref-1")
    assert found is not None
    assert (found.at, found.last_at, found.hits, found.click) == (NOW, NOW + 5, 2, CLICK)
    assert found.page_url == "https://shop.example/a"


async def test_many_visits_at_once_are_all_counted(store: Store) -> None:
    await asyncio.gather(*(store.ledger.land(landing(at=NOW + number), 1) for number in range(100)))
    found = await store.ledger.landing(SHOP, "ref-1")
    assert found is not None
    assert (found.at, found.last_at, found.hits) == (NOW, NOW + 99, 100)


async def test_a_landing_stored_again_at_the_same_instant_counts_nothing(store: Store) -> None:
    """An uncertain COMMIT is run again."""
    for _ in range(2):
        await store.ledger.land(landing(), 1)
    found = await store.ledger.landing(SHOP, "ref-1")
    assert found is not None
    assert found.hits == 1


WORDS: list[tuple[list[Consent], Consent]] = [
    (["unknown", "granted"], "granted"),
    (["granted", "unknown"], "granted"),
    (["granted", "denied"], "denied"),
    (["denied", "unknown"], "denied"),
    (["denied", "pending"], "denied"),
    (["denied", "granted"], "granted"),
    (["pending", "granted"], "granted"),
    (["granted", "pending"], "granted"),
    (["unknown", "pending"], "pending"),
]


@pytest.mark.parametrize(("words", "kept"), WORDS)
async def test_the_last_clear_word_on_consent_is_kept(store: Store, words: list[Consent], kept: Consent) -> None:
    for number, word in enumerate(words):
        await store.ledger.land(landing(at=NOW + number, consent=word), 1)
    found = await store.ledger.landing(SHOP, "ref-1")
    assert found is not None
    assert found.consent == kept


async def test_of_words_said_at_once_the_strictest_is_kept(store: Store) -> None:
    words: list[Consent] = ["granted", "unknown", "denied", "pending"]
    await asyncio.gather(*(store.ledger.land(landing(consent=word), 1) for word in words))
    found = await store.ledger.landing(SHOP, "ref-1")
    assert found is not None
    assert found.consent == "denied"


async def test_links_come_oldest_first_and_the_same_pair_counts_once(store: Store) -> None:
    first, second = link(at=NOW), link(at=NOW + 1, ref="ref-2", click=Click("t2"))
    for one in (second, first, replace(first, at=NOW + 9)):
        await store.ledger.link(one, 1)
    assert await store.ledger.links(SHOP, "checkout_id", "chk-1") == [first, second]
    assert await store.ledger.links(SHOP, "cart_token", "chk-1") == []
    assert await store.ledger.links(OTHER, "checkout_id", "chk-1") == []


async def test_clicks_prepared_for_an_older_directory_are_refused(store: Store) -> None:
    await store.directory.put_business(business())
    with pytest.raises(StaleDirectory):
        await store.ledger.land(landing(), 1)
    with pytest.raises(StaleDirectory):
        await store.ledger.link(link(), 1)
    assert await store.ledger.landing(SHOP, "ref-1") is None
    assert await store.ledger.links(SHOP, "checkout_id", "chk-1") == []


async def test_what_a_landing_or_link_that_came_in_between_would_resolve_is_found(store: Store) -> None:
    by_ref = await wait_for(store, Wait(kind="ref", id="ref-1"))
    by_link = await wait_for(store, Wait(kind="checkout_id", id="chk-1"))
    await wait_for(store, Wait(kind="ref", id="ref-9"), Wait(kind="cart_token", id="chk-1"))
    assert await store.ledger.resolvable(10) == []
    await store.ledger.land(landing(), 1)
    await store.ledger.link(link(), 1)
    await store.ledger.land(landing(business_id=OTHER, ref="ref-9"), 1)
    found = await store.ledger.resolvable(10)
    assert {(row.event.id, wait.kind) for row, wait in found} == {
        (by_ref.event.id, "ref"),
        (by_link.event.id, "checkout_id"),
    }
    [(first, _)] = await store.ledger.resolvable(1)
    [(second, _)] = await store.ledger.resolvable(10, (first.event.business_id, first.event.id))
    assert first.event.id < second.event.id
    assert await store.ledger.resolvable(10, (second.event.business_id, second.event.id)) == []


async def test_a_sweep_gets_past_those_that_it_cannot_help(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their message came without a click id, as some do: they wait for another until their deadline."""
    monkeypatch.setattr(link_module, "SWEEP_MAX", 2)
    hopeless = [Wait(kind="mobile_number", id=f"{number:064x}") for number in range(5)]
    for number, wait in enumerate(hopeless):
        await wait_for(store, wait)
        message = Conversation(
            business_id=SHOP,
            kind="mobile_number",
            id=wait.id,
            message_id=str(number),
            asset_id="1",
            click=Click(ad_id="1"),
            at=NOW,
        )
        await store.ledger.converse([message])
    late = await wait_for(store, Wait(kind="checkout_id", id="chk-1"))
    await store.ledger.link(link(), 1)
    released: list[str] = []

    class Intake:
        async def release(self, standing: StoredEvent, match: Match) -> bool:
            released.extend([standing.event.id] if match.click else [])
            return match.click is not None

    nobody: Any = SimpleNamespace(business=lambda _: None, account=lambda *_: None, of_click=lambda *click: None)
    matcher = Matcher(store.ledger, [b"k" * 32], b"r" * 32, nobody, nobody)
    linker = link_module.Linker(store.ledger, cast(Any, Intake()), matcher)
    swept = [await linker.sweep() for _ in range(7)]
    assert swept == [0, 0, 1, 0, 0, 0, 1]  # and begins anew
    assert released == [late.event.id] * 2


async def test_old_landings_are_forgotten_by_their_last_visit_a_bounded_number_at_a_time(store: Store) -> None:
    for number in range(5):
        await store.ledger.land(landing(ref=f"ref-{number}", at=NOW + number), 1)
    await store.ledger.land(landing(ref="ref-0", at=NOW + 50), 1)
    assert await store.ledger.forget_landings(NOW + 4, 2) == 2
    assert await store.ledger.forget_landings(NOW + 4, 10) == 1
    kept = [number for number in range(5) if await store.ledger.landing(SHOP, f"ref-{number}")]
    assert kept == [0, 4]


async def test_denials_are_listed_for_all_businesses_since_an_instant(store: Store) -> None:
    await store.ledger.land(landing(ref="old", consent="denied"), 1)
    await store.ledger.land(landing(ref="new", at=NOW + 10, consent="denied"), 1)
    await store.ledger.land(landing(ref="other", at=NOW + 10, business_id=OTHER, consent="denied"), 1)
    await store.ledger.land(landing(ref="agreed", at=NOW + 10, consent="granted"), 1)
    await store.ledger.land(landing(ref="silent", at=NOW + 10), 1)
    clid = landing().click.ctwa_clid
    denied = [(SHOP, "new", clid), (OTHER, "other", clid)]
    assert sorted(await store.ledger.denied(0)) == sorted([*denied, (SHOP, "old", clid)])
    assert sorted(await store.ledger.denied(NOW + 1)) == sorted(denied)


async def test_a_denial_forgets_the_visitor_whatever_came_before_or_with_it(store: Store) -> None:
    await store.ledger.land(landing(ref="seen", visitor='{"fbp":"a"}'), 1)
    await store.ledger.land(landing(ref="seen", at=NOW + 1, consent="denied", visitor='{"fbp":"b"}'), 1)
    await store.ledger.land(landing(ref="fresh", consent="denied", visitor='{"fbp":"c"}'), 1)
    for ref in ("seen", "fresh"):
        found = await store.ledger.landing(SHOP, ref)
        assert found is not None
        assert (found.consent, found.visitor) == ("denied", None)
