"""A request as it leaves and an answer as it comes back, freed of secrets. Pure."""

import math
import re
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Final, Literal

import msgspec

from collector.delivery import Outcome

KEPT_MAX: Final = 8192
"""Bytes of an answer that are stored."""

WORDS_MAX: Final = 2000
"""Characters of a destination's message that are passed on."""

UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_TOKEN: Final = re.compile(rb"\bEAA[A-Za-z0-9]{16,}|(?<=access_token=)[^&\s\"']+")
_INT_MAX: Final = 2**63 - 1


class Wire(msgspec.Struct, frozen=True, gc=False):
    """One HTTP request. `secrets` are cut out of whatever is answered: the token, and the click ids on the way."""

    url: str
    headers: dict[str, str]
    body: bytes
    secrets: tuple[str, ...] = ()
    method: Literal["GET", "POST"] = "POST"

    def __repr__(self) -> str:
        return f"Wire({self.method} {self.url.partition('?')[0]!r}, {len(self.body)} bytes)"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. Header names are lower case; `body` is redacted and bounded, `cut` when it did not come whole.

    Where no status arrived, `lost` says what that means: `unavailable`, not a byte of the request had left; `unknown`, it may have been
    processed. `error` then names the cause.
    """

    status: int = 0
    headers: Mapping[str, str] = {}
    body: bytes = b""
    cut: bool = False
    lost: Literal["unavailable", "unknown"] | None = None
    error: str | None = None

    @property
    def kept(self) -> str:
        """The text to store: at most 8 KiB, without characters that a database refuses."""
        text = self.error.encode("utf-8", "replace") if self.error else self.body
        return text[:KEPT_MAX].decode("utf-8", "ignore" if len(text) > KEPT_MAX else "replace").replace("\0", "")

    def json(self) -> dict[str, Any] | None:
        """The body's JSON object; None for anything else: HTML, half a document, a list, nothing."""
        try:
            value = msgspec.json.decode(self.body)
        except UNREADABLE:
            return None
        return value if isinstance(value, dict) else None


def read_lost(answer: Answer) -> Outcome | None:
    """The outcome of a request that got no status; None when there is one."""
    if answer.lost is None:
        return None
    scope: Literal["app", "unknown"] = "app" if answer.lost == "unavailable" else "unknown"
    return Outcome(kind=answer.lost, scope=scope, message=words(answer.error))


def redact(text: bytes, secrets: Iterable[str]) -> bytes:
    """The text without these secrets, as they stand or with JSON's escapes, and without anything that looks like Meta's access tokens."""
    for secret in secrets:
        plain = secret.encode("utf-8", "replace")
        if len(plain) < 4:
            continue
        for form in {plain, plain.replace(b"/", b"\\/"), msgspec.json.encode(secret)[1:-1]}:
            if form in text:
                text = text.replace(form, b"[redacted]")
    return _TOKEN.sub(b"[redacted]", text)


def words(value: object) -> str | None:
    """A destination's text, bounded, without what a database refuses; None for anything that is no text or empty."""
    if not isinstance(value, str):
        return None
    text = value[:WORDS_MAX].encode("utf-8", "replace").decode().replace("\0", "").strip()
    return text or None


def integer(value: object) -> int | None:
    """A whole number that a database holds, also when it is written as text; None for anything else."""
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _INT_MAX:
        return value
    return None


def retry_after_ms(headers: Mapping[str, str]) -> int | None:
    """What `Retry-After` asks for, in ms: seconds, or a date, which is compared with the answer's own `Date`. None when it cannot be read."""
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(text) - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
        except (ValueError, TypeError, IndexError, OverflowError):
            return None
    return int(min(seconds, 1e9) * 1000) if math.isfinite(seconds) and seconds >= 0 else None
