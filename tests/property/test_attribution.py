"""For any ids, any query, any text in a token's place."""

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given, strategies as st

from collector.attribution import AGE_SECONDS_MAX, IDS, Attribution, Click, id_fault, read_landing, ref, sign, verify
from collector.errors import BadToken
from tests.property.strategies import ANY_TEXT, CLICKS
from tests.unit.samples import BUSINESS, KEY, NEXT_KEY, NOW, OTHER

INSTANTS = st.integers(1_500_000_000, 2**32 - 1)


@given(CLICKS, INSTANTS, st.integers(0, AGE_SECONDS_MAX))
def test_a_token_gives_back_what_was_signed_for_as_long_as_it_is_believed(click: Click, at: int, age: int) -> None:
    token = sign(Attribution(click, at), BUSINESS, [NEXT_KEY, KEY])
    assert verify(token, BUSINESS, [KEY], at + age) == Attribution(click, at)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", token)


@given(CLICKS, st.data())
def test_any_other_text_in_a_tokens_place_is_refused(click: Click, data: st.DataObject) -> None:
    token = sign(Attribution(click, NOW), BUSINESS, [KEY])
    start, stop = sorted(data.draw(st.tuples(*[st.integers(0, len(token))] * 2)))
    altered = token[:start] + data.draw(ANY_TEXT) + token[stop:]
    assume(altered != token)
    assert_refused(altered, BUSINESS)


@given(ANY_TEXT | st.text(st.sampled_from("1A-_."), max_size=400))
@example("." * 3)
def test_text_that_was_never_signed_is_refused(text: str) -> None:
    assert_refused(text, BUSINESS)


@given(CLICKS, ANY_TEXT.filter(lambda name: name.isascii()))
def test_a_token_is_worth_nothing_to_another_business(click: Click, other: str) -> None:
    token = sign(Attribution(click, NOW), BUSINESS, [KEY])
    assume(other != BUSINESS)
    assert_refused(token, other)
    assert_refused(token, OTHER)


def assert_refused(token: str, business_id: str) -> None:
    with pytest.raises(BadToken, match=r"^token-forged$"):
        verify(token, business_id, [KEY], NOW)


@given(
    CLICKS,
    st.sampled_from([partial(quote, safe=""), quote_plus, lambda text: "".join(f"%{ord(char):02x}" for char in text)]),
    st.booleans(),
)
def test_a_link_gives_back_its_ids_however_it_was_encoded(
    click: Click, encode: Callable[[str], str], in_fragment: bool
) -> None:
    pairs = zip(IDS, click.values(), strict=True)
    text = "&".join(f"{name}={encode(value)}" for name, value in pairs if value is not None)
    query, fragment = ("", text) if in_fragment else (text, "")
    assert read_landing(query, fragment) == (click, ())


@given(
    st.lists(st.tuples(st.sampled_from([*IDS, "x"]), ANY_TEXT), max_size=8),
    ANY_TEXT,
    ANY_TEXT,
    st.sampled_from(["&", "&amp;", ";"]),
)
def test_a_landing_never_raises_and_what_it_reads_keeps_the_rules(
    pairs: list[tuple[str, str]], before: str, fragment: str, separator: str
) -> None:
    query = separator.join([before, *(f"{name}={value}" for name, value in pairs)])
    click, refused = read_landing(query, fragment)
    assert all(value is None or id_fault(value) is None for value in click.values())
    assert set(refused) <= {name for name, value in zip(IDS, click.values(), strict=True) if value is None}


@given(CLICKS, CLICKS)
def test_two_landings_share_a_ref_only_when_they_are_the_same(one: Click, other: Click) -> None:
    assert (ref(one, BUSINESS, KEY) == ref(other, BUSINESS, KEY)) is (one == other)
    assert ref(one, BUSINESS, KEY) != ref(one, OTHER, KEY)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", ref(one, BUSINESS, KEY))
