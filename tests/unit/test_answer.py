"""From what happened to HTTP: every error code, and every row of the contract's two answer tables."""

import json
from typing import Any

import pytest
from starlette.types import Message

from collector.delivery import Reason, State
from collector.edge import answer
from collector.edge.answer import RECEIVED, STATUSES, Reply, conversion, error, reason
from collector.errors import (
    BadToken,
    CollectorError,
    Forbidden,
    InvalidField,
    NotAllowed,
    NotFound,
    RateLimited,
    Refusal,
    SettingsError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    WrongType,
)
from collector.receipt import Receipt
from collector.store.face import Delivery
from tests.unit.samples import BUSINESS, Json

ROW = "0123456789abcdef0123456789abcdef"


def headers(reply: Reply) -> dict[str, str]:
    assert len({name for name, _ in reply.headers}) == len(reply.headers)
    return {name.decode(): value.decode() for name, value in reply.headers}


def told(reply: Reply) -> Json:
    body: Json = json.loads(reply.body)["error"]
    assert list(json.loads(reply.body)) == ["error"]
    return body


FIELD = {"field": "payload.currency", "rule": "must be a string"}
ERRORS: list[tuple[CollectorError, int, Json]] = [
    (
        InvalidField("payload.currency", "must be a string"),
        400,
        {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "message": "payload.currency: must be a string",
            "failure_stage": "payload_mapping",
            "details": [FIELD],
        },
    ),
    (
        Refusal("Meta rejected the event", "meta_forward", ({"meta_error": "Invalid Ctwa Clid"},)),
        400,
        {
            "code": 400,
            "status": "INVALID_ARGUMENT",
            "message": "Meta rejected the event",
            "failure_stage": "meta_forward",
            "details": [{"meta_error": "Invalid Ctwa Clid"}],
        },
    ),
    (
        TooLarge(65536),
        413,
        {
            "code": 413,
            "status": "INVALID_ARGUMENT",
            "message": "body: at most 65536 bytes",
            "failure_stage": "payload_mapping",
            "details": [{"field": "body", "rule": "at most 65536 bytes"}],
        },
    ),
    (
        WrongType("Content-Type", "must be application/json"),
        415,
        {
            "code": 415,
            "status": "INVALID_ARGUMENT",
            "message": "Content-Type: must be application/json",
            "failure_stage": "payload_mapping",
            "details": [{"field": "Content-Type", "rule": "must be application/json"}],
        },
    ),
    (Unauthenticated("no key"), 401, {"code": 401, "status": "UNAUTHENTICATED", "message": "no key"}),
    (Forbidden("not here"), 403, {"code": 403, "status": "PERMISSION_DENIED", "message": "not here"}),
    (
        NotFound("no such business", "business_lookup"),
        404,
        {"code": 404, "status": "NOT_FOUND", "message": "no such business", "failure_stage": "business_lookup"},
    ),
    (NotFound("no such event"), 404, {"code": 404, "status": "NOT_FOUND", "message": "no such event"}),
    (NotAllowed("GET only"), 405, {"code": 405, "status": "INVALID_ARGUMENT", "message": "GET only"}),
    (RateLimited("too many", 60), 429, {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "too many"}),
    (Unavailable("disk full", 7), 503, {"code": 503, "status": "UNAVAILABLE", "message": "disk full"}),
]


@pytest.mark.parametrize(("problem", "status", "body"), ERRORS, ids=lambda value: type(value).__name__)
def test_each_error_has_one_status_and_the_body_of_the_contract(
    problem: CollectorError, status: int, body: Json
) -> None:
    reply = error(problem)
    assert (reply.status, told(reply)) == (status, body)
    assert headers(reply)["content-type"] == "application/json"


def test_every_code_has_its_row_above() -> None:
    assert {number for number, _ in STATUSES.values()} == {status for _, status, _ in ERRORS}
    assert set(STATUSES) == {Refusal.code, *(kind.code for kind in Refusal.__subclasses__()), "unavailable"}


def test_who_must_wait_is_told_for_how_long_and_nobody_else() -> None:
    waits = {type(problem).__name__: headers(error(problem)).get("retry-after") for problem, _, _ in ERRORS}
    assert {name: wait for name, wait in waits.items() if wait} == {"RateLimited": "60", "Unavailable": "7"}


@pytest.mark.parametrize("problem", [BadToken("token-forged"), SettingsError(["x"]), CollectorError("x")])
def test_an_error_that_is_no_answer_is_raised_on(problem: CollectorError) -> None:
    with pytest.raises(type(problem)):
        error(problem)


def receipt(state: State, why: Reason | None = None, words: str | None = None, **changes: Any) -> Receipt:
    delivery = Delivery(
        business_id=BUSINESS,
        id=ROW,
        destination="meta",
        lane="l",
        state=state,
        reason=why,
        due_at=0,
        deadline_at=0,
        error=words,
    )
    return Receipt(event_row=ROW, event_id="ORD-1", delivery=delivery, **changes)


OK: list[tuple[str, Receipt, str, str | None, bool]] = [
    # what happened, receipt, X-Delivery-State, X-Collector-Reason, X-Duplicate
    ("accepted", receipt("delivered"), "delivered", None, False),
    ("throttled, unavailable or unknown", receipt("retrying"), "retrying", None, False),
    ("token refused", receipt("held", "token"), "held", "token", False),
    ("permission refused", receipt("held", "permission"), "held", "permission", False),
    ("wait over, in the queue", receipt("pending"), "pending", None, False),
    ("wait over, under way", receipt("sending"), "pending", None, False),
    ("click not found", receipt("unmatched", notes=("click-not-found",)), "unmatched", "click-not-found", False),
    ("token forged", receipt("unmatched", notes=("token-forged",)), "unmatched", "token-forged", False),
    ("token expired", receipt("unmatched", notes=("token-expired",)), "unmatched", "token-expired", False),
    ("consent denied", receipt("dead", "consent"), "dead", "consent", False),
    ("test mode without code", receipt("dead", "test"), "dead", "test", False),
    ("no stable id", receipt("pending", notes=("retry-not-idempotent",)), "pending", "retry-not-idempotent", False),
    ("held for consent, no id", receipt("held", "consent", notes=("x",)), "held", "consent, x", False),
    ("the reason is told once", receipt("held", "consent", notes=("consent",)), "held", "consent", False),
    ("repeat of delivered", receipt("delivered", duplicate=True), "delivered", None, True),
    (
        "repeat of delivered, another body",
        receipt("delivered", duplicate=True, notes=("duplicate-differs",)),
        "delivered",
        "duplicate-differs",
        True,
    ),
    ("repeat of dead(consent)", receipt("dead", "consent", duplicate=True), "dead", "consent", False),
    ("repeat of dead(unmatched)", receipt("dead", "unmatched", duplicate=True), "dead", "unmatched", False),
    ("repeat of dead(unknown)", receipt("dead", "unknown", duplicate=True), "dead", "unknown", False),
    (
        "repeat of dead(no_click_id)",
        receipt("dead", "no_click_id", "attribution.meta_ctwa.ctwa_clid: is required", duplicate=True),
        "dead",
        "no_click_id",
        False,
    ),
    ("repeat joins pending", receipt("pending", duplicate=True), "pending", None, False),
    ("repeat joins retrying", receipt("retrying", duplicate=True), "retrying", None, False),
    ("repeat joins held", receipt("held", "channel", duplicate=True), "held", "channel", False),
]


@pytest.mark.parametrize(
    ("what", "given", "state", "why", "duplicate"), OK, ids=lambda value: value if isinstance(value, str) else ""
)
def test_what_is_stored_and_not_the_callers_fault_is_200(
    what: str, given: Receipt, state: str, why: str | None, duplicate: bool
) -> None:
    reply = conversion(given, respond_async=False)
    assert (reply.status, reply.body) == (200, RECEIVED), what
    expected = {"content-type": "application/json", "x-event-id": ROW, "x-delivery-state": state}
    if why is not None:
        expected["x-collector-reason"] = why
    if duplicate:
        expected["x-duplicate"] = "true"
    assert headers(reply) == expected


@pytest.mark.parametrize("duplicate", [False, True])
def test_what_meta_rejects_is_400_in_metas_words(duplicate: bool) -> None:
    reply = conversion(receipt("dead", "rejected", "Invalid Ctwa Clid", duplicate=duplicate), respond_async=False)
    assert (reply.status, told(reply)["failure_stage"]) == (400, "meta_forward")
    assert told(reply)["details"] == [{"meta_error": "Invalid Ctwa Clid"}]
    assert headers(reply) == {"content-type": "application/json", "x-event-id": ROW}


@pytest.mark.parametrize("duplicate", [False, True])
def test_what_came_too_late_is_400_naming_its_time(duplicate: bool) -> None:
    reply = conversion(receipt("dead", "expired", "older", duplicate=duplicate), respond_async=False)
    assert (reply.status, told(reply)["failure_stage"]) == (400, "payload_mapping")
    assert told(reply)["details"] == [{"field": "payload.event_time", "rule": "must not be older than 7 days"}]
    assert headers(reply)["x-event-id"] == ROW


def test_a_click_without_the_ids_that_the_destination_needs_is_400_naming_them() -> None:
    given = receipt(
        "dead", "no_click_id", "attribution.meta_ctwa.ctwa_clid: is required", notes=("retry-not-idempotent",)
    )
    reply = conversion(given, respond_async=True)
    assert (reply.status, told(reply)["failure_stage"]) == (400, "payload_mapping")
    assert told(reply)["details"] == [{"field": "attribution.meta_ctwa.ctwa_clid", "rule": "is required"}]
    assert headers(reply)["x-collector-reason"] == "retry-not-idempotent"


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("pending", 202),
        ("sending", 202),
        ("delivered", 200),
        ("retrying", 200),
        ("held", 200),
        ("unmatched", 200),
        ("dead", 200),
    ],
)
def test_who_does_not_wait_hears_202_while_it_is_on_its_way(state: State, status: int) -> None:
    reply = conversion(receipt(state, "consent" if state == "dead" else None), respond_async=True)
    assert (reply.status, reply.body) == (status, b'{"events_received":1}')


@pytest.mark.parametrize(
    ("words", "value"),
    [
        (("a", "b"), b"a, b"),
        (("é",), b"?"),
        (("a\r\nset-cookie: x=1",), b"a??set-cookie: x=1"),
        (("\0\x7f\t\u2028\ud800",), b"?????"),
        ((), b""),
    ],
)
def test_a_reason_is_one_line_of_ascii_whatever_it_says(words: tuple[str, ...], value: bytes) -> None:
    assert reason(*words) == (b"x-collector-reason", value)


async def test_a_reply_is_written_with_its_length() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    await answer.json({"a": 1}, 201, (b"x", b"y")).plus((b"z", b"1")).send(send)
    start, body = sent
    assert start == {
        "type": "http.response.start",
        "status": 201,
        "headers": [(b"content-length", b"7"), (b"content-type", b"application/json"), (b"x", b"y"), (b"z", b"1")],
    }
    assert body == {"type": "http.response.body", "body": b'{"a":1}'}
