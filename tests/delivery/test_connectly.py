"""How Connectly's answers are read, in each of the shapes that its contract leaves open."""

from typing import Any

import msgspec
import pytest

from collector.attribution import Click
from collector.destinations.answer import Answer
from collector.destinations.connectly import Connectly
from collector.destinations.outbound import Outbound
from collector.event import Event
from tests.delivery.test_golden import Account
from tests.delivery.test_meta import event as meta_event, said

CLICK = Click("trk", "snd", "AfgClick", "ad")
ACCOUNT = Account("5f1e6c1a-0000-4000-8000-0000000000c1", None, "a-key")
WORDS = "Mismatching WhatsApp Business Account ID"


def event(**changes: Any) -> Event:
    return meta_event(**{"click": CLICK, **changes})


@pytest.fixture(scope="module")
def connectly() -> Connectly:
    return Connectly(Outbound(), "http://127.0.0.1:8001")


def test_one_event_received_is_accepted(connectly: Connectly) -> None:
    assert connectly.read(said(200, {"events_received": 1}), 1).kind == "accepted"


@pytest.mark.parametrize("body", [{"events_received": 0}, {"events_received": True}, {}, b"", b"<html>", [1]])
def test_any_other_200_is_an_unknown_fate(connectly: Connectly, body: Any) -> None:
    assert connectly.read(said(200, body), 1).kind == "unknown"


@pytest.mark.parametrize(
    "body",
    [
        {"code": 3, "message": "rejected", "details": [{"@type": "type.example/x", "meta_error": WORDS}]},
        {
            "error": {
                "code": 400,
                "status": "INVALID_ARGUMENT",
                "message": "rejected",
                "details": [{"meta_error": WORDS}],
            }
        },
        {"message": "rejected", "type": "ERROR_TYPE_X", "code": "ERROR_CODE_X", "details": {"meta_error": WORDS}},
        {"error": {"details": [[{"deep": {"meta_error": {"message": WORDS}}}]]}},
    ],
)
def test_metas_refusal_is_found_wherever_it_stands(connectly: Connectly, body: Any) -> None:
    outcome = connectly.read(said(400, body), 1)
    assert (outcome.kind, outcome.scope, outcome.message) == ("rejected", "event", WORDS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"code": 3, "message": "payload.currency is missing", "details": []}, "payload.currency is missing"),
        ({"error": {"message": "payload.currency is missing"}}, "payload.currency is missing"),
        ({"userMessage": "Currency, please", "message": "x", "cntTraceId": "t-1"}, "Currency, please"),
        ({"error": "plain"}, "plain"),
        ({"error": 5, "message": []}, None),
        (b"Bad Request", None),
        (b"[" * 100_000, None),
    ],
)
def test_a_refusal_without_metas_words_brings_connectlys(connectly: Connectly, body: Any, message: str | None) -> None:
    outcome = connectly.read(said(400, body), 1)
    assert (outcome.kind, outcome.message) == ("rejected", message)


def test_the_trace_id_is_kept(connectly: Connectly) -> None:
    assert connectly.read(said(400, {"message": "x", "cntTraceId": "t-1"}), 1).reference == "t-1"


@pytest.mark.parametrize(
    ("status", "kind", "hold"),
    [
        (401, "held", "token"),
        (403, "held", "token"),
        (404, "held", "channel"),
        (408, "unavailable", None),
        (429, "throttled", None),
        (500, "unavailable", None),
        (502, "unavailable", None),
        (503, "unavailable", None),
        (504, "unknown", None),
        (413, "rejected", None),
        (422, "rejected", None),
        (301, "unavailable", None),
        (204, "unknown", None),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", {"code": 13, "message": "x"}])
def test_the_status_decides(connectly: Connectly, status: int, kind: str, hold: str | None, body: Any) -> None:
    outcome = connectly.read(said(status, body), 1)
    assert (outcome.kind, outcome.hold) == (kind, hold)


def test_a_throttle_says_how_long_to_wait(connectly: Connectly) -> None:
    assert connectly.read(said(429, b"", retry_after="7"), 1).retry_after_ms == 7000


def test_half_a_refusal_is_no_verdict_and_no_answer_is_a_lost_one(connectly: Connectly) -> None:
    assert connectly.read(Answer(status=400, body=b'{"mess', cut=True), 1).kind == "unavailable"
    assert connectly.read(Answer(lost="unknown"), 1).kind == "unknown"


def test_connectly_needs_all_four_ids(connectly: Connectly) -> None:
    assert connectly.lacks(event()) is None
    assert connectly.lacks(event(click=Click("t", None, "c", None))) == "sendout_id, ad_id"


@pytest.mark.parametrize(
    "bad", [event(event_name="AddToCart"), event(currency=None), event(click=Click(ctwa_clid="c"))]
)
def test_what_connectly_refuses_for_certain_costs_no_request(connectly: Connectly, bad: Event) -> None:
    outcome = connectly.check(bad, ACCOUNT)
    assert outcome is not None
    assert outcome.kind == "rejected"


def test_an_account_without_id_is_held(connectly: Connectly) -> None:
    outcome = connectly.check(event(), Account(None, None, "a-key"))
    assert outcome is not None
    assert outcome.hold == "channel"


@pytest.mark.parametrize("custom_data", ["", "[]", "{", '{"a":}', "null"])
def test_custom_data_that_somebody_broke_makes_no_request(connectly: Connectly, custom_data: str) -> None:
    with pytest.raises(ValueError, match="no JSON object"):
        connectly.to_wire([event(custom_data=custom_data)], ACCOUNT, None)


def test_one_event_a_call_and_no_test_events(connectly: Connectly) -> None:
    with pytest.raises(ValueError, match="too many"):
        connectly.to_wire([event(), event()], ACCOUNT, None)
    with pytest.raises(ValueError, match="no test events"):
        connectly.to_wire([event()], ACCOUNT, "TEST1")


def test_the_event_time_of_the_event_stands_in_the_payload(connectly: Connectly) -> None:
    wire = connectly.to_wire([event(custom_data='{"event_time":1,"value":1.50}')], ACCOUNT, None)
    assert msgspec.json.decode(wire.body)["payload"] == {"event_time": 1_795_168_800, "value": 1.5}
