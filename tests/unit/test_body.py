"""Decoding a JSON body: what cannot be decoded is named, with the path of the value where there is one; never another error."""

import time

import msgspec
import pytest

from collector.edge import answer
from collector.errors import InvalidField
from collector.sources.body import DEPTH_MAX, decode

MEGABYTE = 1 << 20


class Line(msgspec.Struct):
    """One entry of a document's list."""

    count: int = 0


class Document(msgspec.Struct):
    """A shape with each kind of value."""

    name: str = ""
    price: float = 0
    paid: bool = False
    lines: list[Line] = []
    size: int | str = 0


DECODER = msgspec.json.Decoder(Document)


def fault(body: bytes) -> InvalidField:
    with pytest.raises(InvalidField) as caught:
        decode(body, DECODER)
    return caught.value


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"", "must be valid JSON"),
        (b" \n", "must be valid JSON"),
        (b"{", "must be valid JSON"),
        (b'{"name": "x"', "must be valid JSON"),
        (b'{"name": "x', "must be valid JSON"),
        (b'{"name": "x"}}', "must be valid JSON"),
        (b'{"name": "x"} {}', "must be valid JSON"),
        (b"{'name': 'x'}", "must be valid JSON"),
        (b'{"name": "\n"}', "must be valid JSON"),
        (b'{"name": "\\x"}', "must be valid JSON"),
        (b'{"price": 01}', "must be valid JSON"),
        (b"name=x&price=1", "must be valid JSON"),
        (b"\x1f\x8b\x08\x00", "must be UTF-8"),
        (b'\xef\xbb\xbf{"name": "x"}', "must be valid JSON"),
        ('{"name": "x"}'.encode("utf-16"), "must be UTF-8"),
        (b'{"name": "\xff"}', "must be UTF-8"),
        (b'{"name": "\xed\xa0\x80"}', "must be UTF-8"),
        (b'{"name": "\xc3', "must be UTF-8"),
        (b"[]", "must be an object, not a list"),
        (b"null", "must be an object, not null"),
        (b"1", "must be an object, not an integer"),
        (b"1.5", "must be an object, not a number"),
        (b"true", "must be an object, not true or false"),
        (b'"x"', "must be an object, not a string"),
        (b"NaN", "must be a finite number"),
        (b'{"\\ud800": 1}', "must be valid JSON"),
        (b'{"' + b"9" * 5000 + b'": ' + b"9" * 5000, "must be valid JSON"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused_as_a_whole(body: bytes, rule: str) -> None:
    assert (fault(body).field, fault(body).rule) == ("body", rule)


@pytest.mark.parametrize(
    ("body", "field", "rule"),
    [
        (b'{"name": 1}', "name", "must be a string, not an integer"),
        (b'{"name": null}', "name", "must be a string, not null"),
        (b'{"price": "1"}', "price", "must be a number, not a string"),
        (b'{"price": 1e999}', "price", "number out of range"),
        (b'{"price": NaN}', "price", "must be a finite number"),
        (b'{"price": -Infinity}', "price", "must be a finite number"),
        (b'{"paid": 1}', "paid", "must be true or false, not an integer"),
        (b'{"lines": {}}', "lines", "must be a list, not an object"),
        (b'{"lines": [{}, 1]}', "lines[1]", "must be an object, not an integer"),
        (b'{"lines": [{}, {"count": 1.5}]}', "lines[1].count", "must be an integer, not a number"),
        (b'{"lines": [{}, {"count": NaN}]}', "lines[1].count", "must be a finite number"),
        (b'{"size": null}', "size", "must be an integer, not null"),
        (b'{"lines": [{"count": %s}]}' % (b"9" * 5000), "lines[0].count", "integer value out of range"),
        (b'{"name": "\\ud800"}', "name", "must be valid Unicode, without lone surrogates"),
        (b'{"name": "\\udc00\\ud800"}', "name", "must be valid Unicode, without lone surrogates"),
        (b'{"lines": [{"x": "\\ud800"}]}', "lines[0].x", "must be valid Unicode, without lone surrogates"),
        (b'{"other": Infinity}', "other", "must be a finite number"),
    ],
)
def test_a_value_that_breaks_its_type_is_named_by_its_path(body: bytes, field: str, rule: str) -> None:
    assert (fault(body).field, fault(body).rule) == (field, rule)


@pytest.mark.parametrize(
    "key", ["\\ud800", "a\\r\\nset-cookie: x", "\\u0000", "x" * 65, "", "a b", "\\u00e9", "<script>"]
)
def test_a_key_that_is_no_plain_name_is_not_repeated_in_the_error(key: str) -> None:
    found = fault(b'{"lines": [{"%s": NaN}]}' % key.encode())
    assert found.field == "lines[0]"
    assert answer.error(found).status == 400


def nested(depth: int) -> bytes:
    """An object with an unknown field so deep that the whole is `depth` deep."""
    return b'{"x":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_nesting_is_taken_to_its_limit_and_refused_beyond() -> None:
    assert decode(nested(DEPTH_MAX), DECODER) == Document()
    assert decode(nested(DEPTH_MAX).replace(b"{", b'{"lines": [{}], ', 1), DECODER) == Document(lines=[Line()])
    assert fault(nested(DEPTH_MAX + 1)).rule == "nested at most 16 deep"
    assert fault(b'{"x":' * 17 + b"1" + b"}" * 17).rule == "nested at most 16 deep"


def test_many_brackets_side_by_side_or_in_strings_are_not_deep() -> None:
    assert decode(b'{"lines": [' + b",".join([b"{}"] * 1000) + b"]}", DECODER).lines == [Line()] * 1000
    assert decode(b'{"name": "' + b"[{" * 1000 + b'\\"[\\\\"}', DECODER).name == "[{" * 1000 + '"[\\'


@pytest.mark.parametrize(
    "body",
    [
        b"[" * MEGABYTE,
        b'{"a":' * (MEGABYTE // 5),
        b"[" * 17 + b'"' + b'\\"' * (MEGABYTE // 2),
        b"[" * 17 + b'"' + b"\\" * MEGABYTE,
        b"[" * 17 + b'"' * MEGABYTE,
        b"[" * 17 + b'"' + b"a" * MEGABYTE,
    ],
    ids=["brackets", "objects", "escaped quotes", "backslashes", "quotes", "one long string"],
)
def test_a_megabyte_made_to_cost_time_costs_little(body: bytes) -> None:
    """Quadratic work would take minutes here."""
    began = time.process_time()
    assert fault(body).field == "body"
    assert time.process_time() - began < 5


def test_unknown_fields_are_ignored_and_the_last_of_two_equal_names_counts() -> None:
    assert decode(b'{"email": "x", "name": "a", "name": "b", "z": {"y": [null]}}', DECODER) == Document(name="b")


def test_what_a_string_may_hold_comes_through_unchanged() -> None:
    assert decode('{"name": "é\\u0000\\ud83d\\ude00 😀"}'.encode(), DECODER).name == "é\0😀 😀"
