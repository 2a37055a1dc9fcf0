"""Find the click of an order: from its ids, a signed token, a landing's ref, or a link made earlier."""

from collections.abc import Container, Sequence, Sized
from typing import Final, Protocol

import msgspec

from collector.attribution import Click, verify
from collector.attribution import ref as make_ref
from collector.consent import Consent
from collector.errors import BadToken
from collector.sources.connectly import Pointer, Report
from collector.store.face import Ledger, Link, Wait

FIRST_LINK_WINS_MS: Final = 24 * 3600 * 1000


class Match(msgspec.Struct, frozen=True, gc=False):
    """What was found. `click` None: not (yet); then `reason` says why and `waits` name what would resolve it.

    Where a click is found, `waits` name the landing whose visitor's consent counts.
    """

    click: Click | None
    consent: Consent = "unknown"
    reason: str | None = None
    waits: tuple[Wait, ...] = ()


class Denials(Sized, Container[tuple[str, str]], Protocol):
    """(business, ref) of visitors who denied consent."""


def winning_link(links: Sequence[Link]) -> Link | None:
    """Of an id's links, oldest first, the one that counts: the first wins for 24 hours, then a later one may take over."""
    winner: Link | None = None
    for link in links:
        if winner is None or link.at - winner.at > FIRST_LINK_WINS_MS:
            winner = link
    return winner


class Matcher:
    """Resolves clicks against the ledger. `signing_keys` are oldest to newest, `ref_key` names landings, `denials` holds who denied
    consent."""

    def __init__(self, ledger: Ledger, signing_keys: Sequence[bytes], ref_key: bytes, denials: Denials) -> None:
        self._ledger = ledger
        self._signing_keys = tuple(signing_keys)
        self._ref_key = ref_key
        self._denials = denials

    async def order(self, business_id: str, report: Report, now_ms: int, consent_required: bool = False) -> Match:
        """Resolve one reported order: its own ids, then each pointer, then an `order_id` link.

        For own ids a denial is known without a look-up; what else the visitor said is asked only with `consent_required`.
        A token that is forged, another business's or expired is a reason, not an error: the order is real, only its click is unknown.
        """
        if report.click is not None:
            if consent_required or (self._denials and self._denied(business_id, report.click)):
                return await self._known(business_id, report.click)
            return Match(report.click)
        reason: str | None = None
        waits: list[Wait] = []
        for pointer in report.pointers:
            found = await self.pointer(business_id, pointer, now_ms)
            if found.click is not None:
                return found
            reason = reason or found.reason
            waits += found.waits
        if report.detail.order_id is not None:
            found = await self._linked(business_id, Wait(kind="order_id", id=report.detail.order_id))
            if found.click is not None:
                return found
            waits += found.waits
        return Match(None, reason=reason or "click-not-found", waits=tuple(waits))

    def _denied(self, business_id: str, click: Click) -> bool:
        return (business_id, make_ref(click, business_id, self._ref_key)) in self._denials

    async def pointer(self, business_id: str, pointer: Pointer, now_ms: int) -> Match:
        """Resolve a token, a ref or a checkout id."""
        if pointer.kind == "attribution_token":
            try:
                click = verify(pointer.value, business_id, self._signing_keys, now_ms // 1000).click
            except BadToken as error:
                return Match(None, reason=error.reason)
            return await self._known(business_id, click)
        if pointer.kind == "ref":
            return await self.wait(business_id, Wait(kind="ref", id=pointer.value))
        return await self._linked(business_id, Wait(kind="checkout_id", id=pointer.value))

    async def wait(self, business_id: str, wait: Wait) -> Match:
        """Resolve what an unmatched event waits for, if it has come by now."""
        if wait.kind != "ref":
            return await self._linked(business_id, wait)
        landing = await self._ledger.landing(business_id, wait.id)
        if landing is None:
            return Match(None, reason="click-not-found", waits=(wait,))
        return Match(landing.click, landing.consent, waits=(wait,))

    async def _linked(self, business_id: str, wait: Wait) -> Match:
        link = winning_link(await self._ledger.links(business_id, wait.kind, wait.id))
        if link is None:
            return Match(None, reason="click-not-found", waits=(wait,))
        return await self._known(business_id, link.click)

    async def _known(self, business_id: str, click: Click) -> Match:
        """A click with what its visitor said: unknown when the landing was never stored. A later grant comes under the landing's ref."""
        ref = make_ref(click, business_id, self._ref_key)
        landing = await self._ledger.landing(business_id, ref)
        return Match(click, landing.consent if landing else "unknown", waits=(Wait(kind="ref", id=ref),))
