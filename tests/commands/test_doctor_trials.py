"""`collector doctor` against a sandbox over HTTP: test events and Graph's verdict on them."""

import pytest

from tests.commands.conftest import Run, Tell
from tests.commands.patient import ALL, PEOPLE, Doctor
from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import CLICK, WABA


def test_test_events_go_through_the_destination_and_tell_graphs_verdict(doctor: Doctor, sandbox: Sandbox) -> None:
    checks = doctor("--send-test", "TEST12345", *PEOPLE)
    assert {checks[f"test event.{channel[0]}"]["status"] for channel in ALL} == {"ok"}
    events = sandbox.events()
    assert [(each["dataset_id"], each["test_event_code"]) for each in events] == [
        (channel[-1], "TEST12345") for channel in ALL
    ]
    assert {each["event"]["event_name"] for each in events} == {"ViewContent"}
    assert len({each["event"]["event_id"] for each in events}) == 4
    sent = [each["event"]["user_data"] for each in events]
    assert sent[0] == {"whatsapp_business_account_id": WABA, "ctwa_clid": CLICK}
    assert all("custom_data" not in each["event"] for each in events)


def test_without_an_id_that_meta_knows_a_test_event_is_not_sent(doctor: Doctor, sandbox: Sandbox) -> None:
    checks = doctor("--send-test", "TEST12345")
    assert "--ctwa-clid ID" in checks["test event.whatsapp"]["what"]
    assert "--page-scoped-user-id ID" in checks["test event.messenger"]["what"]
    assert "--ig-sid ID" in checks["test event.instagram"]["what"]
    assert [each["dataset_id"] for each in sandbox.events()] == ["200000000000004"]


def test_a_refused_test_event_is_a_fault_with_its_remedy(doctor: Doctor, sandbox: Sandbox) -> None:
    checks = doctor("--send-test", "TEST1", "--ctwa-clid", "ARAhunter2-made-up-click")
    finding = checks["test event.whatsapp"]
    assert (finding["status"], "(100/2804087)" in finding["what"]) == ("fault", True)
    assert "take the ctwa_clid of a real click" in finding["remedy"]


def test_a_test_event_has_a_name_that_the_business_may_send(
    doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str
) -> None:
    tell("business", "set", business, "--messaging-names", "Purchase,LeadSubmitted")
    doctor("--send-test", "TEST1", *PEOPLE)
    names = [each["event"]["event_name"] for each in sandbox.events()]
    assert names == ["LeadSubmitted", "LeadSubmitted", "LeadSubmitted", "ViewContent"]
    tell("business", "set", business, "--messaging-names", "Purchase")
    checks = doctor("--send-test", "TEST1", *PEOPLE)
    assert "conversations have none of" in checks["test event.whatsapp"]["what"]
    assert "Purchase" not in {each["event"]["event_name"] for each in sandbox.events()}


def test_a_channel_without_dataset_gets_no_test_event(
    doctor: Doctor, sandbox: Sandbox, tell: Tell, business: str
) -> None:
    sandbox.state(assets={"100000000000077": "page"})
    tell("channel", "set", business, "messenger", "--page-id", "100000000000077", stdin="sandbox-token")
    checks = doctor("--send-test", "TEST1", *PEOPLE)
    assert checks["test event.messenger"]["what"] == "not sent: the channel has no dataset"


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (("--send-test", "two words"), "test_event_code"),
        (("--send-test", ""), "test_event_code"),
        (PEOPLE, "--send-test"),
    ],
)
def test_a_misuse_is_2(run: Run, business: str, settings: dict[str, str], options: tuple[str, ...], word: str) -> None:
    result = run("doctor", business, *options, env=settings)
    assert (result.exit_code, result.stdout) == (2, "")
    assert word in result.stderr
