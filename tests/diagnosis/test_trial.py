"""Graph's verdict on test events, in words."""

from typing import Any

import pytest

from collector.delivery import Outcome
from collector.diagnosis import Trial, diagnose
from tests.diagnosis.facts import channel, facts


def verdict(**outcome: Any) -> Any:
    told = Outcome(**{"kind": "rejected", "scope": "event"} | outcome)
    (finding,) = (
        each
        for each in diagnose(facts(trials=(Trial(row=channel(), outcome=told),)))
        if (each.part, each.check) == ("test event", "whatsapp")
    )
    return finding


def test_what_was_not_sent_says_why() -> None:
    (finding,) = (
        each for each in diagnose(facts(trials=(Trial(row=channel(), lacks="no click"),))) if each.part == "test event"
    )
    assert (finding.status, finding.what, finding.remedy) == ("skipped", "not sent: no click", None)


def test_what_graph_took_is_ok_with_its_trace_and_warning() -> None:
    finding = verdict(kind="accepted", reference="AbC", message="a warning")
    assert (finding.status, finding.remedy) == ("ok", None)
    assert finding.what == "Graph took it (trace AbC); it says: a warning; see Events Manager > Test events"
    assert verdict(kind="accepted").what == "Graph took it; see Events Manager > Test events"


@pytest.mark.parametrize(
    ("outcome", "status", "what", "remedy"),
    [
        (
            {"code": 100, "subcode": 2804087, "message": "Invalid Clid"},
            "fault",
            "Graph refuses it (100/2804087): Invalid Clid",
            "take the ctwa_clid of a real click",
        ),
        ({"code": 100, "subcode": 2804066}, "fault", "Graph refuses it (100/2804066)", "--messaging-names"),
        ({"code": 100}, "fault", "Graph refuses it (100)", "see Meta's words"),
        ({"message": "no click"}, "fault", "Graph refuses it: no click", "see Meta's words"),
        (
            {"kind": "held", "hold": "dataset", "code": 100, "subcode": 2804132},
            "fault",
            "the dataset is not that of WhatsApp account 100000000000001 (100/2804132)",
            "see `link` above",
        ),
        (
            {"kind": "held", "hold": "token", "code": 190, "subcode": 463},
            "fault",
            "the access token has expired (190/463)",
            "store it: collector channel set",
        ),
        (
            {"kind": "held", "hold": "permission", "code": 270},
            "fault",
            "the token lacks whatsapp_business_manage_events (270)",
            "whatsapp_business_management and",
        ),
        ({"kind": "held", "hold": "channel", "message": "no account"}, "fault", "Graph refuses it: no account", "see"),
        (
            {"kind": "unavailable", "message": "ConnectError"},
            "warning",
            "no verdict (unavailable): ConnectError",
            "minutes",
        ),
        ({"kind": "throttled", "code": 4}, "warning", "no verdict (throttled) (4)", "minutes"),
    ],
)
def test_a_refusal_is_told_with_its_remedy(outcome: Any, status: str, what: str, remedy: str) -> None:
    finding = verdict(**outcome)
    assert finding.status == status
    assert finding.what.startswith(what)
    assert remedy in finding.remedy
