"""Faults on order: each kind does what its name says, in order, so often as ordered, to whom it was meant for."""

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from time import monotonic
from typing import Any

import httpx2
import pytest

from tests.sandbox.conftest import Sandbox, arrived
from tests.sandbox.samples import BEARER, BUSINESS, PAGE_DATASET, WABA, WHATSAPP_DATASET, connectly, messenger, whatsapp

NewSandbox = Callable[..., AbstractContextManager[Sandbox]]


def outcome(answer: httpx2.Response) -> tuple[int, int | None, int | None]:
    error = answer.json().get("error", {})
    return answer.status_code, error.get("code"), error.get("error_subcode")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({}, (500, 1, None)),
        ({"status": 503}, (503, 2, None)),
        ({"status": 401}, (401, 190, None)),
        ({"status": 429}, (429, 4, None)),
        ({"code": 190, "subcode": 463}, (401, 190, 463)),
        ({"code": 190, "subcode": 460}, (401, 190, 460)),
        ({"code": 10}, (403, 10, None)),
        ({"code": 270}, (403, 270, None)),
        ({"code": 100, "subcode": 2804014}, (400, 100, 2804014)),
        ({"code": 100, "subcode": 2804050}, (400, 100, 2804050)),
        ({"code": 100, "subcode": 33}, (400, 100, 33)),
        ({"status": 200, "code": 2}, (200, 2, None)),
        ({"code": 31337}, (400, 31337, None)),
    ],
)
def test_status_answers_with_the_ordered_error_and_counts_nothing(
    strict_sandbox: Sandbox, fault: dict[str, Any], expected: tuple[int, int, int | None]
) -> None:
    strict_sandbox.faults({"via": "graph", "kind": "status", "times": 1, **fault})
    assert outcome(strict_sandbox.graph(whatsapp())) == expected
    assert strict_sandbox.events() == []


def test_transient_errors_say_so(strict_sandbox: Sandbox) -> None:
    strict_sandbox.faults({"kind": "status", "code": 2, "times": 1}, {"kind": "status", "code": 190, "times": 1})
    assert strict_sandbox.graph(whatsapp()).json()["error"]["is_transient"] is True
    assert "is_transient" not in strict_sandbox.graph(whatsapp()).json()["error"]


def test_an_error_that_usually_passes_may_be_ordered_to_stay(strict_sandbox: Sandbox) -> None:
    strict_sandbox.faults({"kind": "status", "code": 1, "subcode": 99, "is_transient": False, "times": 1})
    error = strict_sandbox.graph(whatsapp()).json()["error"]
    assert (error["code"], error["error_subcode"], error["is_transient"]) == (1, 99, False)


def test_faults_strike_in_order_so_often_as_ordered(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "status": 503, "times": 2}, {"kind": "html500", "times": 1})
    answers = [sandbox.graph(whatsapp(event_id=str(number))) for number in range(4)]
    assert [answer.status_code for answer in answers] == [503, 503, 500, 200]
    assert sandbox.client.get("/sandbox/faults").json() == {"faults": []}
    assert len(sandbox.events()) == 1


def test_html500_is_no_json(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "html500"})
    answer = sandbox.graph(whatsapp())
    assert (answer.status_code, answer.headers["content-type"]) == (500, "text/html; charset=utf-8")
    assert answer.text.startswith("<!DOCTYPE html>")
    assert sandbox.summary()["events"] == 0


def test_a_throttle_has_usage_headers(sandbox: Sandbox) -> None:
    sandbox.faults(
        {"kind": "throttle", "times": 1}, {"kind": "throttle", "code": 80004, "retry_after": 7, "regain_minutes": 3}
    )
    by_app, by_business = sandbox.graph(whatsapp()), sandbox.graph(whatsapp())
    assert outcome(by_app) == (400, 4, None)
    assert json.loads(by_app.headers["x-app-usage"])["call_count"] == 100
    assert "retry-after" not in by_app.headers
    assert outcome(by_business) == (400, 80004, None)
    (use,) = json.loads(by_business.headers["x-business-use-case-usage"]).values()
    assert use[0]["estimated_time_to_regain_access"] == 3
    assert by_business.headers["retry-after"] == "7"
    assert sandbox.summary()["events"] == 0


@pytest.mark.parametrize("status", [400, 403, 429])
@pytest.mark.parametrize("code", [4, 17, 32, 613, 80000, 80004])
def test_a_throttle_comes_with_any_status_and_the_headers_of_its_code(sandbox: Sandbox, status: int, code: int) -> None:
    sandbox.faults({"kind": "throttle", "status": status, "code": code, "regain_minutes": 5})
    answer = sandbox.graph(whatsapp())
    assert outcome(answer) == (status, code, None)
    assert "x-app-usage" in answer.headers
    assert ("x-ad-account-usage" in answer.headers) == (code == 17)
    assert ("x-business-use-case-usage" in answer.headers) == (code >= 80000)
    if code == 17:
        assert json.loads(answer.headers["x-ad-account-usage"])["reset_time_duration"] == 300


def test_an_outage_is_one_for_reads_too(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "status": 503, "times": 1})
    path = f"/v25.0/{WHATSAPP_DATASET}"
    assert outcome(sandbox.client.get(path, headers=BEARER)) == (503, 2, None)
    assert sandbox.client.get(path, headers=BEARER).status_code == 200


def test_a_fault_can_be_meant_for_one_edge(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "status": 503, "edge": "dataset"})
    assert sandbox.client.get(f"/v25.0/{WABA}/dataset", headers=BEARER).status_code == 503
    assert sandbox.client.get(f"/v25.0/{WABA}/subscribed_apps", headers=BEARER).status_code == 200
    assert sandbox.graph(whatsapp()).status_code == 200


def test_a_fault_about_events_waits_for_events(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "wrong_count", "times": 1})
    assert sandbox.client.get(f"/v25.0/{WABA}/dataset", headers=BEARER).status_code == 200
    assert sandbox.graph(whatsapp()).json()["events_received"] == 0


def test_the_token_is_looked_at_before_any_fault(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "throttle"})
    assert outcome(sandbox.client.post(f"/v25.0/{WHATSAPP_DATASET}/events", json={"data": []}))[:2] == (401, 190)


@pytest.mark.parametrize("received", [0, 1])
def test_wrong_count_counts_only_what_it_says(sandbox: Sandbox, received: int) -> None:
    sandbox.faults({"kind": "wrong_count", "events_received": received, "times": 1})
    answer = sandbox.graph(whatsapp(event_id="a"), whatsapp(event_id="b"))
    assert (answer.status_code, answer.json()["events_received"]) == (200, received)
    assert len(sandbox.events()) == received


def test_messages_warn_and_accept(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "messages", "times": 1})
    answer = sandbox.graph(whatsapp()).json()
    assert (answer["events_received"], len(answer["messages"])) == (1, 1)
    assert len(sandbox.events()) == 1


def test_reset_after_accept_counts_the_event_and_resets_the_connection(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "reset_after_accept", "times": 1})
    with pytest.raises(httpx2.TransportError) as raised:
        sandbox.graph(whatsapp())
    assert isinstance(raised.value, httpx2.ReadError), "a reset, not an orderly end"
    assert [event["event"]["event_id"] for event in sandbox.events()] == ["ORDER-1"]
    assert sandbox.requests()[-1]["status"] is None


def test_reset_after_accept_leaves_other_connections_alone(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "reset_after_accept", "times": 1})
    with httpx2.Client(base_url=sandbox.url, trust_env=False) as other:
        assert other.get("/sandbox/summary").status_code == 200
        with pytest.raises(httpx2.TransportError):
            sandbox.graph(whatsapp())
        assert other.get("/sandbox/summary").json()["events"] == 1


def test_slow_takes_its_time_and_the_next_fault_strikes_too(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "slow", "delay_ms": 120}, {"kind": "status", "status": 500, "times": 1})
    began = monotonic()
    statuses = [sandbox.graph(whatsapp()).status_code for _ in range(2)]
    assert statuses == [500, 200]
    assert monotonic() - began >= 0.24


def test_a_hang_lasts_until_the_faults_are_replaced(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "hang"})
    with ThreadPoolExecutor() as pool:
        answers = [pool.submit(send_alone, sandbox, str(number)) for number in range(3)]
        arrived(sandbox, 3)
        assert [answer.done() for answer in answers] == [False] * 3
        assert sandbox.summary()["events"] == 0
        sandbox.faults()
        assert [answer.result(timeout=10).status_code for answer in answers] == [200] * 3
    assert sandbox.summary()["events"] == 3


def test_a_hung_request_whose_sender_left_never_counts(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "hang"})
    body = json.dumps({"data": [whatsapp()]}).encode()
    head = f"POST /v25.0/{WHATSAPP_DATASET}/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer sandbox-token\r\n"
    url = httpx2.URL(sandbox.url)
    with socket.create_connection((url.host, url.port or 80)) as leaver:
        leaver.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        arrived(sandbox, 1)
    sandbox.faults()
    assert sandbox.graph(whatsapp(event_id="after")).status_code == 200
    assert [event["event"]["event_id"] for event in sandbox.events()] == ["after"]


def test_probability_draws_for_each_request(new_sandbox: NewSandbox) -> None:
    draws = iter([0.09, 0.1, 0.5, 0.0])
    with new_sandbox(chance=lambda: next(draws)) as sandbox:
        sandbox.faults({"kind": "status", "probability": 0.1})
        assert [sandbox.graph(whatsapp()).status_code for _ in range(4)] == [500, 200, 200, 500]


def test_a_fault_meets_only_the_destination_and_target_it_names(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "via": "connectly"}, {"kind": "status", "dataset_id": PAGE_DATASET})
    assert sandbox.graph(whatsapp()).status_code == 200
    assert sandbox.graph(messenger(), dataset=PAGE_DATASET).status_code == 500
    assert sandbox.connectly(connectly()).status_code == 500
    sandbox.faults({"kind": "status", "via": "graph"}, {"kind": "status", "business_id": BUSINESS})
    assert sandbox.graph(whatsapp()).status_code == 500
    assert sandbox.connectly(connectly()).status_code == 500
    assert sandbox.connectly(connectly(), "0e6f0f4e-97c7-4b7c-8f0d-9d5fd8a9a111").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"faults": [{"kind": "explode"}]},
        {"faults": [{"kind": "status", "via": "email"}]},
        {"faults": [{"kind": "status", "probability": 1.5}]},
        {"faults": [{"kind": "status", "times": -1}]},
        {"faults": [{"kind": "status", "tiems": 1}]},
        {"faults": {}},
        {},
        [],
    ],
)
def test_an_order_nobody_understands_is_refused_and_changes_nothing(strict_sandbox: Sandbox, body: Any) -> None:
    strict_sandbox.faults({"kind": "slow", "delay_ms": 0})
    answer = strict_sandbox.client.put("/sandbox/faults", json=body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert len(strict_sandbox.client.get("/sandbox/faults").json()["faults"]) == 1


def send_alone(sandbox: Sandbox, event_id: str) -> httpx2.Response:
    """Sends over a connection of its own."""
    with httpx2.Client(base_url=sandbox.url, trust_env=False, timeout=10) as client:
        return Sandbox(client).graph(whatsapp(event_id=event_id))
