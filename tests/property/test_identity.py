"""For any customer: text and numbers that nobody meant."""

import re
from contextlib import suppress
from typing import Any

import msgspec
import phonenumbers
from hypothesis import assume, example, given, strategies as st

from collector import fbc, phone
from collector.errors import InvalidField
from collector.identity import Identity, UserData, is_enough_for_web, read
from tests.property.strategies import ANY_TEXT

HASHED = "em ph fn ln ge db ct st zp country external_id".split()
NUMBERED = "subscription_id page_id page_scoped_user_id ig_sid lead_id customer_id mobile_number ph db".split()
FIELDS = list(UserData.__struct_fields__)
NEAR = st.text(st.sampled_from("0123456789+-() .@abcdefABCDEF:/éß\ufeff\u3000"), max_size=70)
HEX = st.text(st.sampled_from("0123456789abcdefABCDEF"), min_size=60, max_size=68)
TEXTS = ANY_TEXT | NEAR | HEX | st.sampled_from(["fb.1.1740000000000.1", "203.0.113.7", "Ana", "ana@example.com", "BR"])
NUMBERS = st.integers(-5, 2**53 + 5) | st.integers(-(10**400), 10**400)
REGIONS = st.none() | st.sampled_from(["BR", "US", "MX", "XX", "DE", "IT", "AR"])


@st.composite
def anyone(draw: st.DrawFn) -> UserData:
    said: dict[str, Any] = {}
    for field in draw(st.lists(st.sampled_from(FIELDS), max_size=6, unique=True)):
        values: st.SearchStrategy[Any] = TEXTS | NUMBERS if field in NUMBERED else TEXTS
        said[field] = draw(values | st.lists(values, max_size=12) if field in HASHED else values)
    return UserData(**said)


def outcome(given: UserData, region: str | None) -> Identity | InvalidField:
    try:
        return read(given, region)
    except InvalidField as refused:
        return refused


@given(anyone(), REGIONS)
@example(UserData(fn="\ud800"), None)
def test_a_customer_is_read_or_refused_by_name_and_what_leaves_is_clean(customer: UserData, region: str | None) -> None:
    found = outcome(customer, region)
    if isinstance(found, InvalidField):
        assert re.match(r"user_data\.[a-z_]+(\[\d\])?$", found.field)
        return
    for key, value in found.wire.items():
        hashes = value if isinstance(value, list) else []
        assert bool(hashes) is (key in HASHED)
        assert all(re.fullmatch(r"[0-9a-f]{64}(\.[A-Za-z0-9_-]{2,8})?", each) for each in hashes)
    assert msgspec.json.encode(found.wire)
    assert is_enough_for_web(found.wire) in (True, False)


@given(anyone(), REGIONS)
def test_what_was_read_reads_the_same_again(customer: UserData, region: str | None) -> None:
    first = outcome(customer, region)
    assume(isinstance(first, Identity))
    assert isinstance(first, Identity)
    assert read(msgspec.convert(first.wire, UserData), None).wire == first.wire


@given(ANY_TEXT | NEAR, REGIONS)
def test_any_text_is_a_phone_number_or_a_broken_rule(text: str, region: str | None) -> None:
    with suppress(ValueError):
        assert_canonical(phone.canonical(text, region))


def assert_canonical(digits: str) -> None:
    assert re.fullmatch(r"[1-9][0-9]{6,14}", digits)
    assert phone.canonical(f"+{digits}", None) == digits
    key = phone.match_key(digits)
    assert phone.match_key(key) == key


CODES = sorted({str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE})


@given(st.sampled_from(CODES), st.text(st.sampled_from("0123456789"), min_size=4, max_size=14))
@example("54", "91123456789")
@example("39", "0612345678")
@example("44", "02079460018")
def test_the_short_way_finds_what_the_library_finds(code: str, rest: str) -> None:
    digits = (code + rest)[: phone.DIGITS_MAX]
    assume(len(digits) >= phone.DIGITS_MIN)
    assume(not digits.startswith("521") and not re.fullmatch(r"55\d\d[6-9]\d{7}", digits))  # WhatsApp's, on purpose
    try:
        parsed = phonenumbers.parse(f"+{digits}")
    except phonenumbers.NumberParseException:
        expected = None
    else:
        expected = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)[1:]
    try:
        found = phone.canonical(f"+{digits}", None)
    except ValueError:
        assert expected is None or not phonenumbers.is_valid_number(phonenumbers.parse(f"+{digits}"))
    else:
        assert found == expected


@given(
    st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)),
    st.text(st.sampled_from("0123456789"), min_size=4, max_size=13),
)
@example("BR", "11987654321")
@example("US", "01144207946")
@example("CA", "4165550199")
def test_a_regions_own_number_is_what_the_library_finds(region: str, digits: str) -> None:
    code = str(phonenumbers.country_code_for_region(region))
    assume(not digits.startswith((code, "00")))
    with suppress(phonenumbers.NumberParseException):
        parsed = phonenumbers.parse(digits, region)
        if phonenumbers.is_valid_number(parsed):
            expected = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)[1:]
            assert phone.canonical(digits, region) == expected


@given(ANY_TEXT, ANY_TEXT | st.none(), st.integers(10**12, 10**13 - 1), ANY_TEXT | st.none())
def test_any_landing_gives_a_sound_fbc_or_none(fbclid: str, cookie: str | None, at_ms: int, domain: str | None) -> None:
    found = fbc.from_landing(fbclid, cookie, at_ms, domain)
    assert found is None or fbc.parse(found).payload in (fbclid, (cookie or "...").split(".")[-1])
    assert found is None or fbc.from_landing(fbclid, found, at_ms + 1, domain) == found
