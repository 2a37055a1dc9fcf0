"""The page: what a person reads there, and that nothing of what was sent can act in it."""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from collector.sandbox import page
from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import (
    CLICK,
    NOW,
    PAGE,
    PAGE_DATASET,
    WABA,
    WEB_DATASET,
    connectly,
    messenger,
    website,
    whatsapp,
)

NewSandbox = Callable[..., AbstractContextManager[Sandbox]]


def shown(sandbox: Sandbox) -> str:
    """The page's text, tags and spaces reduced."""
    html = sandbox.client.get("/").raise_for_status().text
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", html))


def test_an_event_is_shown_with_what_matters(sandbox: Sandbox) -> None:
    sandbox.graph(whatsapp(), test_event_code="TEST9")
    text = shown(sandbox)
    for part in (
        "Purchase",
        "189.90 BRL",
        "graph",
        "whatsapp",
        "ORDER-1",
        "test TEST9",
        "ARAkLkA8…zfUQ2a",
        "08:00:00 UTC",
    ):
        assert part in text, part
    assert '"ctwa_clid": "' + CLICK in text.replace("&#34;", '"'), "the raw event, on demand"


def test_each_kind_of_sender_is_shown(sandbox: Sandbox) -> None:
    sandbox.graph(messenger(), dataset=PAGE_DATASET)
    sandbox.graph(website(user_data={"fbp": "fb.1.1.1"}), dataset="200000000000004")
    sandbox.connectly(connectly())
    text = shown(sandbox)
    for part in (
        "messenger",
        "300000000000002",
        "website",
        "client_user_agent is missing",
        "connectly",
        "349.00 MXN",
        "MX-77",
    ):
        assert part in text, part


def test_a_refusal_is_shown_with_metas_reason(sandbox: Sandbox) -> None:
    sandbox.graph(whatsapp(event_name="Lead"))
    sandbox.faults({"kind": "throttle", "times": 1})
    sandbox.graph(whatsapp())
    text = shown(sandbox)
    for part in ("Refused 400", "Messaging Event Invalid Event Type", "100/2804066", "fault on order", "(#4)"):
        assert part in text, part
    assert "2 refused" in text


def test_faults_on_order_and_duplicates_are_shown(sandbox: Sandbox) -> None:
    sandbox.graph(whatsapp())
    sandbox.graph(whatsapp())
    sandbox.faults({"via": "graph", "kind": "status", "status": 503, "probability": 0.25, "times": 4})
    text = shown(sandbox)
    assert "duplicate, time 2" in text
    assert "1 duplicate" in text
    assert "status 503 25 % × 4 at graph" in text


def test_a_website_event_without_click_cookie_shows_what_its_person_is_known_by(sandbox: Sandbox) -> None:
    sandbox.graph(website(), dataset=WEB_DATASET)
    assert f"known by client_ip_address client_user_agent em dataset {WEB_DATASET}" in shown(sandbox)


def test_a_fault_for_one_edge_says_which(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "throttle", "edge": "dataset", "dataset_id": PAGE})
    assert f"throttle on dataset of {PAGE}" in shown(sandbox)


def test_what_the_sandbox_knows_is_listed(sandbox: Sandbox) -> None:
    last = 253_402_300_799
    sandbox.state(
        tokens={"old": {"expired": True}, "older": {"expires_at": NOW}, "new": {"expires_at": last}},
        assets={"100000000000077": "page"},
        subscriptions={WABA: None, PAGE: {"500000000000001": None, "777": ["messages", "feed"]}},
    )
    text = shown(sandbox)
    for part in (
        "old (expired)",
        "older (expired)",
        "new (until 9999-12-31 23:59 UTC)",
        "Without a dataset Page 100000000000077",
        f"Webhooks of {PAGE} to app 777 : messages, feed",
    ):
        assert part in text, part
    assert f"Webhooks of {WABA}" not in text


def test_nothing_that_was_sent_becomes_markup(sandbox: Sandbox) -> None:
    evil = "<img src=x onerror=alert(1)>"
    event = website(event_name=evil, event_id=evil, custom_data={"value": 1, "currency": "USD", "note": evil})
    assert sandbox.graph(event, dataset="200000000000004", test_event_code=evil).status_code == 200
    sandbox.client.post(f"/v25.0/{evil}/events", content=evil, headers={"Authorization": "Bearer x"})
    sandbox.state(tokens={evil: {}}, clicks=[evil])
    answer = sandbox.client.get("/")
    assert evil not in answer.text
    assert "&lt;img src=x" in answer.text
    assert evil not in sandbox.client.get("/sandbox/feed").json()["rows"]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son\w+=\"", answer.text)


@pytest.mark.parametrize(
    "event",
    [
        website(custom_data={"contents": [], "value": None}),
        website(event_name="Own", user_data={"fbp": 5}, custom_data=None),
        website(event_id=7, event_source_url={"a": 1}),
    ],
)
def test_odd_events_are_shown_too(sandbox: Sandbox, event: object) -> None:
    sandbox.graph(event, dataset="200000000000004")
    assert sandbox.client.get("/").status_code == 200


def test_the_feed_gives_what_is_new_newest_first(sandbox: Sandbox) -> None:
    sandbox.graph(whatsapp(event_id="first"))
    seen = sandbox.client.get("/sandbox/feed").json()
    sandbox.graph(whatsapp(event_id="second"))
    sandbox.graph(whatsapp(event_name="Lead"))
    fresh = sandbox.client.get("/sandbox/feed", params={"after": seen["last"]}).json()
    assert fresh["last"] == seen["last"] + 2
    assert "first" not in fresh["rows"]
    assert fresh["rows"].index("Refused") < fresh["rows"].index("second")
    assert "<b>2</b> events" in fresh["head"]
    assert "<b>1</b> refused" in fresh["head"]
    again = sandbox.client.get("/sandbox/feed", params={"after": fresh["last"]}).json()
    assert again["rows"].strip() == ""


def test_the_page_is_bounded(monkeypatch: pytest.MonkeyPatch, new_sandbox: NewSandbox) -> None:
    monkeypatch.setattr(page, "ROWS", 3)
    with new_sandbox() as sandbox:
        sandbox.graph(*[whatsapp(event_id=f"id-{number}") for number in range(9)])
        found = re.findall(r"id-\d", sandbox.client.get("/sandbox/feed").json()["rows"])
    assert list(dict.fromkeys(found)) == ["id-8", "id-7", "id-6"]


@pytest.mark.parametrize("after", ["x", "-1", "9" * 5000])
def test_a_feed_from_nowhere_is_refused(strict_sandbox: Sandbox, after: str) -> None:
    assert strict_sandbox.client.get("/sandbox/feed", params={"after": after}).status_code == 400


def test_a_thin_sandbox_says_so(new_sandbox: NewSandbox) -> None:
    with new_sandbox(thin=True) as sandbox:
        assert "This sandbox is thin" in shown(sandbox)


def test_an_any_click_sandbox_says_so(new_sandbox: NewSandbox) -> None:
    with new_sandbox(any_click=True) as sandbox:
        assert "Click ids any" in shown(sandbox)
        assert sandbox.graph(whatsapp(user_data=whatsapp()["user_data"] | {"ctwa_clid": "INVENTED"})).status_code == 200


@pytest.mark.parametrize("name", ["page.css", "page.js", "icon.svg"])
def test_its_files_are_its_own(strict_sandbox: Sandbox, name: str) -> None:
    assert strict_sandbox.client.get(f"/sandbox/static/{name}").status_code == 200
    assert f"/sandbox/static/{name}" in strict_sandbox.client.get("/").text
