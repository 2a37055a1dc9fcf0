"""How Meta's answers are read, and what is known before asking."""

from typing import Any

import msgspec
import pytest

from collector.attribution import Click
from collector.destinations.answer import Answer
from collector.destinations.meta import USED_UP_WAIT_MS, Meta
from collector.destinations.outbound import Outbound
from collector.event import Event
from collector.policy import MESSAGING_NAMES
from tests.delivery.test_golden import Account

ACCOUNT = Account("100000000000001", "200000000000001", "a-token")


@pytest.fixture(scope="module")
def meta() -> Meta:
    return Meta(Outbound(), "http://localhost:8001", "v25.0", "collector")


def event(**changes: Any) -> Event:
    given: dict[str, Any] = {
        "business_id": "b",
        "id": "e",
        "event_name": "Purchase",
        "event_id": "o-1",
        "event_at": 1_795_168_800_000,
        "received_at": 1_795_168_800_000,
        "click": Click(ctwa_clid="AfgClick"),
        "currency": "USD",
        "value_micros": 1,
    }
    return Event(**given | changes)


def said(status: int, body: Any, **headers: str) -> Answer:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Answer(status=status, body=raw, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_a_count_that_matches_is_accepted_with_its_trace(meta: Meta) -> None:
    outcome = meta.read(said(200, {"events_received": 3, "messages": [], "fbtrace_id": "Abc"}), 3)
    assert (outcome.kind, outcome.reference, outcome.message) == ("accepted", "Abc", None)


def test_warnings_are_kept_with_an_accepted_request(meta: Meta) -> None:
    outcome = meta.read(said(200, {"events_received": 1, "messages": ["odd", {"a": 1}]}), 1)
    assert (outcome.kind, outcome.message) == ("accepted", 'odd; {"a":1}')


@pytest.mark.parametrize(
    "body",
    [
        {"events_received": 0, "messages": []},
        {"events_received": 2},
        {"events_received": True},
        {"events_received": "1"},
        {"ok": True},
        {},
        [],
        None,
        b"",
        b"<html>fine</html>",
        b'{"events_received":1',
        b'{"events_received":1}]',
    ],
)
def test_any_other_200_is_an_unknown_fate_never_a_success(meta: Meta, body: Any) -> None:
    outcome = meta.read(said(200, body), 1)
    assert (outcome.kind, outcome.scope) == ("unknown", "unknown")


def test_an_error_object_counts_even_under_a_200(meta: Meta) -> None:
    outcome = meta.read(said(200, {"error": {"code": 190, "message": "expired"}, "events_received": 1}), 1)
    assert (outcome.kind, outcome.hold) == ("held", "token")


def test_metas_words_are_passed_on_in_whatever_language(meta: Meta) -> None:
    error = {
        "message": "Invalid parameter",
        "code": 100,
        "error_subcode": 2804003,
        "error_user_title": "Evento demasiado antigo",
        "error_user_msg": "Envie dentro de 7 dias.",
        "fbtrace_id": "Trace",
    }
    outcome = meta.read(said(400, {"error": error}), 1)
    assert (outcome.kind, outcome.code, outcome.subcode, outcome.reference) == ("rejected", 100, 2804003, "Trace")
    assert outcome.message == "Evento demasiado antigo: Envie dentro de 7 dias."


@pytest.mark.parametrize(
    "error",
    [
        {"code": "190"},
        {"code": None, "type": "OAuthException"},
        {"code": 190, "message": 7, "error_user_title": [], "fbtrace_id": {}, "is_transient": "yes"},
    ],
)
def test_an_error_of_odd_types_is_read_as_far_as_it_goes(meta: Meta, error: dict[str, Any]) -> None:
    outcome = meta.read(said(400, {"error": error}), 1)
    assert (outcome.kind, outcome.hold, outcome.message, outcome.reference) == ("held", "token", None, None)


def test_half_an_error_is_no_verdict_on_the_event(meta: Meta) -> None:
    answer = Answer(status=400, body=b'{"error":{"message":"Invalid', cut=True)
    assert meta.read(answer, 1).kind == "unavailable"


def test_half_a_success_is_an_unknown_fate(meta: Meta) -> None:
    assert meta.read(Answer(status=200, body=b'{"events_rec', cut=True), 1).kind == "unknown"


def test_html_is_judged_by_its_status(meta: Meta) -> None:
    assert meta.read(said(500, b"<html>"), 1).kind == "unavailable"
    assert meta.read(said(403, b"<html>"), 1).hold == "permission"


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry_after": "30"}, 30_000),
        ({"x_app_usage": '{"call_count":100,"total_cputime":25,"total_time":25}'}, USED_UP_WAIT_MS),
        ({"x_app_usage": '{"call_count":40,"total_cputime":25,"total_time":25}'}, None),
        ({"x_business_use_case_usage": '{"1":[{"type":"x","estimated_time_to_regain_access":7}]}'}, 420_000),
        ({"x_business_use_case_usage": '{"1":[{"estimated_time_to_regain_access":0,"call_count":12}],"2":[]}'}, None),
        ({"x_ad_account_usage": '{"acc_id_util_pct":100,"reset_time_duration":45}'}, 45_000),
        ({"x_ad_account_usage": '{"acc_id_util_pct":100}', "retry_after": "900"}, 900_000),
        ({"x_ad_account_usage": '{"acc_id_util_pct":100}', "retry_after": "20"}, 20_000),
        ({"x_app_usage": '{"call_count":100}', "retry_after": "0"}, USED_UP_WAIT_MS),
        ({"retry_after": "0"}, 0),
        ({"x_app_usage": "{not json", "x_business_use_case_usage": "[]", "x_ad_account_usage": '{"a":[1,null]}'}, None),
        ({"x_business_use_case_usage": '{"1":[{"estimated_time_to_regain_access":99999999999}]}'}, 86_400_000),
    ],
)
def test_a_throttle_says_how_long_to_wait(meta: Meta, headers: dict[str, str], wait: int | None) -> None:
    outcome = meta.read(said(400, {"error": {"code": 4, "message": "limit"}}, **headers), 1)
    assert (outcome.kind, outcome.retry_after_ms) == ("throttled", wait)


@pytest.mark.parametrize(
    ("bad", "subcode"),
    [
        (event(event_name="Lead"), 2804066),
        (event(currency=None), 2804010),
        (event(value_micros=None), 2804010),
        (event(click=Click(cnct_tracking_id="t")), 2804087),
        (event(channel="website"), 2804050),
        (event(channel="messenger"), None),
    ],
)
def test_what_meta_refuses_for_certain_costs_no_request(meta: Meta, bad: Event, subcode: int | None) -> None:
    outcome = meta.check(bad, ACCOUNT)
    assert outcome is not None
    assert (outcome.kind, outcome.subcode) == ("rejected", subcode)


def test_a_channel_that_is_not_complete_is_held_not_its_events_buried(meta: Meta) -> None:
    for account, reason in ((Account(None, "2", "t"), "channel"), (Account("1", None, "t"), "dataset")):
        outcome = meta.check(event(), account)
        assert outcome is not None
        assert (outcome.kind, outcome.hold) == ("held", reason)


def test_everything_that_meta_takes_from_a_conversation_passes(meta: Meta) -> None:
    assert len(MESSAGING_NAMES) == 14
    assert [meta.check(event(event_name=name), ACCOUNT) for name in MESSAGING_NAMES] == [None] * 14


def test_the_click_id_is_all_that_meta_needs(meta: Meta) -> None:
    assert meta.lacks(event()) is None
    assert meta.lacks(event(click=Click("t", "s", None, "a"))) == "ctwa_clid"


def test_many_events_travel_in_one_request(meta: Meta) -> None:
    wire = meta.to_wire([event(event_id=str(number)) for number in range(1000)], ACCOUNT, None)
    assert [each["event_id"] for each in msgspec.json.decode(wire.body)["data"]] == [str(n) for n in range(1000)]
