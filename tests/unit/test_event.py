"""What an event may say: money in micros, its time, its digest."""

import json
from decimal import Decimal

import pytest
from msgspec import UNSET

from collector.attribution import Click
from collector.errors import InvalidField
from collector.event import (
    AGE_SECONDS_MAX,
    CURRENCIES,
    FUTURE_SECONDS_MAX,
    VALUE_MAX,
    Content,
    Payload,
    amount,
    digest,
    micros,
    read_event_time,
    read_payload,
    same_body,
)
from tests.unit.samples import CLICK, NOW, NOW_MS

MILLISECOND_MAX = NOW_MS + 999


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (99.97, 99_970_000),
        (0.1 + 0.2, 300_000),
        (1.1 * 3, 3_300_000),
        (0.0, 0),
        (-0.0, 0),
        (5.0, 5_000_000),
        (0.000001, 1),
        (0.0000005, 0),
        (0.0000015, 2),
        (0.0000025, 2),
        (0.0000035, 4),
        (1e-300, 0),
        (1234567.891235, 1_234_567_891_235),
        (float(VALUE_MAX), VALUE_MAX * 1_000_000),
    ],
)
def test_money_becomes_whole_micros_rounded_half_even(value: float, expected: int) -> None:
    assert micros(value) == expected


@pytest.mark.parametrize(
    ("value_micros", "text"),
    [(99_970_000, "99.97"), (100_000_000, "100"), (0, "0"), (1, "1e-06"), (300_000, "0.3"), (10**18, "1000000000000")],
)
def test_money_leaves_as_the_number_that_was_meant(value_micros: int, text: str) -> None:
    assert json.dumps(amount(value_micros)) == text
    assert Decimal(text) * 1_000_000 == value_micros


@pytest.mark.parametrize("value", [-0.01, VALUE_MAX * 1.001, float("nan"), float("inf"), float("-inf")])
def test_money_outside_of_its_limits_is_refused(value: float) -> None:
    with pytest.raises(InvalidField) as caught:
        read_payload(Payload(currency="USD", value=value), "Purchase", "payload")
    assert (caught.value.field, caught.value.rule) == ("payload.value", "must be a number from 0 to 1000000000000")


@pytest.mark.parametrize("given", ["usd", "Usd", "USD"])
def test_a_currency_is_stored_in_capitals(given: str) -> None:
    found = read_payload(Payload(currency=given, value=1), "Purchase", "payload")
    assert found.currency == "USD"
    assert json.loads(found.custom_data)["currency"] == "USD"


def test_every_currency_of_the_shops_markets_is_known() -> None:
    assert set("USD EUR GBP BRL MXN ARS CLP COP PEN INR IDR JPY KWD AED ZAR".split()) <= CURRENCIES


@pytest.mark.parametrize("given", ["", "US", "USDD", "$", "ABC", "uſd", "ıdr", " USD"])
def test_what_is_no_currency_is_refused(given: str) -> None:
    with pytest.raises(InvalidField, match=r"^payload\.currency: must be an ISO 4217 code"):
        read_payload(Payload(currency=given, value=1), "Purchase", "payload")


def test_items_without_id_are_skipped_and_the_rest_is_kept_in_order() -> None:
    payload = Payload(contents=[Content(quantity=3), Content(id="b", quantity=2, item_price=10.0), Content(id="a")])
    found = json.loads(read_payload(payload, "ViewContent", "custom_data").custom_data)
    assert found == {"contents": [{"id": "b", "quantity": 2, "item_price": 10}, {"id": "a"}]}


def test_of_an_empty_payload_nothing_is_made_up() -> None:
    found = read_payload(Payload(), "ViewContent", "custom_data")
    assert (found.custom_data, found.currency, found.value_micros, found.order_id) == ("{}", None, None, None)


def test_faults_carry_the_name_that_the_caller_uses_for_the_payload() -> None:
    with pytest.raises(InvalidField) as caught:
        read_payload(Payload(contents=[Content(id="a"), Content(id="")]), "ViewContent", "view.custom_data")
    assert caught.value.field == "view.custom_data.contents[1].id"


@pytest.mark.parametrize(
    ("event_time", "expected"),
    [
        (UNSET, (NOW_MS, False)),
        (NOW, (NOW_MS, False)),
        (NOW - 1, (NOW_MS - 1000, False)),
        (NOW + 1, (NOW_MS, False)),
        (NOW + FUTURE_SECONDS_MAX, (NOW_MS, False)),
        (NOW - AGE_SECONDS_MAX, (NOW_MS - AGE_SECONDS_MAX * 1000, False)),
        (NOW - AGE_SECONDS_MAX - 1, (NOW_MS - AGE_SECONDS_MAX * 1000 - 1000, True)),
        (0, (0, True)),
    ],
)
def test_the_time_of_an_event_is_clamped_to_now_and_told_when_too_old(
    event_time: int, expected: tuple[int, bool]
) -> None:
    assert read_event_time(event_time, NOW_MS, "payload.event_time") == expected


def test_within_the_second_now_counts_by_the_millisecond() -> None:
    assert read_event_time(UNSET, MILLISECOND_MAX, "x") == (MILLISECOND_MAX, False)
    assert read_event_time(NOW, MILLISECOND_MAX, "x") == (NOW_MS, False)
    assert read_event_time(NOW - AGE_SECONDS_MAX, MILLISECOND_MAX, "x")[1] is True


@pytest.mark.parametrize(
    ("event_time", "rule"),
    [
        (NOW + FUTURE_SECONDS_MAX + 1, "must not be more than 10 minutes in the future"),
        (NOW_MS, "must be whole seconds since 1970; this looks like milliseconds"),
        (10**30, "must be whole seconds since 1970; this looks like milliseconds"),
        (-1, "must be whole seconds since 1970, not negative"),
        (-(10**30), "must be whole seconds since 1970, not negative"),
    ],
)
def test_a_time_that_cannot_be_is_refused_with_a_hint(event_time: int, rule: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_event_time(event_time, NOW_MS, "payload.event_time")
    assert (caught.value.field, caught.value.rule) == ("payload.event_time", rule)


def test_a_digest_differs_by_everything_that_makes_the_body() -> None:
    digests = [
        digest("Purchase", "{}", CLICK, UNSET),
        digest("ViewContent", "{}", CLICK, UNSET),
        digest("Purchase", '{"value":1}', CLICK, UNSET),
        digest("Purchase", "{}", Click(), UNSET),
        digest("Purchase", "{}", Click("x"), UNSET),
        digest("Purchase", "{}", Click(None, "x"), UNSET),
        digest("Purchase", "{}", CLICK, NOW),
    ]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(UNSET, UNSET, True), (NOW, NOW, True), (NOW, UNSET, True), (UNSET, NOW, True), (NOW, NOW + 1, False)],
)
def test_an_omitted_time_does_not_make_a_body_differ(one: int, other: int, same: bool) -> None:
    assert same_body(digest("Purchase", "{}", CLICK, one), digest("Purchase", "{}", CLICK, other)) is same
    assert not same_body(digest("Purchase", "{}", CLICK, one), digest("ViewContent", "{}", CLICK, other))
