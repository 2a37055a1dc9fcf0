"""What arrived can be read back: events, raw requests with their secrets, counts; and memory stays bounded."""

import http.client
import json
from collections.abc import Callable
from contextlib import AbstractContextManager, closing

import httpx2
import pytest

from collector.sandbox import journal
from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import BEARER, NOW, PAGE_DATASET, WHATSAPP_DATASET, connectly, messenger, whatsapp

NewSandbox = Callable[..., AbstractContextManager[Sandbox]]


def test_an_event_is_kept_with_when_and_where_it_came(sandbox: Sandbox) -> None:
    sandbox.graph(whatsapp(), test_event_code="TEST1")
    (kept,) = sandbox.events()
    assert kept.pop("id") > 0
    assert kept == {
        "received_at": NOW * 1000,
        "via": "graph",
        "dataset_id": WHATSAPP_DATASET,
        "event": whatsapp(),
        "test_event_code": "TEST1",
    }


def test_a_request_is_kept_raw_with_its_secrets(sandbox: Sandbox) -> None:
    sandbox.client.post(
        f"/v25.0/{WHATSAPP_DATASET}/events?access_token=sandbox-token&x=%C3%A9",
        content=b'{"data": [ ] }',
        headers={"Content-Type": "application/json", "X-Trace": "7"},
    )
    (kept,) = sandbox.requests()
    assert (
        kept["url"] == f"{sandbox.url.rstrip('/')}/v25.0/{WHATSAPP_DATASET}/events?access_token=sandbox-token&x=%C3%A9"
    )
    assert (kept["method"], kept["status"], kept["body"]) == ("POST", 400, '{"data": [ ] }')
    assert (kept["received_at"], kept["headers"]["x-trace"]) == (NOW * 1000, "7")
    assert kept["headers"]["content-type"] == "application/json"


def test_requests_of_the_tests_themselves_are_not_kept(sandbox: Sandbox) -> None:
    sandbox.faults()
    sandbox.state()
    sandbox.summary()
    assert sandbox.requests() == []
    sandbox.graph(whatsapp())
    sandbox.connectly({}, headers={})
    assert [request["status"] for request in sandbox.requests()] == [200, 401]


def test_events_can_be_chosen(sandbox: Sandbox) -> None:
    sandbox.graph(whatsapp(event_id="a"), whatsapp(event_id="b"))
    sandbox.graph(messenger(event_id="c"), dataset=PAGE_DATASET)
    sandbox.connectly(connectly())

    def ids(**query: str | int) -> list[str]:
        return [event["event"].get("event_id", "connectly") for event in sandbox.events(**query)]

    assert ids() == ["a", "b", "c", "connectly"]
    assert ids(after=sandbox.events()[0]["id"]) == ["b", "c", "connectly"]
    assert ids(limit=2) == ["c", "connectly"]
    assert ids(limit=0) == []
    assert ids(via="connectly") == ["connectly"]
    assert ids(dataset_id=PAGE_DATASET) == ["c"]


@pytest.mark.parametrize("query", ["after=-1", "limit=x", "wait_ms=1.5", "at_least=", "limit=٣", "limit=" + "9" * 5000])
def test_a_choice_nobody_understands_is_refused(strict_sandbox: Sandbox, query: str) -> None:
    answer = strict_sandbox.client.get(f"/sandbox/events?{query}")
    assert (answer.status_code, query.split("=")[0] in answer.json()["error"]) == (400, True)


def test_a_reader_can_wait_for_events(sandbox: Sandbox) -> None:
    address = httpx2.URL(sandbox.url)
    reader = http.client.HTTPConnection(address.host, address.port, timeout=20)
    reader.connect()
    reader.request("GET", "/sandbox/events?wait_ms=10000&at_least=2")
    sandbox.summary()  # by now the reader's request is being served
    for event_id in ("a", "b"):
        sandbox.graph(whatsapp(event_id=event_id))
    with closing(reader):
        events = json.loads(reader.getresponse().read())["events"]
    assert [event["event"]["event_id"] for event in events] == ["a", "b"]


def test_a_wait_in_vain_ends(sandbox: Sandbox) -> None:
    assert sandbox.events(wait_ms=20) == []


def test_the_summary_counts_names_and_duplicates(sandbox: Sandbox) -> None:
    for event_id in ("a", "b", "a", "a"):
        sandbox.graph(whatsapp(event_id=event_id))
    sandbox.graph(whatsapp(event_name="ViewContent", event_id="a"))  # another name: another event
    sandbox.graph(messenger(event_id="a"), dataset=PAGE_DATASET)  # another dataset: another event
    sandbox.graph(whatsapp(event_id=None), whatsapp(event_id=None))  # without an id nothing is known
    sandbox.connectly(connectly())
    sandbox.connectly(connectly())
    sandbox.graph(whatsapp(event_name="Lead"))
    assert sandbox.summary() == {
        "events": 10,
        "by_event_name": {"Purchase": 9, "ViewContent": 1},
        "by_via": {"graph": 8, "connectly": 2},
        "duplicates": 3,
        "requests": 10,
        "refused": 1,
    }
    assert [event["times"] for event in sandbox.events() if "times" in event] == [2, 3, 2]


def test_the_ids_tell_how_often_each_came(sandbox: Sandbox) -> None:
    sandbox.graph(whatsapp(event_id="a"), whatsapp(event_id="b"), whatsapp(event_id="a"))
    ids = sandbox.client.get("/sandbox/ids").json()["ids"]
    assert sorted(ids) == [[WHATSAPP_DATASET, "Purchase", "a", 2], [WHATSAPP_DATASET, "Purchase", "b", 1]]


def test_it_can_forget_all_but_its_state(sandbox: Sandbox) -> None:
    sandbox.state(clicks=["MINE"])
    sandbox.graph(whatsapp())
    assert sandbox.client.delete("/sandbox/events").status_code == 204
    assert (sandbox.events(), sandbox.requests(), sandbox.summary()["events"]) == ([], [], 0)
    assert "MINE" in sandbox.client.get("/sandbox/state").json()["clicks"]
    sandbox.graph(whatsapp())
    assert (sandbox.summary()["duplicates"], len(sandbox.events())) == (0, 1)


def test_memory_is_bounded_and_the_newest_stay(monkeypatch: pytest.MonkeyPatch, new_sandbox: NewSandbox) -> None:
    for name, value in (("EVENTS_KEPT", 3), ("REQUESTS_KEPT", 2), ("IDS_KEPT", 4)):
        monkeypatch.setattr(journal, name, value)
    with new_sandbox() as sandbox:
        for number in range(6):
            sandbox.graph(whatsapp(event_id=str(number)))
        assert [event["event"]["event_id"] for event in sandbox.events()] == ["3", "4", "5"]
        assert len(sandbox.requests()) == 2
        assert len(sandbox.client.get("/sandbox/ids").json()["ids"]) <= 4
        assert sandbox.summary()["events"] == 6


def test_large_requests_push_older_ones_out(monkeypatch: pytest.MonkeyPatch, new_sandbox: NewSandbox) -> None:
    monkeypatch.setattr(journal, "REQUEST_BYTES_KEPT", 1000)
    with new_sandbox() as sandbox:
        for number in range(5):
            sandbox.graph(whatsapp(event_id=str(number)))
        bodies = [request["body"] for request in sandbox.requests()]
        assert 0 < sum(map(len, bodies)) <= 1000
        assert '"event_id":"4"' in bodies[-1]


def test_a_body_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch, new_sandbox: NewSandbox) -> None:
    monkeypatch.setattr("collector.sandbox.destination.BODY_LIMIT", 100)
    with new_sandbox() as sandbox:
        assert sandbox.graph(whatsapp()).status_code == 400
        assert sandbox.summary()["events"] == 0


def test_a_thin_sandbox_remembers_ids_and_counts_alone(new_sandbox: NewSandbox) -> None:
    with new_sandbox(thin=True) as sandbox:
        sandbox.graph(whatsapp(event_id="a"), whatsapp(event_id="a", user_data={}))
        sandbox.connectly(connectly())
        assert (sandbox.events(), sandbox.requests()) == ([], [])
        assert (sandbox.summary()["events"], sandbox.summary()["duplicates"]) == (3, 1)
        assert sandbox.client.post(f"/v25.0/{WHATSAPP_DATASET}/events", json={"data": [1]}).status_code == 401
        assert sandbox.client.post("/v25.0/9/events", json={"data": [1]}, headers=BEARER).status_code == 400
        assert sandbox.graph(1).status_code == 400
        assert sandbox.connectly([]).status_code == 400


def test_advice_is_given_about_what_meta_takes_but_makes_little_of(sandbox: Sandbox) -> None:
    event = whatsapp(
        action_source="website",
        event_id=None,
        user_data={"fbc": f"fb.1.{NOW}.AbC", "fbp": "x", "client_ip_address": "10.0.0.1"},
    )
    answer = sandbox.graph(event, dataset="200000000000004", partner_agent="1" * 23)
    assert answer.status_code == 200
    warnings = sandbox.events()[0]["warnings"]
    assert answer.headers["x-sandbox-warning"] == "; ".join(sorted(warnings))
    for word in ("partner_agent", "event_id", "client_user_agent", "event_source_url", "time in fbc", "fbp", "public"):
        assert any(word in warning for warning in warnings), word


def test_a_good_event_gets_no_advice(sandbox: Sandbox) -> None:
    answer = sandbox.graph(whatsapp(), partner_agent="collector")
    assert "x-sandbox-warning" not in answer.headers
    assert "warnings" not in sandbox.events()[0]
