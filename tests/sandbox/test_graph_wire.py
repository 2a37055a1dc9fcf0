"""Every wire form that Meta's SDKs and documentation use is understood, and answered as the SDKs need it."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import BEARER, NOW, WABA, WEB_DATASET, WHATSAPP_DATASET, whatsapp

PATH = f"/v26.0/{WHATSAPP_DATASET}/events"
TOKEN = {"access_token": "sandbox-token"}


def spaced(event: Any) -> str:
    """JSON text with spaces after separators and non-ASCII escaped, as Python's json writes it."""
    return json.dumps(event)


def forms() -> dict[str, dict[str, Any]]:
    """The same event in each wire form, as arguments to httpx2."""
    event = whatsapp(event_id="pão-ü-1")
    nulls: dict[str, Any] = dict.fromkeys(("id", "namespace_id", "upload_id", "upload_tag", "upload_source"))
    multipart = {"data": (None, spaced([event])), "access_token": (None, "sandbox-token")}
    return {
        "python sdk: form, data an array of strings, token in the query": {
            "params": TOKEN,
            "data": {"data": spaced([spaced(event)])},
        },
        "python sdk async: form, data an array of objects, token in the form": {
            "data": {"data": spaced([event]), **TOKEN},
        },
        "node sdk: json, token in query and body, unused keys null": {
            "params": TOKEN,
            "json": {"data": [event], **TOKEN, **nulls},
        },
        "curl: json, bearer": {"json": {"data": [event]}, "headers": BEARER},
        "json with data as text": {"json": {"data": spaced([event])}, "headers": BEARER},
        "json with items as text": {"json": {"data": [spaced(event)]}, "headers": BEARER},
        "documentation: multipart": {"files": multipart},
        "json without a content type": {"content": spaced({"data": [event]}).encode(), "headers": BEARER},
    }


@pytest.mark.parametrize("name", forms())
def test_each_wire_form_carries_the_same_event(strict_sandbox: Sandbox, name: str) -> None:
    answer = strict_sandbox.client.post(PATH, **forms()[name])
    assert answer.status_code == 200, answer.text
    assert strict_sandbox.events()[-1]["event"] == whatsapp(event_id="pão-ü-1")


def test_the_python_sdks_bytes_are_read_as_they_stand(strict_sandbox: Sandbox) -> None:
    """A form, in it an array, in it JSON texts: non-ASCII is escaped twice, spaces are plus signs."""
    raw = (
        "data=%5B%22%7B%5C%22event_name%5C%22%3A+%5C%22ViewContent%5C%22%2C+%5C%22event_time%5C%22%3A+1799999940%2C+"
        "%5C%22event_source_url%5C%22%3A+%5C%22https%3A%2F%2Fshop.example%2Fp%3Fx%3D%5C%5Cu00f1%5C%22%2C+%5C%22event_id%5C%22%3A+"
        "%5C%22v+1%5C%22%2C+%5C%22user_data%5C%22%3A+%7B%5C%22fbp%5C%22%3A+%5C%22fb.1.1796403881668.1116446470%5C%22%7D%2C+"
        "%5C%22action_source%5C%22%3A+%5C%22website%5C%22%7D%22%5D"
    )
    headers = {"content-type": "application/x-www-form-urlencoded", "user-agent": "fbbizsdk-python-v26.0.3"}
    path = f"/v26.0/{WEB_DATASET}/events?access_token=sandbox-token"
    assert strict_sandbox.client.post(path, content=raw, headers=headers).json()["events_received"] == 1
    assert strict_sandbox.events()[-1]["event"] == {
        "event_name": "ViewContent",
        "event_time": NOW - 60,
        "event_source_url": "https://shop.example/p?x=ñ",
        "event_id": "v 1",
        "user_data": {"fbp": "fb.1.1796403881668.1116446470"},
        "action_source": "website",
    }


def test_the_answer_holds_what_the_sdks_read(strict_sandbox: Sandbox) -> None:
    answer = strict_sandbox.graph(whatsapp())
    assert set(answer.json()) == {"events_received", "messages", "fbtrace_id"}
    assert re.fullmatch(r"A[\w-]{22}", answer.json()["fbtrace_id"])
    assert json.loads(answer.headers["x-app-usage"])["call_count"] < 100


@pytest.mark.parametrize("version", ["16", "21", "25", "26", "30"])
def test_any_version_is_served_and_old_ones_warn(strict_sandbox: Sandbox, version: str) -> None:
    path = f"/v{version}.0/{WHATSAPP_DATASET}/events"
    answer = strict_sandbox.client.post(path, json={"data": [whatsapp()]}, headers=BEARER)
    assert answer.status_code == 200
    assert answer.headers["facebook-api-version"] == f"v{max(21, int(version))}.0"
    assert ("x-ad-api-version-warning" in answer.headers) == (int(version) < 21)


def test_refusals_and_reads_tell_the_version_too(sandbox: Sandbox) -> None:
    sandbox.state(settings={"oldest_version": 24})
    for path in (f"/v23.0/{WABA}/dataset", "/v23.0/999/dataset", "/v23.0/no/such/path"):
        answer = sandbox.client.get(path, headers=BEARER)
        assert answer.headers["facebook-api-version"] == "v24.0"
        assert "v23.0" in answer.headers["x-ad-api-version-warning"]


@pytest.mark.parametrize(
    ("headers", "content"),
    [
        ({"content-type": "application/json"}, b'{"data": ['),
        ({"content-type": "application/json"}, b"\xff\xfe"),
        ({"content-type": "application/json"}, b"[" * 100_000),
        ({"content-type": "application/json"}, b'{"data": [{"event_time": 1e400}]}'),
        ({"content-type": "application/json"}, b'{"data": [NaN]}'),
        ({"content-type": "application/json"}, b'{"data": ["\\ud800"]}'),
        ({"content-type": "application/json"}, b"[1]"),
        ({"content-type": "application/json", "content-encoding": "gzip"}, b"\x1f\x8b\x08\x00"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"\xff=\xff&data=%ff"),
        ({"content-type": "application/x-www-form-urlencoded"}, b"data=[{]"),
        ({"content-type": "application/x-www-form-urlencoded"}, b""),
        ({"content-type": "multipart/form-data; boundary=x"}, b"--x\r\nnothing of this is a part"),
        ({"content-type": "multipart/form-data"}, b"\x00\x01"),
        (
            {"content-type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: form-data; name="data"\r\n\r\n\xff\r\n--x--',
        ),
    ],
)
def test_a_body_nobody_can_read_is_refused_not_a_crash(
    strict_sandbox: Sandbox, headers: dict[str, str], content: bytes
) -> None:
    answer = strict_sandbox.client.post(PATH, content=content, headers=BEARER | headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)


def test_an_unknown_path_gets_graphs_own_words(strict_sandbox: Sandbox) -> None:
    answer = strict_sandbox.client.get("/v25.0/123/insights", headers=BEARER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 2500)


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"))
)
JSON = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner)
)
PARTS = ("user_data", "custom_data")


@settings(max_examples=200, deadline=None)
@given(
    where=st.sampled_from([*whatsapp(), *(f"{part}.{key}" for part in PARTS for key in whatsapp()[part])]), value=JSON
)
def test_whatever_stands_in_a_field_is_accepted_or_refused(strict_sandbox: Sandbox, where: str, value: Any) -> None:
    """Never a 500, in the answer or on the page that shows it."""
    event, (name, _, key) = whatsapp(), where.partition(".")
    event[name] = {**event[name], key: value} if key else value
    assert strict_sandbox.graph(event).status_code in {200, 400}
    assert strict_sandbox.client.get("/sandbox/feed").status_code == 200


@pytest.mark.parametrize("depth", [50, 200, 950, 970, 975, 980, 1000, 100_000])
def test_depth_is_accepted_or_refused(strict_sandbox: Sandbox, depth: int) -> None:
    nested = '{"a":' * depth + "1" + "}" * depth
    body = spaced({"data": [whatsapp(custom_data={"currency": "BRL", "value": 1, "deep": "?"})]}).replace('"?"', nested)
    assert strict_sandbox.client.post(PATH, content=body, headers=BEARER).status_code in {200, 400}
    assert strict_sandbox.client.get("/").status_code == 200
    assert strict_sandbox.client.get("/sandbox/events").status_code == 200
