"""Whatever arrives: a reader takes it or refuses it, and a refusal can be answered and recorded."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, strategies as st

from collector.attribution import id_fault
from collector.edge import answer
from collector.errors import Refusal
from collector.event import Content, Payload
from collector.sources import connectly, links
from collector.sources.browser import read_event, read_landing_post, read_link, read_view
from tests.property.strategies import ANY_TEXT, BODIES, NAMES, SCALARS

READERS = [connectly.read, links.read, read_event, read_landing_post, read_view, read_link]
MARK = "jane@example.com"


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: f"{reader.__module__}.{reader.__name__}")
@given(body=BODIES)
@example(body=b"[" * 100_000)
@example(body=b'{"payload": {"\\ud800": NaN}}')
@example(body=b'{"query": "\xff"}')
def test_a_reader_takes_a_body_or_refuses_it(reader: Callable[[bytes], Any], body: bytes) -> None:
    refusal: Refusal | None = None
    try:
        found = reader(body)
    except Refusal as fault:
        refusal = fault
    if refusal is None:
        assert msgspec.json.encode(found)  # all of it can be stored
    else:
        assert 400 <= answer.error(refusal).status < 500
        assert refusal.message.isprintable()
        assert len(refusal.message) < 400


@given(body=BODIES)
def test_what_a_refused_body_leaves_keeps_the_contracts_rules(body: bytes) -> None:
    click, payload = connectly.known_part(body)
    assert all(value is None or id_fault(value) is None for value in click.values())
    if payload is not None:
        assert len(payload) <= connectly.KEPT_CHARS_MAX
        assert "\0" not in payload
        kept = msgspec.json.decode(payload)
        assert set(kept) <= set(Payload.__struct_fields__)
        if isinstance(lines := kept.get("contents"), list):
            assert all(set(line) <= set(Content.__struct_fields__) for line in lines)


def marked(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with an address that the contract has no place for, and lists."""
    return st.dictionaries(NAMES, inner, max_size=6).map(lambda value: value | {"email": MARK}) | st.lists(
        inner, max_size=4
    )


@given(st.recursive(SCALARS | st.just({MARK: 1}) | st.just([[MARK]]), marked, max_leaves=30))
def test_what_a_shop_sends_beyond_the_contract_is_never_kept(value: Any) -> None:
    for document in (
        value,
        {"payload": value},
        {"payload": {"contents": value, "content_ids": value, "currency": value}},
    ):
        assert MARK not in repr(connectly.known_part(json.dumps(document).encode()))


@given(st.lists(ANY_TEXT, max_size=4))
def test_a_reason_is_always_one_line_of_printable_ascii(words: list[str]) -> None:
    _, value = answer.reason(*words)
    assert value.isascii()
    assert value.decode().isprintable()
