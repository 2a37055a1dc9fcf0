"""Phone numbers: one form for Meta, one key under which WhatsApp's spellings of a number meet. Pure."""

import re
from functools import cache
from typing import Final, NamedTuple

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
    digits = "".join(filter(str.isdecimal, text))
    if not text.isascii():
        digits = "".join(str(int(digit)) for digit in digits)
    significant = digits.lstrip("0")
    if not DIGITS_MIN <= len(significant) <= DIGITS_MAX:
        raise ValueError(LENGTH_RULE)
    if text[0].isdecimal() and not digits.startswith("00"):
        return _without_plus(digits, region)
    if found := _international(significant):
        return found
    raise ValueError(NUMBER_RULE)


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
    national = _parsed(digits, region) if region else None
    if national and _is_in_use(national):
        return national
    abroad = None if digits.startswith("0") else _international(digits)
    for found in (abroad, national):
        if found and (len(found) >= SURE_DIGITS or _NORTH_AMERICA.fullmatch(found) or _is_in_use(found)):
            return found
    raise ValueError(NUMBER_RULE if region else COUNTRY_RULE)


def _international(digits: str) -> str | None:
    """The number without a trunk prefix, or None where its country's plan cannot hold it."""
    today = _today(digits)
    plan = _plan_of(today)
    # Most numbers need no more than this: the library would find the same, a hundred times slower than a regular expression.
    if plan and not plan.trunk.match(today, plan.code_digits) and plan.holds(today):
        return digits
    found = _parsed(f"+{today}", None)
    return digits if found == today else found


def _today(digits: str) -> str:
    """The digits as the plans of today have them: WhatsApp keeps Mexico's former 1, and mobiles of Brazil from before the ninth digit."""
    if digits[:2] == "52" and (found := _MEXICO.fullmatch(digits)):
        return f"52{found[1]}"
    if digits[:2] == "55" and (found := _BRAZIL_OLD.fullmatch(digits)):
        return f"{found[1]}9{found[2]}"
    return digits


class _Plan(NamedTuple):
    """What a country says of its numbers: their lengths and form after the country code, and the prefix of calls inside the country."""

    code_digits: int
    form: re.Pattern[str]
    lengths: tuple[int, ...]
    trunk: re.Pattern[str]

    def holds(self, digits: str) -> bool:
        return len(digits) - self.code_digits in self.lengths and bool(self.form.fullmatch(digits, self.code_digits))


def _plan_of(digits: str) -> _Plan | None:
    return next((plan for length in (1, 2, 3) if (plan := _plan(digits[:length]))), None)


@cache
def _plan(code: str) -> _Plan | None:
    import phonenumbers  # its tables are large, and what reads no numbers starts faster without

    home = phonenumbers.region_code_for_country_code(int(code))
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), home)
    if metadata is None or metadata.general_desc is None:
        return None
    general = metadata.general_desc
    return _Plan(
        len(code),
        re.compile(general.national_number_pattern or "(?!)", re.ASCII),
        general.possible_length,
        re.compile(metadata.national_prefix_for_parsing or "(?!)", re.ASCII),
    )


def _parsed(text: str, region: str | None) -> str | None:
    """The international digits as the library reads them, or None where no plan holds them."""
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    digits = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164).removeprefix("+")
    plan = _plan_of(digits)
    return digits if plan and plan.holds(digits) else None


def _is_in_use(digits: str) -> bool:
    import phonenumbers

    return phonenumbers.is_valid_number(phonenumbers.parse(f"+{_today(digits)}"))
