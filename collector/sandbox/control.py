"""`/sandbox/…`: read back what arrived, order faults, change the state."""

import asyncio
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from .destination import Stand
from .faults import Fault
from .journal import EVENTS_KEPT, REQUESTS_KEPT, Received
from .wire import UNREADABLE

WAIT_LIMIT_MS = 60_000
Kept = TypeVar("Kept")


class FaultList(msgspec.Struct, forbid_unknown_fields=True):
    """The body of `/sandbox/faults`."""

    faults: list[Fault]


class Control:
    """The endpoints that tests and people use; they are never recorded."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand

    def routes(self) -> list[Route]:
        """Every path under `/sandbox` except the page's."""
        return [
            Route("/sandbox/events", self.events, methods=["GET"]),
            Route("/sandbox/events", self.forget, methods=["DELETE"]),
            Route("/sandbox/requests", self.requests, methods=["GET"]),
            Route("/sandbox/ids", self.ids, methods=["GET"]),
            Route("/sandbox/summary", self.summary, methods=["GET"]),
            Route("/sandbox/faults", self.faults, methods=["GET"]),
            Route("/sandbox/faults", self.order_faults, methods=["PUT"]),
            Route("/sandbox/state", self.state, methods=["GET"]),
            Route("/sandbox/state", self.merge_state, methods=["PUT"]),
        ]

    async def events(self, request: Request) -> Response:
        """Accepted events, oldest first.

        Query: `via`, `dataset_id`, `business_id` choose; `after` skips up to that `id`; `limit` keeps the newest. With
        `wait_ms` the answer waits until `at_least` (1) of the chosen events are there, or the time is over.
        """
        query = request.query_params
        try:
            after, limit = number(query, "after", 0), number(query, "limit", EVENTS_KEPT)
            wait_ms, at_least = number(query, "wait_ms", 0), number(query, "at_least", 1)
        except ValueError as error:
            return bad(str(error))
        found = self._chosen(query, after)
        if wait_ms and len(found) < at_least:
            try:
                async with asyncio.timeout(min(wait_ms, WAIT_LIMIT_MS) / 1000):
                    while len(found) < at_least:
                        await self.stand.journal.changed()
                        found = self._chosen(query, after)
            except TimeoutError:
                pass
        return _json({"events": newest(found, limit)})

    async def forget(self, request: Request) -> Response:
        """Forgets events, refusals, requests and counts; state and faults stay."""
        self.stand.journal.forget()
        return Response(status_code=204)

    async def requests(self, request: Request) -> Response:
        """Raw requests to the destinations, oldest first, secrets included: this is a test tool."""
        try:
            limit = number(request.query_params, "limit", REQUESTS_KEPT)
        except ValueError as error:
            return bad(str(error))
        return _json({"requests": newest(list(self.stand.journal.calls), limit)})

    async def ids(self, request: Request) -> Response:
        """How often each (dataset or business, event name, event id) was accepted."""
        return _json({"ids": self.stand.journal.ids()})

    async def summary(self, request: Request) -> Response:
        """Counts."""
        return _json(self.counts())

    async def faults(self, request: Request) -> Response:
        """The faults still on order."""
        return _json(FaultList(self.stand.faults.ordered))

    async def order_faults(self, request: Request) -> Response:
        """Replaces the faults; an empty list is health."""
        try:
            wanted = msgspec.json.decode(await request.body(), type=FaultList)
        except UNREADABLE as error:
            return bad(str(error))
        self.stand.faults.replace(wanted.faults)
        return _json(FaultList(self.stand.faults.ordered))

    async def state(self, request: Request) -> Response:
        """The whole state."""
        return _json(self.stand.state)

    async def merge_state(self, request: Request) -> Response:
        """Merges a patch into the state, all of it or nothing."""
        try:
            self.stand.state = self.stand.state.merged(msgspec.json.decode(await request.body()))
        except UNREADABLE as error:
            return bad(str(error))
        return _json(self.stand.state)

    def counts(self) -> dict[str, Any]:
        """The summary; `duplicates` counts events whose dataset, name and id had been accepted before."""
        journal = self.stand.journal
        return {
            "events": sum(journal.by_via.values()),
            "by_event_name": journal.by_event_name,
            "by_via": journal.by_via,
            "duplicates": journal.duplicate_count,
            "requests": journal.request_count,
            "refused": journal.refusal_count,
        }

    def _chosen(self, query: Mapping[str, str], after: int) -> list[Received]:
        wanted = [(name, query[name]) for name in ("via", "dataset_id", "business_id") if name in query]
        return [
            event
            for event in self.stand.journal.events
            if event.id > after and all(getattr(event, name) == value for name, value in wanted)
        ]


def number(query: Mapping[str, str], name: str, default: int) -> int:
    """A whole number from a query; raises ValueError, naming it."""
    text = query.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 15):
        raise ValueError(f"{name} must be a whole number that is not negative")
    return int(text)


def newest(kept: list[Kept], limit: int) -> list[Kept]:
    """The last `limit` of a list."""
    return kept[-limit:] if limit else []


def bad(message: str) -> Response:
    """A request that these endpoints do not understand."""
    return _json({"error": message}, 400)


def _json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
