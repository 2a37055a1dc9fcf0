"""Phone numbers: one form for Meta, one key under which WhatsApp's spellings of a number meet. Pure."""

import re
from typing import Final

TEXT_CHARS_MAX: Final = 64
DIGITS_MIN: Final = 7
DIGITS_MAX: Final = 15
"""E.164."""

COUNTRY_RULE: Final = "needs a country code, as in +55 11 98765-4321, or set the business's region"
LENGTH_RULE: Final = f"must have {DIGITS_MIN} to {DIGITS_MAX} digits, with the country code"
NUMBER_RULE: Final = "must be a number that the plan of its country can hold"

_START = re.compile(r"[+＋\d]")
_END = re.compile(r"[^\W\d_]|[,;#]")
"""Where an extension, a remark or a second number begins."""
_MEXICO = re.compile(r"521(\d{10})", re.ASCII)
_ARGENTINA = re.compile(r"549(\d{10})", re.ASCII)
_BRAZIL = re.compile(r"(55\d\d)9([016-9]\d{7})", re.ASCII)
_BRAZIL_OLD = re.compile(r"(55\d\d)([6-9]\d{7})", re.ASCII)
_NORTH_AMERICA = re.compile(r"1[2-9][0-8]\d{8}", re.ASCII)
SURE_DIGITS: Final = 12
"""So long, digits have their country code: hardly a national number has twelve. Then a range need not be in use yet."""


def canonical(raw: str, region: str | None) -> str:
    """A phone number as Meta hashes it: E.164 digits without the plus.

    `+…` and `00…` are international. Other digits are read as a number of `region` (ISO 3166, two letters) where they are one, then as
    international ones without their plus: a number of another country is safest with it. What follows a letter, `,`, `;` or `#` is an
    extension. A country's trunk zero (`+44 (0)20`) goes; the digits that WhatsApp knows more or fewer of (see `match_key`) stay as they were
    given. Raises ValueError with the rule: 7 to 15 digits, a country code that exists, and a number that its plan can hold.
    """
    text = raw.strip()
    start = _START.search(text)
    if start is None or len(text) > TEXT_CHARS_MAX:
        raise ValueError(LENGTH_RULE)
    end = _END.search(text, start.start())
    text = text[start.start() : end.start() if end else None]
    digits = "".join(str(int(char)) for char in text if char.isdecimal())
    significant = digits.lstrip("0")
    if not DIGITS_MIN <= len(significant) <= DIGITS_MAX:
        raise ValueError(LENGTH_RULE)
    if not text[0].isdecimal() or digits.startswith("00"):
        if found := _international(significant):
            return found[0]
        raise ValueError(NUMBER_RULE)
    return _without_plus(digits, region)


def match_key(digits: str) -> str:
    """The form in which a number is looked up, from international digits: one for all that WhatsApp may call the same phone.

    Mexico's 1 and Argentina's 9 before the area go, and the ninth digit of Brazil's mobiles, unless a landline's number would be left (they
    begin with 2 to 5). Never hashed for Meta: there the digits stay as they are.
    """
    if digits[:2] == "52" and (found := _MEXICO.fullmatch(digits)):
        return f"52{found[1]}"
    if digits[:2] == "54" and (found := _ARGENTINA.fullmatch(digits)):
        return f"54{found[1]}"
    if digits[:2] == "55" and (found := _BRAZIL.fullmatch(digits)):
        return found[1] + found[2]
    return digits


def _without_plus(digits: str, region: str | None) -> str:
    national = _read(digits, region) if region else None
    if national and national[1]:
        return national[0]
    abroad = None if digits.startswith("0") else _international(digits)
    for found in (abroad, national):
        if found and (found[1] or len(found[0]) >= SURE_DIGITS or _NORTH_AMERICA.fullmatch(found[0])):
            return found[0]
    raise ValueError(NUMBER_RULE if region else COUNTRY_RULE)


def _international(digits: str) -> tuple[str, bool] | None:
    """The number, and whether its range is in use; None where its country's plan cannot hold it."""
    today = _today(digits)
    found = _read(f"+{today}", None)
    return (digits, found[1]) if found and found[0] == today else found


def _today(digits: str) -> str:
    """The digits as the plans of today have them: WhatsApp keeps Mexico's former 1, and mobiles of Brazil from before the ninth digit."""
    if digits[:2] == "52" and (found := _MEXICO.fullmatch(digits)):
        return f"52{found[1]}"
    if digits[:2] == "55" and (found := _BRAZIL_OLD.fullmatch(digits)):
        return f"{found[1]}9{found[2]}"
    return digits


def _read(text: str, region: str | None) -> tuple[str, bool] | None:
    import phonenumbers  # its tables are large, and what reads no numbers starts faster without

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    national = phonenumbers.national_significant_number(number)
    home = phonenumbers.region_code_for_country_code(number.country_code or 0)
    plan = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(number.country_code or 0, home)
    desc = plan and plan.general_desc
    if not desc or len(national) not in desc.possible_length:
        return None
    if not re.fullmatch(desc.national_number_pattern or "", national):
        return None
    return f"{number.country_code}{national}", phonenumbers.is_valid_number(number)
