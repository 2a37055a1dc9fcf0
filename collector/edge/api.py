"""The server edge: Connectly's contract, links, and the tale of every event. A key opens it."""

import time
from collections.abc import Callable
from typing import Final, Protocol

from msgspec import UNSET
from starlette.types import Receive, Scope, Send

from collector.attribution import Click, id_fault
from collector.edge import answer
from collector.edge.answer import Reply
from collector.edge.guard import Headers, demand_json, read_body
from collector.errors import InvalidField, NotFound, Refusal, Unauthenticated, Unavailable
from collector.event import Channel, Event, digest, read_event_time
from collector.intake import Intake
from collector.match import Matcher, on_website
from collector.receipt import Candidate
from collector.sources import connectly
from collector.sources.connectly import Report
from collector.store.face import BusinessRow, Record, StaleDirectory

ATTEMPTS: Final = 4


class Directory(Protocol):
    """What the server edge asks of the directory."""

    @property
    def version(self) -> int:
        """The version that everything below is of."""
        ...

    def business(self, business_id: str) -> BusinessRow | None:
        """The business, or None."""

    async def refresh(self) -> None:
        """Load again now if the store holds a newer version."""

    async def fresh(self) -> None:
        """The same for any number of callers, a few times a second."""

    async def authenticate(self, plaintext: str, now: int) -> str | None:
        """The id of the key's business; None for a key that is unknown, revoked or expired."""


class Gate:
    """Key and business, in the order of the contract: 401 leaves nothing, from the business on there is a record."""

    def __init__(self, directory: Directory, clock: Callable[[], int]) -> None:
        self.directory = directory
        self.clock = clock
        self.refused = 0

    async def owner(self, headers: Headers) -> tuple[str, int]:
        """The business whose key was shown, and the version of the directory that said so. Raises Unauthenticated."""
        shown = headers.get(b"x-api-key", b"").decode("latin-1")
        owner = await self.directory.authenticate(shown, self.clock()) if shown else None
        if owner is None:
            self.refused += 1
            raise Unauthenticated("X-API-KEY is missing, unknown, revoked or expired")
        return owner, self.directory.version

    def business(self, owner: str, asked: str) -> BusinessRow:
        """The business of the path, which must be the key's own. Raises NotFound, the same for another's and for none."""
        found = self.directory.business(owner) if asked == owner else None
        if found is None:
            raise NotFound("no such business", "business_lookup")
        return found


class ConversionEvents:
    """`POST /external/v1/businesses/{business_id}/conversion_events`, as Connectly publishes it.

    Plain ASGI: this is the hot path. Checks run in the contract's order; every call that gets past the key leaves one record.
    """

    def __init__(
        self,
        gate: Gate,
        intake: Intake,
        matcher: Matcher,
        mint: Callable[[int], str],
        wait_seconds: float,
        body_bytes_max: int,
    ) -> None:
        self._gate = gate
        self._intake = intake
        self._matcher = matcher
        self._mint = mint
        self._wait_seconds = wait_seconds
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        headers: Headers = dict(scope["headers"])
        await answer.answered(self._answer(scope["path_params"]["business_id"], headers, receive), send)

    async def _answer(self, asked: str, headers: Headers, receive: Receive) -> Reply:
        began = time.monotonic()
        body: bytes | None = None
        respond_async = b"respond-async" in headers.get(b"prefer", b"").lower()  # RFC 7240: in any case
        for _ in range(ATTEMPTS):
            owner, version = await self._gate.owner(headers)
            now = self._gate.clock()
            try:
                try:
                    business = self._gate.business(owner, asked)
                    if body is None:
                        body = await read_body(receive, headers, self._body_bytes_max)
                        demand_json(headers)
                    report = connectly.read(body)
                    channel = self._intake.channel_of(business)
                    candidate = await self._candidate(business, channel, report, headers, now)
                except Refusal as refusal:
                    await self._intake.note(self._refused(owner, refusal, body, now), version)
                    raise
                wait_seconds = None if respond_async else max(self._wait_seconds - time.monotonic() + began, 0.0)
                record = Record.of(candidate.event, self._mint(now))
                receipt = await self._intake.take(candidate, record, wait_seconds, version)
                return answer.conversion(receipt, respond_async)
            except StaleDirectory:  # a key was revoked, a channel set: look again with new eyes
                await self._gate.directory.fresh()
        raise Unavailable("the directory keeps changing")

    async def _candidate(
        self, business: BusinessRow, channel: Channel, report: Report, headers: Headers, now: int
    ) -> Candidate:
        event_at, expired = read_event_time(report.event_time, now, "payload.event_time")
        key = headers.get(b"idempotency-key", b"").decode("latin-1") if report.detail.order_id is None else ""
        if key and (fault := id_fault(key)):
            raise InvalidField("Idempotency-Key", fault)
        match = await self._matcher.order(
            business.business_id, report, now, business.consent_required or channel == "website", event_at
        )
        if match.click is None and not report.pointers:
            raise InvalidField("cnct_tracking_id", "is required, or a link made earlier for payload.order_id")
        click = match.found
        row_id = self._mint(now)
        event_id = report.detail.order_id or key
        notes: tuple[str, ...] = (match.reason,) if match.reason else ()
        if not event_id:
            if report.event_time is not UNSET:
                event_id = connectly.body_event_id(report)
            else:
                event_id, notes = row_id, (*notes, "retry-not-idempotent")
        event = Event(
            business_id=business.business_id,
            id=row_id,
            event_name=report.event_name,
            event_id=event_id,
            event_at=event_at,
            received_at=now,
            channel=channel,
            click=click,
            consent=match.consent,
            custom_data=report.detail.custom_data,
            currency=report.detail.currency,
            value_micros=report.detail.value_micros,
            order_id=report.detail.order_id,
            test=business.mode == "test",
            digest=digest(report.event_name, report.detail.custom_data, click, report.event_time),
        )
        if channel == "website":
            event = on_website(event, business, match.landing)
        return Candidate(event=event, match=match, expired=expired, notes=notes)

    def _refused(self, owner: str, refusal: Refusal, body: bytes | None, now: int) -> Record:
        """The record of a call that stored no event: what of the contract could be read, and where it failed."""
        click, payload = connectly.known_part(body) if body else (Click(), None)
        return Record(
            business_id=owner,
            id=self._mint(now),
            received_at=now,
            failure_stage=refusal.stage or "payload_mapping",
            error=refusal.message,
            click=click,
            payload=payload,
        )
