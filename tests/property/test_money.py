"""For any price and any body."""

import json
from decimal import Decimal

from hypothesis import given, strategies as st
from msgspec import UNSET, UnsetType

from collector.attribution import Click
from collector.event import FUTURE_SECONDS_MAX, VALUE_MAX, amount, digest, micros, read_event_time, same_body
from tests.property.strategies import CLICKS, IDS
from tests.unit.samples import NOW_MS

NOW = NOW_MS // 1000


@given(st.decimals(0, 10**9, places=2))
def test_a_price_in_cents_leaves_as_it_came(price: Decimal) -> None:
    assert Decimal(micros(float(price))) == price * 1_000_000
    assert Decimal(json.dumps(amount(micros(float(price))))) == price


@given(st.decimals(0, 10**6, places=6))
def test_six_places_are_kept(price: Decimal) -> None:
    assert Decimal(json.dumps(amount(micros(float(price))))) == price


@given(st.floats(0, VALUE_MAX))
def test_money_is_off_by_half_a_micro_at_most(value: float) -> None:
    exact = Decimal(repr(value)) * 1_000_000
    assert abs(micros(value) - exact) <= Decimal("0.5")


@given(st.integers(0, 10**15))
def test_stored_micros_survive_the_way_out_and_in(value_micros: int) -> None:
    assert micros(amount(value_micros)) == value_micros


@given(st.integers(0, NOW + FUTURE_SECONDS_MAX))
def test_a_time_that_is_taken_is_never_in_the_future(event_time: int) -> None:
    at, expired = read_event_time(event_time, NOW_MS, "event_time")
    assert at == min(event_time * 1000, NOW_MS)
    assert expired is (NOW - event_time > 7 * 24 * 3600)


PARTS = st.tuples(st.sampled_from(["Purchase", "ViewContent"]), st.sampled_from(["{}", "[]"]) | IDS, CLICKS)
TIMES = st.sampled_from([NOW, NOW - 1]) | st.just(UNSET)


@given(PARTS, PARTS, TIMES, TIMES, st.booleans())
def test_two_bodies_are_the_same_when_all_but_an_omitted_time_is(
    one: tuple[str, str, Click],
    other: tuple[str, str, Click],
    at: int | UnsetType,
    other_at: int | UnsetType,
    again: bool,
) -> None:
    other = one if again else other
    times_agree = at == other_at or at is UNSET or other_at is UNSET
    assert same_body(digest(*one, at), digest(*other, other_at)) is (one == other and times_agree)
