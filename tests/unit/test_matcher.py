"""Finding an order's click in a real store: by ids, token, ref, checkout or order id, each within its own business."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec import UNSET

from collector.attribution import AGE_SECONDS_MAX, Attribution, Click, LinkKind, ref, sign
from collector.consent import Consent
from collector.event import Detail
from collector.match import Matcher
from collector.privacy import Denials
from collector.sources.connectly import Pointer, Report
from collector.store.face import Landing, Link, Wait
from collector.store.opening import Store, open_store
from tests.unit.samples import BUSINESS, CLICK, KEY, NEXT_KEY, NOW, NOW_MS, OTHER, business

REF_KEY = b"r" * 32
NAME = ref(CLICK, BUSINESS, REF_KEY)
AWAITS = (Wait(kind="ref", id=NAME),)


class House:
    """A store with two businesses, and what a shop does with it."""

    def __init__(self, store: Store, version: int) -> None:
        self.ledger = store.ledger
        self.version = version
        self.denials = Denials(store.ledger)
        self.matcher = Matcher(store.ledger, [KEY], REF_KEY, self.denials)

    async def land(self, consent: Consent = "unknown", business_id: str = BUSINESS) -> None:
        name = ref(CLICK, business_id, REF_KEY)
        landing = Landing(business_id=business_id, ref=name, click=CLICK, at=NOW_MS, consent=consent)
        await self.ledger.land(landing, self.version)

    async def link(
        self, kind: LinkKind, id: str, click: Click = CLICK, at: int = NOW_MS, business_id: str = BUSINESS
    ) -> None:
        name = ref(click, business_id, REF_KEY)
        await self.ledger.link(
            Link(business_id=business_id, kind=kind, id=id, click=click, ref=name, at=at), self.version
        )


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with open_store(f"sqlite:///{tmp_path}/collector.db", clock=lambda: NOW_MS, serving=False) as store:
        for business_id, name in ((BUSINESS, "cnct"), (OTHER, "cnct_other")):
            assert await store.directory.put_business(business(business_id=business_id, cookie_name=name))
        yield House(store, await store.directory.version())


def report(*pointers: Pointer, click: Click | None = None, order_id: str | None = None) -> Report:
    return Report("Purchase", Detail("{}", None, None, order_id), UNSET, click, pointers)


def token(business_id: str = BUSINESS, key: bytes = KEY, at: int = NOW) -> Pointer:
    return Pointer("attribution_token", sign(Attribution(CLICK, at), business_id, [key]))


async def test_an_orders_own_ids_need_nothing_else(house: House) -> None:
    found = await house.matcher.order(BUSINESS, report(click=CLICK), NOW_MS)
    assert (found.click, found.reason, found.waits) == (CLICK, None, ())


async def test_a_denial_is_obeyed_for_an_orders_own_ids(house: House) -> None:
    """Heard here it counts at once; of another process it counts after the refresh; another business's denial is none."""
    await house.land("denied")
    assert (await house.matcher.order(BUSINESS, report(click=CLICK), NOW_MS)).consent == "unknown"
    await house.denials.refresh(NOW_MS)
    assert (await house.matcher.order(BUSINESS, report(click=CLICK), NOW_MS)).consent == "denied"
    assert (await house.matcher.order(OTHER, report(click=CLICK), NOW_MS)).consent == "unknown"


async def test_who_agrees_after_a_denial_is_believed(house: House) -> None:
    await house.land("denied")
    house.denials.add(BUSINESS, NAME)
    await house.land("granted")
    assert (await house.matcher.order(BUSINESS, report(click=CLICK), NOW_MS)).consent == "granted"


@pytest.mark.parametrize("consent", ["granted", "denied", "pending", "unknown"])
async def test_a_token_gives_its_click_with_what_the_visitor_said(house: House, consent: Consent) -> None:
    await house.land(consent)
    found = await house.matcher.order(BUSINESS, report(token()), NOW_MS)
    assert (found.click, found.consent, found.waits) == (CLICK, consent, AWAITS)


async def test_a_token_needs_no_stored_landing(house: House) -> None:
    found = await house.matcher.order(BUSINESS, report(token()), NOW_MS)
    assert (found.click, found.consent, found.waits) == (CLICK, "unknown", AWAITS)


@pytest.mark.parametrize(
    ("pointer", "reason"),
    [
        (token(OTHER), "token-forged"),
        (token(key=NEXT_KEY), "token-forged"),
        (Pointer("attribution_token", "x"), "token-forged"),
        (token(at=NOW - AGE_SECONDS_MAX - 1), "token-expired"),
    ],
)
async def test_a_token_that_proves_nothing_is_a_reason_not_an_error(
    house: House, pointer: Pointer, reason: str
) -> None:
    found = await house.matcher.order(BUSINESS, report(pointer), NOW_MS)
    assert (found.click, found.reason, found.waits) == (None, reason, ())


async def test_a_ref_finds_its_landing_and_waits_for_it_before(house: House) -> None:
    before = await house.matcher.order(BUSINESS, report(Pointer("ref", NAME)), NOW_MS)
    assert (before.click, before.reason, before.waits) == (None, "click-not-found", AWAITS)
    await house.land("granted")
    found = await house.matcher.order(BUSINESS, report(Pointer("ref", NAME)), NOW_MS)
    assert (found.click, found.consent, found.waits) == (CLICK, "granted", AWAITS)


async def test_a_checkout_finds_its_link_and_waits_for_it_before(house: House) -> None:
    wait = Wait(kind="checkout_id", id="chk")
    before = await house.matcher.order(BUSINESS, report(Pointer("checkout_id", "chk")), NOW_MS)
    assert (before.click, before.reason, before.waits) == (None, "click-not-found", (wait,))
    await house.link("checkout_id", "chk")
    found = await house.matcher.order(BUSINESS, report(Pointer("checkout_id", "chk")), NOW_MS)
    assert (found.click, found.waits) == (CLICK, AWAITS)
    assert (await house.matcher.wait(BUSINESS, wait)).click == CLICK


async def test_an_order_linked_at_its_creation_needs_no_pointer_at_its_payment(house: House) -> None:
    await house.link("order_id", "ORD-1")
    assert (await house.matcher.order(BUSINESS, report(order_id="ORD-1"), NOW_MS)).click == CLICK
    assert (await house.matcher.order(BUSINESS, report(order_id="ORD-2"), NOW_MS)).click is None


async def test_nothing_named_is_nothing_found(house: House) -> None:
    found = await house.matcher.order(BUSINESS, report(), NOW_MS)
    assert (found.click, found.reason, found.waits) == (None, "click-not-found", ())


async def test_each_pointer_is_tried_until_one_finds_its_click(house: House) -> None:
    await house.link("checkout_id", "chk")
    pointers = (token(OTHER), Pointer("ref", "r" * 22), Pointer("checkout_id", "chk"))
    found = await house.matcher.order(BUSINESS, report(*pointers, order_id="o"), NOW_MS)
    assert (found.click, found.reason) == (CLICK, None)


async def test_an_order_link_steps_in_where_no_pointer_finds_a_click(house: House) -> None:
    await house.link("order_id", "ORD-1")
    found = await house.matcher.order(BUSINESS, report(token(OTHER), order_id="ORD-1"), NOW_MS)
    assert (found.click, found.reason) == (CLICK, None)


async def test_what_is_not_found_waits_for_all_that_was_named_and_tells_the_first_reason(house: House) -> None:
    pointers = (token(OTHER), Pointer("ref", NAME), Pointer("checkout_id", "chk"))
    found = await house.matcher.order(BUSINESS, report(*pointers, order_id="o"), NOW_MS)
    assert found.reason == "token-forged"
    assert found.waits == (*AWAITS, Wait(kind="checkout_id", id="chk"), Wait(kind="order_id", id="o"))


@pytest.mark.parametrize(
    "given",
    [report(Pointer("ref", NAME)), report(Pointer("checkout_id", "chk")), report(order_id="chk"), report(token(OTHER))],
)
async def test_another_businesss_landings_links_and_tokens_find_nothing(house: House, given: Report) -> None:
    await house.land(business_id=OTHER)
    await house.ledger.land(Landing(business_id=OTHER, ref=NAME, click=CLICK, at=NOW_MS), house.version)
    await house.link("checkout_id", "chk", business_id=OTHER)
    await house.link("order_id", "chk", business_id=OTHER)
    assert (await house.matcher.order(BUSINESS, given, NOW_MS)).click is None


async def test_of_two_links_the_first_wins_for_a_day(house: House) -> None:
    within, after = Click("within"), Click("after")
    await house.link("order_id", "o")
    await house.link("order_id", "o", within, NOW_MS + 1000)
    assert (await house.matcher.wait(BUSINESS, Wait(kind="order_id", id="o"))).click == CLICK
    await house.link("order_id", "o", after, NOW_MS + 24 * 3600 * 1000 + 1)
    assert (await house.matcher.wait(BUSINESS, Wait(kind="order_id", id="o"))).click == after
