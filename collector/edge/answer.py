"""From what happened to HTTP, in one place: codes to statuses, receipts to Connectly's answers."""

from collections.abc import Awaitable
from typing import Final

import msgspec
from starlette.types import Send

from collector.delivery import State
from collector.edge.guard import Disconnected
from collector.errors import CollectorError, InvalidField, RateLimited, Refusal, Unavailable
from collector.receipt import Receipt

STATUSES: Final[dict[str, tuple[int, str]]] = {
    "invalid": (400, "INVALID_ARGUMENT"),
    "too_large": (413, "INVALID_ARGUMENT"),
    "wrong_type": (415, "INVALID_ARGUMENT"),
    "unauthenticated": (401, "UNAUTHENTICATED"),
    "forbidden": (403, "PERMISSION_DENIED"),
    "not_found": (404, "NOT_FOUND"),
    "not_allowed": (405, "INVALID_ARGUMENT"),
    "rate_limited": (429, "RESOURCE_EXHAUSTED"),
    "unavailable": (503, "UNAVAILABLE"),
}
_SHOWN: Final[dict[State, str]] = {"sending": "pending"}
_JSON: Final = (b"content-type", b"application/json")
RECEIVED: Final = b'{"events_received":1}'

Header = tuple[bytes, bytes]


class Reply(msgspec.Struct, frozen=True, gc=False):
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[Header, ...] = ()

    def plus(self, *headers: Header) -> "Reply":
        """The same answer with more headers."""
        return Reply(self.status, self.body, self.headers + headers)

    async def send(self, send: Send) -> None:
        """Write it to the connection."""
        length = (b"content-length", b"%d" % len(self.body))
        await send({"type": "http.response.start", "status": self.status, "headers": [length, *self.headers]})
        await send({"type": "http.response.body", "body": self.body})


async def answered(work: Awaitable[Reply], send: Send) -> None:
    """See a call through: its answer, or the error that it came to. Whoever left in the middle of its body hears nothing."""
    try:
        reply = await work
    except Disconnected:
        return
    except CollectorError as problem:
        reply = error(problem)
    await reply.send(send)


def json(value: object, status: int = 200, *headers: Header) -> Reply:
    """Answer with a JSON body."""
    return Reply(status, msgspec.json.encode(value), (_JSON, *headers))


def reason(*words: str) -> Header:
    """`X-Collector-Reason`: why it came out so, for the developer who looks."""
    text = "".join(char if char.isprintable() else "?" for char in ", ".join(words))
    return (b"x-collector-reason", text.encode("ascii", "replace"))


def retry_after(seconds: int) -> Header:
    """`Retry-After`: when it may be tried again."""
    return (b"retry-after", b"%d" % seconds)


def error(problem: CollectorError) -> Reply:
    """The error body of the contract for a refusal, or 503 when we cannot store."""
    if isinstance(problem, Unavailable):
        code, status = STATUSES["unavailable"]
        known = {"code": code, "status": status, "message": str(problem)}
        return json({"error": known}, code, retry_after(problem.retry_after_seconds))
    if not isinstance(problem, Refusal):
        raise problem
    reply = json({"error": body(problem)}, STATUSES[problem.code][0])
    if isinstance(problem, RateLimited):
        reply = reply.plus(retry_after(problem.retry_after_seconds))
    return reply


def body(refusal: Refusal) -> dict[str, object]:
    """The contract's error object."""
    code, status = STATUSES[refusal.code]
    told: dict[str, object] = {"code": code, "status": status, "message": refusal.message}
    if refusal.stage is not None:
        told["failure_stage"] = refusal.stage
    if refusal.details:
        told["details"] = refusal.details
    return told


def shown(state: State) -> str:
    """The state as callers hear it: what is being sent is pending to them."""
    return _SHOWN.get(state, state)


def conversion(receipt: Receipt, respond_async: bool) -> Reply:
    """What the caller of Connectly's contract hears: the two answer tables, as headers and status."""
    delivery = receipt.delivery
    state, why = delivery.state, delivery.reason
    headers: list[Header] = [(b"x-event-id", receipt.event_row.encode())]
    notes = list(receipt.notes)
    if receipt.duplicate and state == "delivered":
        headers.append((b"x-duplicate", b"true"))
    if state == "dead" and (refusal_ := refusal(receipt, "payload.event_time")) is not None:
        return error(refusal_).plus(*headers, *([reason(*notes)] if notes else []))
    if why is not None and why not in notes:
        notes.insert(0, why)
    headers.append((b"x-delivery-state", shown(state).encode()))
    if notes:
        headers.append(reason(*notes))
    accepted = respond_async and state in ("pending", "sending")
    return Reply(202 if accepted else 200, RECEIVED, (_JSON, *headers))


def refusal(receipt: Receipt, time_field: str) -> Refusal | None:
    """The 400 of an event that was stored and buried, where the caller can mend it."""
    delivery = receipt.delivery
    words = delivery.error or ""
    if delivery.reason == "rejected":
        return Refusal("Meta rejected the event", "meta_forward", ({"meta_error": words},))
    if delivery.reason == "expired":
        return InvalidField(time_field, "must not be older than 7 days")
    if delivery.reason == "no_click_id" and not receipt.duplicate:
        field, _, rule = words.partition(": ")
        return InvalidField(field, rule)
    return None
