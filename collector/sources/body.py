"""JSON bodies: decoded into typed shapes, with errors that name the field and the rule."""

import json
import math
import re
from typing import Final, TypeVar

import msgspec

from collector.errors import InvalidField

T = TypeVar("T")

DEPTH_MAX: Final = 16
DEPTH_RULE: Final = f"nested at most {DEPTH_MAX} deep"
_TYPE_ERROR = re.compile(r"Expected `([^`]+)`, got `([^`]+)`(?: - at `\$\.?([^`]*)`)?")
_AT = re.compile(r" - at `\$\.?([^`]*)`$")
# Matches from every quote on, closed or not: a search that failed would begin again at the next one, and take quadratic time.
_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_KEY = re.compile(r"[A-Za-z0-9_-]{1,64}")
_WORDS: Final = {
    "str": "a string",
    "int": "an integer",
    "float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
}


def decode(body: bytes, decoder: msgspec.json.Decoder[T], depth_counts: bool = True) -> T:
    """Decode a JSON body. `depth_counts` may be off where only a frame is read, and what is in it comes here again.

    Raises InvalidField: `body` where it is not UTF-8, not JSON or nested deeper than 16; else the path of the value that breaks its type.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidField("body", "must be UTF-8") from None
    if depth_counts and body.count(b"[") + body.count(b"{") > DEPTH_MAX and _depth(body) > DEPTH_MAX:
        raise InvalidField("body", DEPTH_RULE)
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise _named(str(error)) from None
    except (msgspec.DecodeError, ValueError, RecursionError):
        raise _unreadable(text) from None


def loosely(body: bytes) -> object:
    """What a body says to a reader that lets NaN and lone surrogates pass; None where it is no JSON even so, or nested too deep."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _depth(body: bytes) -> int:
    """How deep brackets nest, outside of strings."""
    depth = deepest = 0
    for byte in _STRINGS.sub(b"", body):
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _named(message: str) -> InvalidField:
    """Turn the decoder's message into field and rule."""
    if found := _TYPE_ERROR.match(message):
        expected = _WORDS.get(found[1].split(" | ")[0], found[1])
        return InvalidField(found[3] or "body", f"must be {expected}, not {_WORDS.get(found[2], found[2])}")
    where = _AT.search(message)
    path = where[1].split("[...]")[0].rstrip(".") if where else ""  # so it writes a key of the caller's own
    return InvalidField(path or "body", _AT.sub("", message).lower())


def _unreadable(text: str) -> InvalidField:
    """Say what is wrong with text that a strict parser refuses: find the NaN or lone surrogate where that is all."""
    try:
        return _first_fault(json.loads(text), "") or InvalidField("body", "must be valid JSON")
    except RecursionError:
        return InvalidField("body", DEPTH_RULE)
    except ValueError:
        return InvalidField("body", "must be valid JSON")


def _first_fault(value: object, path: str) -> InvalidField | None:
    if isinstance(value, float) and not math.isfinite(value):
        return InvalidField(path or "body", "must be a finite number")
    if isinstance(value, str) and not value.isascii() and re.search("[\ud800-\udfff]", value):
        return InvalidField(path or "body", "must be valid Unicode, without lone surrogates")
    items: list[tuple[str, object]] = []
    if isinstance(value, dict):
        items = [(_below(path, key), item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [(f"{path}[{index}]", item) for index, item in enumerate(value)]
    return next((fault for where, item in items if (fault := _first_fault(item, where))), None)


def _below(path: str, key: str) -> str:
    """A key's path. A stranger's key may hold anything, and is not repeated then."""
    return f"{path}.{key}".lstrip(".") if _KEY.fullmatch(key) else path
