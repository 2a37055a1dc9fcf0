"""The spellings under which WhatsApp knows one phone, and what the library of numbers agrees to. tests/golden/identity.jsonl has the rest."""

import phonenumbers
import pytest

from collector.phone import DIGITS_MAX, LENGTH_RULE, TEXT_CHARS_MAX, canonical, match_key


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("5215512345678", "525512345678"),
        ("5511987654321", "551187654321"),
        ("5491123456789", "541123456789"),
    ],
)
def test_two_spellings_of_a_phone_meet_in_one_key(one: str, other: str) -> None:
    assert match_key(one) == match_key(other) == other
    assert canonical(f"+{one}", None) == one
    assert canonical(f"+{other}", None) == other


@pytest.mark.parametrize(
    "digits",
    [
        "5511932345678",  # without its 9 a landline's number would be left
        "551132345678",
        "559987654321",
        "52155123456789",
        "521551234567",
        "16502530000",
        "491711234567",
        "5599",
        "",
    ],
)
def test_no_other_number_is_changed_for_its_key(digits: str) -> None:
    assert match_key(digits) == digits


@pytest.mark.parametrize(
    "raw", ["1" * (DIGITS_MAX + 1), "+55 11 98765-4321" + " " * TEXT_CHARS_MAX + "x", "", "+", "+-()"]
)
def test_text_that_can_be_no_number_is_refused_by_its_length(raw: str) -> None:
    with pytest.raises(ValueError, match=LENGTH_RULE):
        canonical(raw, None)


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_countrys_numbers_are_taken_however_they_are_written(region: str) -> None:
    mobile = phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)
    number = mobile or phonenumbers.example_number(region)
    assert number is not None
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
    for style in (phonenumbers.PhoneNumberFormat.E164, phonenumbers.PhoneNumberFormat.INTERNATIONAL):
        assert canonical(phonenumbers.format_number(number, style), None) == digits
    assert canonical(digits, None) == digits
    assert canonical(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL), region) == digits
    assert canonical(digits, region) == digits
