"""The rest of the server edge: links made by the shop, and what became of every call and event."""

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from collector.attribution import Click, id_fault, ref
from collector.edge import answer
from collector.edge.answer import Reply
from collector.edge.api import ATTEMPTS, Gate
from collector.edge.guard import Headers, demand_json, read_body
from collector.errors import InvalidField, NotFound, Unavailable
from collector.event import plain_text
from collector.link import Linker
from collector.match import Matcher
from collector.sources import links
from collector.store.face import Attempt, BusinessRow, Delivery, Ledger, Link, StaleDirectory, StoredEvent

PAGE: Final = 100
STATES: Final = ("unmatched", "pending", "sending", "retrying", "held", "delivered", "dead")

Handler = Callable[[Request, BusinessRow], Awaitable[Reply]]


class Keyed:
    """A route behind a key: finds the key's business, then lets `handler` answer."""

    def __init__(self, gate: Gate, handler: Handler) -> None:
        self._gate = gate
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        headers: Headers = dict(scope["headers"])
        await answer.answered(self._answer(headers, Request(scope, receive)), send)

    async def _answer(self, headers: Headers, request: Request) -> Reply:
        await (
            self._gate.directory.refresh()
        )  # what is read here is not guarded by a commit: a revoked key must fail at once
        owner, _ = await self._gate.owner(headers)
        business = self._gate.business(owner, request.path_params["business_id"])
        return await self._handler(request, business)


class ServerLinks:
    """`POST /v1/businesses/{business_id}/links`."""

    def __init__(self, gate: Gate, linker: Linker, matcher: Matcher, ref_key: bytes, body_bytes_max: int) -> None:
        self._gate = gate
        self._linker = linker
        self._matcher = matcher
        self._ref_key = ref_key
        self._body_bytes_max = body_bytes_max

    async def __call__(self, request: Request, business: BusinessRow) -> Reply:
        """Tie an id of the shop to a click."""
        headers: Headers = dict(request.scope["headers"])
        body = await read_body(request.receive, headers, self._body_bytes_max)
        demand_json(headers)
        given = links.read(body)
        now = self._gate.clock()
        click = given.click or await self._pointed(business, given, now)
        link = Link(
            business_id=business.business_id,
            kind=given.kind,
            id=given.id,
            click=click,
            ref=ref(click, business.business_id, self._ref_key),
            at=now,
        )
        for _ in range(ATTEMPTS):
            try:
                owner, version = await self._gate.owner(headers)
                self._gate.business(owner, business.business_id)
                await self._linker.link(link, version)
            except StaleDirectory:
                await self._gate.directory.fresh()
            else:
                return answer.json({"linked": True})
        raise Unavailable("the directory keeps changing")

    async def _pointed(self, business: BusinessRow, given: links.ServerLink, now: int) -> Click:
        pointer = given.pointer
        if pointer is None:
            raise InvalidField("attribution", "is required")
        match = await self._matcher.pointer(business.business_id, pointer, now, now)
        if match.click is None:
            raise InvalidField(pointer.kind, f"names no click ({match.reason})")
        return match.click


class Tale:
    """Lists events and records, newest first, and tells the whole life of one event."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def events(self, request: Request, business: BusinessRow) -> Reply:
        """`GET …/events`: filtered by name, event id and state."""
        query = request.query_params
        state = query.get("state") or None
        if state is not None and state not in STATES:
            raise InvalidField("state", f"must be one of {', '.join(STATES)}")
        found = await self._ledger.events(
            business.business_id,
            _name(query),
            _named(query, "event_id"),
            state,
            _cursor(request),
            PAGE + 1,
        )
        listed = [_event(stored) for stored in found[:PAGE]]
        return answer.json({"events": listed, "next_cursor": found[PAGE - 1].event.id if len(found) > PAGE else None})

    async def event(self, request: Request, business: BusinessRow) -> Reply:
        """`GET …/events/{id}`: the event, its records, its delivery with every attempt."""
        asked: str = request.path_params["event_row"]
        stored = await self._ledger.event(business.business_id, asked) if asked.isalnum() else None
        if stored is None:
            raise NotFound("no such event")
        event = stored.event
        attempts = await self._ledger.attempts(business.business_id, event.id)
        records = await self._ledger.event_records(business.business_id, event.id)
        told = _event(stored) | {
            "channel": event.channel,
            "source": event.source,
            "event_at": event.event_at,
            "received_at": event.received_at,
            "consent": event.consent,
            "test": event.test,
            "page_url": event.page_url,
            "custom_data": msgspec.Raw(event.custom_data.encode()),
            **_click(event.click),
        }
        return answer.json(
            {
                "event": told,
                "records": [_record(row) for row in records],
                "deliveries": [_delivery(stored.delivery, attempts)],
            }
        )

    async def records(self, request: Request, business: BusinessRow) -> Reply:
        """`GET …/records`: one for each reporting call."""
        found = await self._ledger.records(business.business_id, _cursor(request), PAGE + 1)
        more = found[PAGE - 1]["id"] if len(found) > PAGE else None
        return answer.json({"records": [_record(row) for row in found[:PAGE]], "next_cursor": more})


def _named(query: QueryParams, field: str) -> str | None:
    value = query.get(field) or None
    if value is not None and (fault := id_fault(value)):  # PostgreSQL takes no NUL
        raise InvalidField(field, fault)
    return value


def _name(query: QueryParams) -> str | None:
    """A name of the caller's own may be in any script."""
    value = query.get("event_name") or None
    return None if value is None else plain_text(value, "event_name")


def _cursor(request: Request) -> str | None:
    cursor = request.query_params.get("cursor") or None
    if cursor is not None and not (len(cursor) == 32 and cursor.isascii() and cursor.isalnum()):
        raise InvalidField("cursor", "must be the next_cursor of an earlier answer")
    return cursor


def _click(click: Click) -> dict[str, str | None]:
    return {name: getattr(click, name) for name in Click.__struct_fields__}


def _event(stored: StoredEvent) -> dict[str, object]:
    event, delivery = stored.event, stored.delivery
    return {
        "id": event.id,
        "event_name": event.event_name,
        "event_id": event.event_id,
        "state": delivery.state,
        "reason": delivery.reason,
        "revision": delivery.revision,
    }


def _delivery(delivery: Delivery, attempts: list[Attempt]) -> dict[str, object]:
    told = [msgspec.structs.asdict(attempt) for attempt in attempts]
    for attempt in told:
        del attempt["business_id"], attempt["delivery_id"]
    return {
        "destination": delivery.destination,
        "state": delivery.state,
        "reason": delivery.reason,
        "revision": delivery.revision,
        "due_at": delivery.due_at,
        "deadline_at": delivery.deadline_at,
        "forward_reference_id": delivery.reference,
        "error": delivery.error,
        "attempts": told,
    }


def _record(row: dict[str, object]) -> dict[str, object]:
    payload = row.get("payload")
    return row | {"payload": msgspec.Raw(payload.encode()) if isinstance(payload, str) else None}
