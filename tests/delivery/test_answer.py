"""Answers lose their secrets at the door, and garbage in them is only garbage."""

import pytest
from hypothesis import given, strategies as st

from collector.destinations.answer import KEPT_MAX, Answer, Wire, integer, read_lost, redact, retry_after_ms, words

CLICK = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qp"
TOKEN = "EAAGm0PX4ZCpsBAKZC5secret0000000000"


@pytest.mark.parametrize(
    "text",
    [
        f'{{"error":{{"message":"bad click {CLICK}"}}}}'.encode(),
        f"<html>access_token={TOKEN}&x=1</html>".encode(),
        f"token {TOKEN} refused".encode(),
    ],
)
def test_secrets_do_not_survive(text: bytes) -> None:
    cleaned = redact(text, (CLICK, 'my-key/with"quotes'))
    assert CLICK.encode() not in cleaned
    assert TOKEN.encode() not in cleaned
    assert b"[redacted]" in cleaned


def test_escaped_secrets_do_not_survive_either() -> None:
    secret = 'my-key/with"quote'
    for form in (b'my-key/with\\"quote', b'my-key\\/with"quote', b'my-key/with"quote'):
        assert b"quote" not in redact(b"<" + form + b">", (secret,))


def test_the_rest_of_an_answer_stays_and_short_values_are_no_secrets() -> None:
    assert redact(b'{"events_received":1}', (CLICK, "1", "")) == b'{"events_received":1}'


@given(st.binary(max_size=200))
def test_any_bytes_are_an_answer(body: bytes) -> None:
    answer = Answer(status=400, body=body)
    assert "\0" not in answer.kept
    answer.kept.encode()
    assert answer.json() is None or isinstance(answer.json(), dict)


def test_what_is_kept_is_bounded_in_bytes() -> None:
    assert len(Answer(status=500, body="é".encode() * KEPT_MAX).kept.encode()) <= KEPT_MAX
    assert len(Answer(status=500, body=b"\xff" * 100).kept) == 100


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"events_received":', b"[1]", b"null", b"[" * 100_000, b"\xff\xfe"])
def test_what_is_no_object_is_nothing(body: bytes) -> None:
    assert Answer(status=200, body=body).json() is None


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({}, None),
        ({"retry-after": "120"}, 120_000),
        ({"retry-after": " 1.5 "}, 1_500),
        ({"retry-after": "0"}, 0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "1e300"}, 10**12),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, 30_000),
        ({"retry-after": "Fri, 20 Nov 2026 09:00:00 GMT", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "Fri, 20 Nov 2026 10:00:30", "date": "Fri, 20 Nov 2026 10:00:00 GMT"}, None),
        ({"retry-after": "Fri, 99 Nov 99999 10:00:30 GMT", "date": "x"}, None),
    ],
)
def test_retry_after_is_read_in_both_forms(headers: dict[str, str], wait: int | None) -> None:
    assert retry_after_ms(headers) == wait


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_retry_after_is_an_error(text: str, date: str) -> None:
    wait = retry_after_ms({"retry-after": text, "date": date})
    assert wait is None or wait >= 0


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (100, 100),
        ("190", 190),
        ("-3", -3),
        (True, None),
        (1.0, None),
        (None, None),
        ("x", None),
        (10**30, None),
        ({}, None),
    ],
)
def test_whole_numbers_are_what_a_database_holds(value: object, number: int | None) -> None:
    assert integer(value) == number


def test_words_are_bounded_and_storable() -> None:
    assert words("a\0b\ud800") == "ab?"
    assert words("  ") is None
    assert words(["x"]) is None
    assert len(words("x" * 10_000) or "") == 2000


def test_a_lost_answer_says_whether_anything_had_left() -> None:
    unsent, unsure = read_lost(Answer(lost="unavailable", error="ConnectError")), read_lost(Answer(lost="unknown"))
    assert unsent is not None
    assert (unsent.kind, unsent.scope, unsent.message) == ("unavailable", "app", "ConnectError")
    assert unsure is not None
    assert (unsure.kind, unsure.scope) == ("unknown", "unknown")
    assert read_lost(Answer(status=200)) is None


def test_a_request_does_not_show_its_secrets() -> None:
    assert TOKEN not in repr(Wire(f"https://x?input_token={TOKEN}", {"authorization": TOKEN}, b"{}", (TOKEN,)))
