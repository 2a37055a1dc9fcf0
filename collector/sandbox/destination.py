"""The way of one request, the same for Graph and Connectly: admit, suffer faults, judge, keep, answer."""

import asyncio
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response

from .faults import Edge, Fault, Faults, Via
from .journal import Call, Journal, Received, RefusedRequest
from .refusal import Refusal, Refused
from .state import State

BODY_LIMIT = 32 * 1024 * 1024
EXCERPT_LIMIT = 4096
_HTML = (
    "<!DOCTYPE html><html><head><title>Error</title></head><body><h1>Sorry, something went wrong.</h1></body></html>"
)


class Stand:
    """What the sandbox holds: state, faults, journal and clock (Unix seconds)."""

    def __init__(self, clock: Callable[[], float], chance: Callable[[], float], any_click: bool, thin: bool) -> None:
        self.clock = clock
        self.thin = thin
        self.faults = Faults(chance)
        self.journal = Journal(thin)
        self.state = State()
        self.state.settings.any_click = any_click

    def now_ms(self) -> int:
        """The time in UTC milliseconds."""
        return int(self.clock() * 1000)


class Item(msgspec.Struct):
    """One accepted event on its way into the journal."""

    event_name: str
    event_id: str
    event: Any
    warnings: list[str] = []
    test_event_code: str | None = None


class _Gone(Exception):
    """The sender left, or its connection was cut: there is nobody to answer."""


Act = Callable[[Request, str, Any, Fault | None], Awaitable[Response]]
"""What an admitted request wants: (request, target, admitted, fault) to its answer. Raises Refused."""


class Destination(ABC):
    """One of the two services that the sandbox stands in for."""

    via: Via

    def __init__(self, stand: Stand) -> None:
        self.stand = stand

    @abstractmethod
    def admit(self, request: Request, target: str, body: bytes) -> Any:
        """Parses and authenticates; faults strike after this. Raises Refused."""

    @abstractmethod
    def judge(self, target: str, admitted: Any) -> list[Item]:
        """The events of an admitted request, all of them or none. Raises Refused."""

    @abstractmethod
    def injected(self, fault: Fault) -> Refusal:
        """The refusal that a `status` or `throttle` fault brings."""

    @abstractmethod
    def success(self, count: int, messages: list[str], request: Request) -> Response:
        """The answer to a request whose events were accepted."""

    @abstractmethod
    def failure(self, refusal: Refusal, admitted: Any) -> Response:
        """The answer to a refused request; `admitted` is None for one that was not let in."""

    async def post(self, request: Request) -> Response:
        """The endpoint that takes events."""
        return await self.serve(request, request.path_params["target"], "events", self._take)

    async def serve(self, request: Request, target: str, edge: Edge, act: Act) -> Response:
        """One request from its arrival to its answer; `act` is what it wants, if it is let in and no fault is in the way."""
        try:
            body = await _read(request)
        except ClientDisconnect:
            return Response(status_code=400)
        call = self._arrive(request, body)
        try:
            response = await self._answer(request, call, target, body, edge, act)
        except _Gone:
            return Response(status_code=503)  # never sent: the connection is closed
        call.status = response.status_code
        return response

    async def _answer(self, request: Request, call: Call, target: str, body: bytes, edge: Edge, act: Act) -> Response:
        fault: Fault | None = None
        admitted = None
        try:
            admitted = self.admit(request, target, body)
            fault = await self._strike(request, target, edge)
            if fault and fault.kind in {"status", "throttle"}:
                raise Refused(self.injected(fault))
            if fault and fault.kind == "html500":
                refusal = Refusal(status=fault.status or 500, code=0, message="an HTML page")
                self._refuse(target, call, refusal, edge, injected=True)
                return HTMLResponse(_HTML, refusal.status)
            return await act(request, target, admitted, fault)
        except Refused as refused:
            injected = fault is not None and fault.kind in {"status", "throttle"}
            self._refuse(target, call, refused.refusal, edge, injected)
            return self.failure(refused.refusal, admitted)

    async def _take(self, request: Request, target: str, admitted: Any, fault: Fault | None) -> Response:
        """Judges and keeps the events of a request. Raises Refused."""
        items = self.judge(target, admitted)
        if fault and fault.kind == "wrong_count":
            self._keep(target, items[: fault.events_received])
            return self.success(fault.events_received, [], request)
        self._keep(target, items)
        if fault and fault.kind == "reset_after_accept":
            await _reset(request)
        messages = ["Sandbox: accepted with a warning."] if fault and fault.kind == "messages" else []
        response = self.success(len(items), messages, request)
        if warnings := {warning for item in items for warning in item.warnings}:
            response.headers["x-sandbox-warning"] = "; ".join(sorted(warnings))
        return response

    async def _strike(self, request: Request, target: str, edge: Edge) -> Fault | None:
        """Waits out what delays the request; the fault that is left to happen."""
        delay_ms, fault = self.stand.faults.draw(self.via, target, edge)
        if delay_ms:
            await asyncio.sleep(delay_ms / 1000)
        if fault is None or fault.kind != "hang":
            return fault
        release = asyncio.ensure_future(self.stand.faults.released())
        leave = asyncio.ensure_future(request.receive())
        try:
            await asyncio.wait({release, leave}, return_when=asyncio.FIRST_COMPLETED)
            if leave.done():
                raise _Gone
        finally:
            release.cancel()
            leave.cancel()
        return None

    def _arrive(self, request: Request, body: bytes) -> Call:
        call = Call(
            received_at=self.stand.now_ms(),
            method=request.method,
            url=str(request.url),
            headers={name.decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw},
            body="" if self.stand.thin else body.decode("utf-8", "backslashreplace"),
        )
        self.stand.journal.arrive(call)
        return call

    def _keep(self, target: str, items: list[Item]) -> None:
        journal, now_ms, graph = self.stand.journal, self.stand.now_ms(), self.via == "graph"
        for item in items:
            times = journal.count(self.via, target, item.event_name, item.event_id)
            if self.stand.thin:
                continue
            journal.events.append(
                Received(
                    id=journal.next_id(),
                    received_at=now_ms,
                    via=self.via,
                    dataset_id=target if graph else None,
                    business_id=None if graph else target,
                    event=msgspec.Raw(msgspec.json.encode(item.event)),
                    test_event_code=item.test_event_code,
                    warnings=item.warnings,
                    times=times,
                )
            )
        journal.wake()

    def _refuse(self, target: str, call: Call, refusal: Refusal, edge: Edge, injected: bool) -> None:
        if edge != "events":  # the page and its counts are about events; a refused read stands among the requests
            return
        journal = self.stand.journal
        journal.refuse(
            RefusedRequest(
                id=journal.next_id(),
                received_at=self.stand.now_ms(),
                via=self.via,
                target=target,
                status=refusal.status,
                code=refusal.code,
                subcode=refusal.subcode,
                reason=refusal.said(),
                detail=refusal.explanation,
                body=call.body[:EXCERPT_LIMIT],
                injected=injected,
            )
        )


async def _read(request: Request) -> bytes:
    """The body; what goes beyond the limit is cut off, and so cannot be parsed."""
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= BODY_LIMIT:
            chunks.append(chunk)
    return b"".join(chunks)


async def _reset(request: Request) -> None:
    """Resets the connection under the sender (TCP RST)."""
    # ASGI has no word for this. uvicorn's receive is a method of the object that holds the transport.
    transport = getattr(getattr(request.receive, "__self__", None), "transport", None)
    if transport is None:
        raise ConnectionResetError("this server does not let its connections be reset")
    if connection := transport.get_extra_info("socket"):
        # Lingering for 0 s makes close() send RST, not FIN.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await request.receive()  # returns when the server has seen the connection go
    raise _Gone
