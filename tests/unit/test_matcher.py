"""Finding an order's click in a real store: by ids, token, ref, checkout or order id, each within its own business."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from msgspec import UNSET

from collector.attribution import AGE_SECONDS_MAX, Attribution, Click, LinkKind, ref, sign
from collector.consent import Consent
from collector.event import Detail, Event
from collector.match import SKEW_MS, Matcher
from collector.options import Options
from collector.policy import Policy
from collector.privacy import Denials
from collector.sources.connectly import Pointer, Report
from collector.store.face import BusinessRow, Conversation, Landing, Link, Wait
from collector.store.opening import Store, open_store
from tests.unit.samples import BUSINESS, CLICK, KEY, NEXT_KEY, NOW, NOW_MS, OTHER, business

REF_KEY = b"r" * 32
NAME = ref(CLICK, BUSINESS, REF_KEY)
DAY_MS = 24 * 3600 * 1000
AWAITS = (Wait(kind="ref", id=NAME),)


class House:
    """A store with two businesses, and what a shop does with it."""

    def __init__(self, store: Store, version: int) -> None:
        self.ledger = store.ledger
        self.version = version
        self.denials = Denials(store.ledger)
        self.businesses: dict[str, BusinessRow] = {}
        self.matcher = Matcher(store.ledger, [KEY], REF_KEY, self.denials, self)

    def business(self, business_id: str) -> BusinessRow | None:
        return self.businesses.get(business_id)

    def account(self, business_id: str, channel: str) -> str | None:
        return "waba"

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


def event(**changes: Any) -> Event:
    """One that says nothing of its click."""
    given: dict[str, Any] = {"event_name": "Purchase", "event_id": "e", "event_at": NOW_MS, "received_at": NOW_MS}
    return Event(business_id=BUSINESS, id="1", **(given | changes))


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
    house.denials.add(BUSINESS, NAME, CLICK.ctwa_clid)
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
    assert (await house.matcher.wait(event(), wait)).click == CLICK


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
    assert (await house.matcher.wait(event(), Wait(kind="order_id", id="o"))).click == CLICK
    await house.link("order_id", "o", after, NOW_MS + DAY_MS + 1)
    later = event(event_at=NOW_MS + DAY_MS + 1)
    assert (await house.matcher.wait(later, Wait(kind="order_id", id="o"))).click == after


async def test_what_is_reported_late_is_not_credited_to_a_later_link(house: House) -> None:
    later, now = Click("later"), NOW_MS + 2 * DAY_MS
    for kind in ("order_id", "checkout_id", "customer_id"):
        await house.link(kind, "x")
        await house.link(kind, "x", later, now)
    checkout, customer = Pointer("checkout_id", "x"), Options(lookups=(("customer_id", "x"),)).text()
    for order in (report(order_id="x"), report(checkout)):
        assert (await house.matcher.order(BUSINESS, order, now, event_at=NOW_MS)).click == CLICK
        assert (await house.matcher.order(BUSINESS, order, now)).click == later
    for at, click in ((NOW_MS, CLICK), (now, later)):
        told = event(received_at=now, event_at=at)
        assert (await house.matcher.conversion(told, (checkout,))).click == click
        assert (await house.matcher.conversion(msgspec.structs.replace(told, options=customer), ())).click == click


SENDER = Wait(kind="mobile_number", id="sender")


async def converse(house: House, *touches: tuple[str | None, int]) -> None:
    """Messages of one sender that an ad brought: click id and time of each."""
    await house.ledger.converse(
        [
            Conversation(
                business_id=BUSINESS,
                kind="mobile_number",
                id="sender",
                message_id=f"m-{number}",
                asset_id="waba",
                click=Click(ctwa_clid=clid, ad_id="ad"),
                at=at,
            )
            for number, (clid, at) in enumerate(touches)
        ]
    )


def looked_up(touch: Literal["last", "first"] = "last", **changes: Any) -> Event:
    """An event of the sender."""
    return event(options=Options(touch=touch, lookups=(("mobile_number", "sender"),)).text(), **changes)


@pytest.mark.parametrize(("touch", "clid"), [("last", "two"), ("first", "one")])
async def test_of_a_senders_clicks_the_last_before_the_event_counts_or_on_request_the_first(
    house: House, touch: Literal["last", "first"], clid: str
) -> None:
    await converse(house, ("one", NOW_MS - 2000), ("two", NOW_MS - 1000), ("later", NOW_MS + DAY_MS))
    found = await house.matcher.conversion(looked_up(touch), ())
    assert found.click == Click(ctwa_clid=clid, ad_id="ad")


@pytest.mark.parametrize(
    ("instants", "clid"),
    [
        ((-2000, 190_000), "0"),
        ((-2000, 0, 1), "1"),
        ((1, SKEW_MS), "0"),
        ((SKEW_MS,), "0"),
        ((SKEW_MS + 1,), None),
    ],
)
async def test_a_click_after_the_event_counts_only_where_none_came_before_it(
    house: House, instants: tuple[int, ...], clid: str | None
) -> None:
    await converse(house, *((str(number), NOW_MS + at) for number, at in enumerate(instants)))
    assert (await house.matcher.conversion(looked_up(), ())).found.ctwa_clid == clid


async def test_a_sender_without_a_click_id_is_waited_for(house: House) -> None:
    await converse(house, (None, NOW_MS - 1000))
    found = await house.matcher.conversion(looked_up(), ())
    assert (found.click, found.reason, found.waits) == (None, "click-not-found", (SENDER,))


async def test_a_click_counts_as_long_as_the_business_says(house: House) -> None:
    await converse(house, ("one", NOW_MS - 8 * DAY_MS))
    assert (await house.matcher.wait(looked_up(), SENDER)).click == Click(ctwa_clid="one", ad_id="ad")
    house.businesses[BUSINESS] = business(business_id=BUSINESS, policy=Policy(window_days=7))
    assert (await house.matcher.wait(looked_up(), SENDER)).click is None


async def test_a_customer_id_finds_the_click_that_the_shop_linked(house: House) -> None:
    known = event(options=Options(lookups=(("customer_id", "c-1"),)).text())
    assert (await house.matcher.conversion(known, ())).waits == (Wait(kind="customer_id", id="c-1"),)
    await house.link("customer_id", "c-1")
    assert (await house.matcher.conversion(known, ())).click == CLICK


@pytest.mark.parametrize("channel", ["messenger", "instagram", "website"])
async def test_where_meta_credits_by_who_it_was_an_event_goes_without_a_click(house: House, channel: str) -> None:
    found = await house.matcher.conversion(looked_up(channel=channel), ())
    assert found.click == Click()
    assert [wait.kind for wait in found.waits] == ["mobile_number"], (
        "for one of whom nothing is known, and which waits all the same"
    )


async def test_a_conversation_of_another_business_finds_nothing(house: House) -> None:
    await converse(house, ("one", NOW_MS))
    theirs = msgspec.structs.replace(looked_up(), business_id=OTHER)
    assert (await house.matcher.conversion(theirs, ())).click is None
