"""The browser edge: landings, events and links from the shop's pages. Public, so everything is guarded and little is believed."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from collector import attribution
from collector.attribution import Attribution, Click
from collector.consent import Consent
from collector.edge import answer
from collector.edge.answer import Header, Reply, reason
from collector.edge.guard import Rates
from collector.edge.visit import SECOND, Directory, Visit, cookies, visitor
from collector.errors import BadToken, NotFound, RateLimited, Refusal, Unavailable
from collector.event import FUTURE_SECONDS_MAX, MILLISECONDS_FROM, Event, digest, read_event_time
from collector.intake import Intake
from collector.link import Linker
from collector.match import Match, on_website
from collector.privacy import Denials
from collector.receipt import Candidate
from collector.sources.browser import PageEvent, PageLanding, read_event, read_landing_post, read_link, read_view
from collector.store.face import Landing, Ledger, Link, Record, StaleDirectory, StoredLanding, Wait

_T = TypeVar("_T")

TRIES_MAX: Final = 4
LATE_MS_MAX: Final = 7 * 24 * 3600 * SECOND


class Pages:
    """Takes what the snippet posts: landings, events, links."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        intake: Intake,
        linker: Linker,
        denials: Denials,
        signing_keys: Sequence[bytes],
        ref_key: bytes,
        rates: Rates,
        mint: Callable[[int], str],
        clock: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._intake = intake
        self._linker = linker
        self._denials = denials
        self._keys = tuple(signing_keys)
        self._ref_key = ref_key
        self._rates = rates
        self._mint = mint
        self._clock = clock

    async def landing(self, visit: Visit) -> Reply:
        """Sign the landing's ids, store it, set both cookies (or give the token), and take the view that came with it.

        Over the rate the click is signed all the same: 200 where nothing is lost by it, 429 with the cookies where a view is to come again.
        """
        given = read_landing_post(visit.body)
        business = visit.business
        if given.consent == "denied":
            return await self._deny(visit, given)
        click, refused = attribution.read_landing(given.query, given.fragment)
        notes = tuple(f"id-refused: {name}" for name in refused)
        if not click:
            return answer.json({}, 200, reason(*notes, "no-ids"))
        if given.consent == "pending":
            return answer.json({}, 200, reason(*notes, "consent-pending"))
        now = self._clock()
        at = min(max(given.at_ms or now, now - LATE_MS_MAX), now)
        ref = attribution.ref(click, business.business_id, self._ref_key)
        status, again = 200, tuple[Header, ...]()
        try:
            self._rates.check(visit.scope, business.business_id)
            first_at = await self._store(visit, given, click, ref, at)
        except RateLimited as full:  # the row is shed, not the click: the first event brings it back
            first_at, notes = at, (*notes, "landing-shed")
            if given.view is not None:  # nothing else brings the view back: the page keeps what is answered with 429
                status, again = 429, (answer.retry_after(full.retry_after_seconds),)
        found = Attribution(click, first_at // SECOND)
        left = found.first_at_seconds + attribution.AGE_SECONDS_MAX - now // SECOND
        if left <= 0:
            return answer.json({}, 200, reason(*notes, "click-expired"))
        if given.view is not None and status == 200:
            notes += await self._view(visit, given.view, found)
        newer = visit.cookie is not None and visit.cookie.first_at_seconds > at // SECOND
        if newer:  # a landing that was kept back and comes late must not win over the visitor's last click
            return answer.json({}, status, reason(*notes, "newer-click-known"), *again)
        token = attribution.sign(found, business.business_id, self._keys)
        headers = ((reason(*notes),) if notes else ()) + again
        if visit.same_site:
            set_cookies = cookies(business, visit.origin, token, ref, left)
            return answer.json({"ref": ref, "max_age": left}, status, *headers, *set_cookies)
        return answer.json({"ref": ref, "token": token, "max_age": left}, status, *headers)

    async def event(self, visit: Visit) -> Reply:
        """Take one event of a visitor whose click is known from cookie or token."""
        given = read_event(visit.body)
        self._rates.check(visit.scope, visit.business.business_id)
        found, faults = self._attribution(visit, given.token)
        if found is None:
            return answer.json({}, 200, reason(*(faults or ("no-attribution",))))
        notes = await self._take(visit, given, found)
        return answer.json({}, 200, *([reason(*notes)] if notes else []), *self._renewed(visit, found))

    async def link(self, visit: Visit) -> Reply:
        """Tie the visitor's click to a checkout or cart."""
        given = read_link(visit.body)
        self._rates.check(visit.scope, visit.business.business_id)
        found, faults = self._attribution(visit, given.token)
        if found is None:
            return answer.json({"linked": False}, 200, reason(*(faults or ("no-attribution",))))
        now = self._clock()
        business_id = visit.business.business_id
        ref = attribution.ref(found.click, business_id, self._ref_key)
        link = Link(business_id=business_id, kind=given.kind, id=given.id, click=found.click, ref=ref, at=now)
        await self._current(lambda version: self._linker.link(link, version))
        return answer.json({"linked": True}, 200, *self._renewed(visit, found))

    async def _deny(self, visit: Visit, given: PageLanding) -> Reply:
        """Expire both cookies and mark the visitor's landing."""
        found, _ = self._attribution(visit, given.token)
        if found is not None:
            self._rates.check(
                visit.scope, visit.business.business_id
            )  # refused, not shed: the visitor's word must come again
            ref = attribution.ref(found.click, visit.business.business_id, self._ref_key)
            await self._store(visit, given, found.click, ref, self._clock())
        expired = cookies(visit.business, visit.origin, "", "", 0) if visit.same_site else ()
        return answer.json({}, 200, reason("consent-denied"), *expired)

    def _attribution(self, visit: Visit, token: str | None) -> tuple[Attribution | None, tuple[str, ...]]:
        """The visitor's click: the cookie's, else the token's (the foreign set-up)."""
        if visit.cookie is not None or token is None:
            return visit.cookie, visit.faults
        try:
            now_seconds = self._clock() // SECOND
            return attribution.verify(token, visit.business.business_id, self._keys, now_seconds), ()
        except BadToken as fault:
            return None, (fault.reason,)

    def _renewed(self, visit: Visit, found: Attribution) -> tuple[Header, ...]:
        """Both cookies again, with the time of the landing and what is left of its 90 days."""
        left = found.first_at_seconds + attribution.AGE_SECONDS_MAX - self._clock() // SECOND
        if not visit.same_site or visit.cookie is None or left <= 0:
            return ()
        ref = attribution.ref(found.click, visit.business.business_id, self._ref_key)
        token = attribution.sign(found, visit.business.business_id, self._keys)
        return cookies(visit.business, visit.origin, token, ref, left)

    async def _store(self, visit: Visit, given: PageLanding, click: Click, ref: str, at: int) -> int:
        """Keep the landing; returns when it was first seen."""
        business_id = visit.business.business_id
        known = await self._ledger.landing(business_id, ref)
        row = Landing(
            business_id=business_id,
            ref=ref,
            click=click,
            at=at,
            consent=given.consent,
            page_url=given.page_url,
            referrer=given.referrer,
            visitor=visitor(visit, given.query, at) if visit.business.policy.purchases == "website" else None,
        )
        await self._current(lambda version: self._ledger.land(row, version))
        if given.consent == "denied":
            self._denials.add(business_id, ref, click.ctwa_clid)
        await self._linker.arrived(business_id, Wait(kind="ref", id=ref))
        return known.at if known else at

    async def _view(self, visit: Visit, raw: bytes, found: Attribution) -> tuple[str, ...]:
        """Take the view that came with a landing. What is wrong with it must not cost the visitor's attribution."""
        try:
            return await self._take(visit, read_view(raw), found)
        except Refusal as refusal:
            return (f"view-refused: {refusal.message}",)

    async def _take(self, visit: Visit, given: PageEvent, found: Attribution) -> tuple[str, ...]:
        """Store one event of the page; returns what its sender should know."""
        now = self._clock()
        business = visit.business
        event_time, notes = _arrived(given.event_time, now)
        event_at, expired = read_event_time(event_time, now, "event_time")
        business_id = business.business_id
        ref = attribution.ref(found.click, business_id, self._ref_key)
        landing = await self._landing(visit, found, ref, given.consent)
        consent: Consent = given.consent
        if consent == "unknown" and landing is not None:
            consent = landing.consent
        event = Event(
            business_id=business_id,
            id=self._mint(now),
            event_name=given.event_name,
            event_id=given.event_id,
            event_at=event_at,
            received_at=now,
            source="browser",
            click=found.click,
            consent=consent,
            custom_data=given.detail.custom_data,
            currency=given.detail.currency,
            value_micros=given.detail.value_micros,
            page_url=given.page_url,
            test=business.mode == "test",
            digest=digest(given.event_name, given.detail.custom_data, found.click, given.event_time),
        )
        record = Record.of(event, self._mint(now))
        try:
            if self._intake.channel_of(business) == "website":
                event = on_website(msgspec.structs.replace(event, channel="website"), business, landing)
        except NotFound as missing:
            return (*notes, missing.stage or "channel_lookup")
        match = Match(found.click, consent, waits=(Wait(kind="ref", id=ref),))
        candidate = Candidate(event=event, match=match, expired=expired)
        receipt = await self._current(lambda version: self._intake.take(candidate, record, None, version))
        return tuple(filter(None, (*notes, receipt.delivery.reason, "duplicate" if receipt.duplicate else None)))

    async def _landing(self, visit: Visit, found: Attribution, ref: str, consent: Consent) -> StoredLanding | None:
        """The visitor's landing. One that was shed is brought back; one that says nothing of the visitor, where the business tells the
        website's conversions by now, learns it from this call."""
        business = visit.business
        known = await self._ledger.landing(business.business_id, ref)
        wanted = business.policy.purchases == "website" and "denied" not in (consent, known.consent if known else None)
        if known is not None and (known.visitor is not None or not wanted):
            return known
        row = Landing(
            business_id=business.business_id,
            ref=ref,
            click=found.click,
            at=known.last_at if known else found.first_at_seconds * SECOND,  # the same instant again is no other visit
            visitor=visitor(visit, "", self._clock()) if wanted else None,
        )
        await self._current(lambda version: self._ledger.land(row, version))
        return await self._ledger.landing(business.business_id, ref) if wanted else known

    async def _current(self, write: Callable[[int], Awaitable[_T]]) -> _T:
        """Write against the directory as it stands now."""
        for _ in range(TRIES_MAX):
            try:
                return await write(self._directory.version)
            except StaleDirectory:
                await self._directory.fresh()
        raise Unavailable("the directory keeps changing")


def _arrived(event_time: int | UnsetType, now: int) -> tuple[int | UnsetType, tuple[str, ...]]:
    """The time of a page's event: that of its arrival where the visitor's clock is ahead, for nobody there can set it right.

    Milliseconds are the page's mistake and stay as they are.
    """
    if event_time is UNSET or not now // SECOND + FUTURE_SECONDS_MAX < event_time < MILLISECONDS_FROM:
        return event_time, ()
    return now // SECOND, ("clock-ahead",)
