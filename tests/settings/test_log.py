"""Logs are lines of JSON, without secrets and without a line per success."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from collector import log

CLICK_ID = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a"
API_KEY = "ck_lONu9iVCrgKlC7kAfLccPlOJafAEnklMyCkfTLttQzc"
MASTER_KEY = "U3erKwNFTTG8l12wnwqbmvtcnNgsbPJ3FUyJ5GmhGXM"
SECRETS = {
    "click id": (CLICK_ID, CLICK_ID[8:]),
    "API key": (API_KEY, API_KEY[8:]),
    "master key": (MASTER_KEY, MASTER_KEY[8:]),
    "attribution token": (f"trk-1.snd-2.{CLICK_ID}.120210000.aSgeEw.{MASTER_KEY}", MASTER_KEY[8:]),
    "Graph token": ("EAAG" + "m0PX4ZCpsBA" * 12, "m0PX4ZCpsBA"),
    "app token": ("1234567890123|aBcDeFgHiJkLmNoPqRsTuVwXyZ1", "eFgHiJk"),
    "short token in a header": ("Bearer sandbox-token", "sandbox"),
    "short token in a URL": ("access_token=sandbox-token", "sandbox"),
    "short token in JSON": ('"access_token": "sandbox-token"', "sandbox"),
    "key header": ("X-API-KEY: sandbox-token", "sandbox"),
}
"""Text that holds a secret, and a piece of it that nobody may read."""


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before = root.handlers[:], root.level
    stream = io.StringIO()
    log.configure("debug", stream)
    yield stream
    logging.captureWarnings(False)
    root.handlers[:], root.level = before[0], before[1]


def line(stream: io.StringIO) -> dict[str, Any]:
    (only,) = stream.getvalue().splitlines()
    parsed = json.loads(only)
    assert isinstance(parsed, dict)
    return parsed


def test_a_line_is_one_json_object(stream: io.StringIO) -> None:
    logging.getLogger("collector.lane").warning("held: %s", "token", extra={"business_id": "b1", "count": 3})
    told = line(stream)
    assert told.pop("at").endswith("+00:00")
    assert told == {
        "level": "warning",
        "logger": "collector.lane",
        "message": "held: token",
        "business_id": "b1",
        "count": 3,
    }


def test_an_exception_is_told_in_the_same_line(stream: io.StringIO) -> None:
    try:
        raise ValueError(f"no such click {CLICK_ID}")
    except ValueError:
        logging.getLogger("x").exception("broken")
    told = line(stream)
    assert "ValueError: no such click ARAk[redacted]" in told["error"]
    assert CLICK_ID not in stream.getvalue()


@pytest.mark.parametrize(("secret", "core"), SECRETS.values(), ids=SECRETS)
@pytest.mark.parametrize("around", ["%s", "a %s b", "(%s)", "\n%s\t", "\x01%s", '{"x": "%s"}', "é%s…"])
def test_what_looks_like_a_secret_is_cut_wherever_it_stands(
    stream: io.StringIO, secret: str, core: str, around: str
) -> None:
    text = around.replace("%s", secret)
    logging.getLogger("x").info("said %s", text, extra={"also": {"deep": [text]}, "object": Exception(text)})
    told = line(stream)
    assert core not in stream.getvalue()
    assert told["message"].startswith("said " + around.partition("%s")[0])
    assert "[redacted]" in told["message"]
    assert "[redacted]" in told["also"]["deep"][0]
    assert "[redacted]" in told["object"]


@pytest.mark.parametrize(
    "plain",
    [
        "business 33960b6b-1aae-4d0d-b82b-ad13b1090070",
        "event 019a0f8c2d7e4b6a9c1d2e3f4a5b6c7d",
        "ref 5Jx0Yk2mQw8RtL3vNz7PbA",
        "order ORD-7821 at https://shop.example/checkout/thank-you?step=2",
        "/usr/lib/python3.11/site-packages/starlette/middleware/errors.py",
    ],
)
def test_what_names_a_thing_stays_whole(stream: io.StringIO, plain: str) -> None:
    logging.getLogger("x").info(plain)
    assert line(stream)["message"] == plain


@pytest.mark.parametrize("odd", ["\ud800", float("nan"), {("a", 1): b"\xff"}, object(), {1, 2}, '\x00\x1f\\"'])
def test_nothing_that_is_logged_breaks_the_line(stream: io.StringIO, odd: object) -> None:
    logging.getLogger("x").info("odd %r", odd, extra={"odd": odd})
    assert "odd" in line(stream)


def test_uvicorn_speaks_json_and_has_no_access_log(stream: io.StringIO) -> None:
    logging.getLogger("uvicorn.access").info('%s - "%s %s HTTP/%s" %d', "1.2.3.4:5", "GET", "/", "1.1", 200)
    assert stream.getvalue() == ""
    logging.getLogger("uvicorn.error").info("Started", extra={"color_message": "\x1b[36mStarted"})
    told = line(stream)
    assert (told["logger"], told["message"]) == ("uvicorn.error", "Started")
    assert "color_message" not in told


def test_the_sender_writes_no_line_per_request(stream: io.StringIO) -> None:
    logging.getLogger("httpx2").info("HTTP Request: POST https://graph.facebook.com")
    logging.getLogger("httpcore2.connection").debug("connect")
    logging.getLogger("aiosqlite").debug("executing")
    assert stream.getvalue() == ""


def test_logs_go_to_standard_error_unless_told_otherwise(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    log.configure("warning")
    logging.getLogger("x").info("no")
    logging.getLogger("x").warning("yes")
    assert line(stream)["message"] == "yes"
