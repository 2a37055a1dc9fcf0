"""Find the click of an event: from its ids, a signed token, a landing's ref, a link made earlier, or the message that an ad brought."""

from collections.abc import Container, Sequence, Sized
from typing import Any, Final, Protocol, get_args

import msgspec

from collector import options
from collector.attribution import Click, ref as make_ref, verify
from collector.consent import Consent, joined
from collector.errors import BadToken
from collector.event import Event, about, digested
from collector.identity import BROWSER_KEYS
from collector.policy import WINDOW_DAYS
from collector.sources.connectly import Pointer, Report
from collector.store.face import BusinessRow, Conversation, ConversationKind, Ledger, Link, StoredLanding, Wait

DAY_MS: Final = 24 * 3600 * 1000
FIRST_LINK_WINS_MS: Final = DAY_MS
SKEW_MS: Final = 600_000
"""How much later than the event its click may seem to be: the clocks of a shop and of Meta differ."""
_person: Final = msgspec.json.Decoder(dict[str, Any])
NO_CLICK_NEEDED: Final = ("messenger", "instagram", "website")
"""There Meta credits by who it was; a click that is found tells the report which ad it was."""


class Match(msgspec.Struct, frozen=True, gc=False):
    """What was found. `click` None: not (yet); then `reason` says why and `waits` name what would resolve it.

    Where a click is found, `waits` name the landing whose visitor's consent counts; `landing` is that landing, where it was read.
    """

    click: Click | None
    consent: Consent = "unknown"
    reason: str | None = None
    waits: tuple[Wait, ...] = ()
    landing: StoredLanding | None = None

    @property
    def found(self) -> Click:
        """The click, empty where none was found. (A click that holds an ad id alone is no nothing, though it is falsy.)"""
        return Click() if self.click is None else self.click


class Denials(Sized, Container[tuple[str, str]], Protocol):
    """(business, ref) of visitors who denied consent."""

    def of_click(self, business_id: str, ctwa_clid: str) -> str | None:
        """The ref of such a landing of this click id, or None."""
        ...


def winning_link(links: Sequence[Link], event_at: int) -> Link | None:
    """Of an id's links, oldest first, the one that an event is credited to: the first wins for 24 hours, then a later one may take over.

    One that came after the event takes over nothing.
    """
    winner: Link | None = None
    for link in links:
        if winner is None or winner.at + FIRST_LINK_WINS_MS < link.at <= event_at:
            winner = link
    return winner


def winning_touch(
    touches: Sequence[Conversation], event_at: int, window_ms: int, first: bool, clicked: bool
) -> Conversation | None:
    """Of a sender's messages that an ad brought, oldest first, the one that an event is credited to: the last before it, or the first.

    Only those count that lie in the window before the event and, with `clicked`, carry a click id. Where none came before it, the next
    one after it counts, as far as clocks may differ.
    """
    counted = [
        touch
        for touch in touches
        if event_at - window_ms <= touch.at <= event_at + SKEW_MS and (touch.click.ctwa_clid or not clicked)
    ]
    before = [touch for touch in counted if touch.at <= event_at]
    return before[-1] if before and not first else next(iter(counted), None)


def met(event: Event, match: Match) -> Event:
    """The event with what was found: its click, what was said of consent, and for the website who the visitor of the landing was."""
    known = about(event, match.found, joined(options.said(event).consent, match.consent))
    return _unseen(known) if known.consent == "denied" else visited(known, match.landing)


def visited(event: Event, landing: StoredLanding | None) -> Event:
    """An event of the website with what its landing tells and it does not: address and browser, fbc and fbp, the page. One that a denial
    keeps from being sent learns nothing."""
    if event.channel != "website" or landing is None or event.consent == "denied":
        return event
    try:
        seen, said = _person.decode(landing.visitor or "{}"), _person.decode(event.user_data)
    except (ValueError, RecursionError):
        return event  # a row that somebody edited by hand
    user_data = msgspec.json.encode(seen | said).decode()
    return msgspec.structs.replace(event, user_data=user_data, page_url=event.page_url or landing.page_url)


def _unseen(event: Event) -> Event:
    """An event that is never sent, without what its landing had told of a visitor who denied since."""
    if event.channel != "website":
        return event
    try:
        said = _person.decode(event.user_data)
    except (ValueError, RecursionError):
        return event  # a row that somebody edited by hand
    left = {key: value for key, value in said.items() if key not in BROWSER_KEYS}
    return msgspec.structs.replace(event, user_data=msgspec.json.encode(left).decode())


def on_website(event: Event, business: BusinessRow, landing: StoredLanding | None) -> Event:
    """A shop's event as a conversion of its website: with who the visitor was, a page, and the click id where the business wants it there."""
    asked = options.Options(click_id=True).text() if business.policy.website_click_id else options.NONE
    known = visited(digested(msgspec.structs.replace(event, options=asked)), landing)
    return known if known.page_url else msgspec.structs.replace(known, page_url=business.origins[0])


class Businesses(Protocol):
    """What is asked of the directory."""

    def business(self, business_id: str) -> BusinessRow | None:
        """The business, or None."""

    def account(self, business_id: str, channel: str) -> str | None:
        """The account behind a channel; None where there is none."""


class Matcher:
    """Resolves clicks against the ledger. `signing_keys` are oldest to newest, `ref_key` names landings, `denials` holds who denied
    consent; `businesses` knows each one's window and accounts."""

    def __init__(
        self,
        ledger: Ledger,
        signing_keys: Sequence[bytes],
        ref_key: bytes,
        denials: Denials,
        businesses: Businesses,
    ) -> None:
        self._ledger = ledger
        self._businesses = businesses
        self._signing_keys = tuple(signing_keys)
        self._ref_key = ref_key
        self._denials = denials

    async def order(
        self, business_id: str, report: Report, now_ms: int, with_landing: bool = False, event_at: int | None = None
    ) -> Match:
        """Resolve one reported order: its own ids, then each pointer, then an `order_id` link. `event_at` None: it is of now.

        For own ids a denial is known without a look-up; what else the landing tells is asked only for `with_landing`.
        A token that is forged, another business's or expired is a reason, not an error: the order is real, only its click is unknown.
        """
        if report.click is not None:
            if with_landing or (self._denials and self._denied(business_id, report.click)):
                return await self._known(business_id, report.click)
            return Match(report.click)
        at = now_ms if event_at is None else event_at
        reason: str | None = None
        waits: list[Wait] = []
        for pointer in report.pointers:
            found = await self.pointer(business_id, pointer, now_ms, at)
            if found.click is not None:
                return found
            reason = reason or found.reason
            waits += found.waits
        if report.detail.order_id is not None:
            found = await self._linked(business_id, Wait(kind="order_id", id=report.detail.order_id), at)
            if found.click is not None:
                return found
            waits += found.waits
        return Match(None, reason=reason or "click-not-found", waits=tuple(waits))

    async def conversion(self, event: Event, pointers: Sequence[Pointer], with_landing: bool = False) -> Match:
        """Resolve an event of the own events API: its own click id, each pointer, an `order_id` link, then each look-up key.

        For an own click id the landing is read only where a visitor denied, or `with_landing`, as for `order`. Where Meta credits by who
        it was, a click that is not found is no reason to wait, unless a pointer promised one.
        """
        business_id = event.business_id
        if event.click:
            own = Match(event.click)
            if with_landing or (self._denials and self._denied(business_id, event.click)):
                own = await self._known(business_id, event.click)
            own = await self._heard(business_id, own)
            for pointer in pointers:
                own = _told(own, await self.pointer(business_id, pointer, event.received_at, event.event_at))
            return own
        reason: str | None = None
        waits: list[Wait] = []
        for pointer in pointers:
            found = await self.pointer(business_id, pointer, event.received_at, event.event_at)
            if found.click is not None:
                return found
            reason = reason or found.reason
            waits += found.waits
        for wait in _promised(event):
            found = await self.wait(event, wait)
            if found.click is not None:
                return found
            waits.append(wait)
        if event.channel in NO_CLICK_NEEDED:
            return Match(Click(), reason=reason, waits=tuple(waits))
        return Match(None, reason=reason or "click-not-found", waits=tuple(waits))

    async def again(self, event: Event) -> Match:
        """Resolve a stored event once more, from what it says of itself."""
        if event.click != Click():
            return Match(event.click, event.consent)
        return await self.conversion(event, ())

    def _denied(self, business_id: str, click: Click) -> bool:
        return (business_id, make_ref(click, business_id, self._ref_key)) in self._denials

    async def pointer(self, business_id: str, pointer: Pointer, now_ms: int, event_at: int) -> Match:
        """Resolve a token, a ref or a checkout id, for what happened at `event_at`."""
        if pointer.kind == "attribution_token":
            try:
                click = verify(pointer.value, business_id, self._signing_keys, now_ms // 1000).click
            except BadToken as error:
                return Match(None, reason=error.reason)
            return await self._known(business_id, click)
        if pointer.kind == "ref":
            return await self._landed(business_id, Wait(kind="ref", id=pointer.value))
        return await self._linked(business_id, Wait(kind="checkout_id", id=pointer.value), event_at)

    async def wait(self, event: Event, wait: Wait) -> Match:
        """Resolve what an unmatched event waits for, if it has come by now."""
        if wait.kind == "ref":
            return await self._landed(event.business_id, wait)
        kind = _conversation_kind(wait)
        if kind is None:
            return await self._linked(event.business_id, wait, event.event_at)
        business = self._businesses.business(event.business_id)
        window_ms = (business.policy.window_days if business else WINDOW_DAYS) * DAY_MS
        touches = await self._ledger.conversations(event.business_id, kind, wait.id)
        if event.channel == "whatsapp" and (account := self._businesses.account(event.business_id, "whatsapp")):
            # Meta refuses a click of another account.
            touches = [touch for touch in touches if touch.asset_id == account]
        first = options.said(event).touch == "first"
        touch = winning_touch(touches, event.event_at, window_ms, first, event.channel == "whatsapp")
        if touch is None:
            return Match(None, reason="click-not-found", waits=(wait,))
        return await self._heard(event.business_id, Match(touch.click, waits=(wait,)))

    async def _heard(self, business_id: str, match: Match) -> Match:
        """A click with the word of its visitor, where he once denied: a chat knows the click id alone, and no ref can be made of it."""
        clid = match.found.ctwa_clid
        ref = self._denials.of_click(business_id, clid) if clid else None
        return match if ref is None else _told(match, await self._landed(business_id, Wait(kind="ref", id=ref)))

    async def _landed(self, business_id: str, wait: Wait) -> Match:
        landing = await self._ledger.landing(business_id, wait.id)
        if landing is None:
            return Match(None, reason="click-not-found", waits=(wait,))
        return Match(landing.click, landing.consent, waits=(wait,), landing=landing)

    async def _linked(self, business_id: str, wait: Wait, event_at: int) -> Match:
        link = winning_link(await self._ledger.links(business_id, wait.kind, wait.id), event_at)
        if link is None:
            return Match(None, reason="click-not-found", waits=(wait,))
        return await self._known(business_id, link.click)

    async def _known(self, business_id: str, click: Click) -> Match:
        """A click with what its visitor said: unknown when the landing was never stored. A later grant comes under the landing's ref."""
        ref = make_ref(click, business_id, self._ref_key)
        landing = await self._ledger.landing(business_id, ref)
        consent: Consent = landing.consent if landing else "unknown"
        return Match(click, consent, waits=(Wait(kind="ref", id=ref),), landing=landing)


def _told(own: Match, named: Match) -> Match:
    """A click that the caller gave, with what a pointer beside it tells of the visitor: his word, of which a denial always counts, and who it was."""
    said = None if named.consent == "unknown" else named.consent
    return msgspec.structs.replace(
        own,
        consent=joined(said, own.consent),
        waits=own.waits + named.waits,
        landing=own.landing or named.landing,
    )


def _promised(event: Event) -> list[Wait]:
    """What an event says of itself that may lead to its click, the surest first."""
    waits = [] if event.order_id is None else [Wait(kind="order_id", id=event.order_id)]
    return waits + [Wait(kind=kind, id=value) for kind, value in options.said(event).lookups]


def _conversation_kind(wait: Wait) -> ConversationKind | None:
    for kind in get_args(ConversationKind):
        if kind == wait.kind:
            return kind  # type: ignore[no-any-return]  # get_args gives back the members of the Literal
    return None
