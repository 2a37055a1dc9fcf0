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
_PLAIN = re.compile(rf"\+[1-9]\d{{{DIGITS_MIN - 1},{DIGITS_MAX - 1}}}", re.ASCII)
_MEXICO = re.compile(r"521(\d{10})", re.ASCII)
_ARGENTINA = re.compile(r"549(\d{10})", re.ASCII)
_BRAZIL = re.compile(r"(55\d\d)9([016-9]\d{7})", re.ASCII)
_BRAZIL_OLD = re.compile(r"(55\d\d)([6-9]\d{7})", re.ASCII)
_NORTH_AMERICA = re.compile(r"1[2-9][0-8]\d{8}", re.ASCII)
SURE_DIGITS: Final = 12
"""So long, digits have their country code: hardly a national number has twelve. Then a range need not be in use yet."""


def canonical(raw: str, region: str | None) -> str:
    """A phone number as Meta hashes it: E.164 digits without the plus.

    `+…` and `00…` are international. Other digits are read as a number of `region` (ISO 3166, two letters in capitals), with its country code
    or without, where such a number is in use; then as an international one without its plus: a number of another country is safest with it.
    What follows a letter, `,`, `;` or `#` is an extension. A country's trunk zero (`+44 (0)20`) goes; the digits that WhatsApp knows more or
    fewer of (see `match_key`) stay as they were given. Raises ValueError with the rule: 7 to 15 digits, a country code that exists, and a
    number that its plan can hold.
    """
    if _PLAIN.fullmatch(raw) and (found := _with_plus(raw[1:])):  # as most are written: there is nothing to look for
        return found
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
    international = not text[0].isdecimal() or digits.startswith("00")
    if len(significant) > DIGITS_MAX or (len(significant) < DIGITS_MIN and (international or not region)):
        raise ValueError(LENGTH_RULE)
    if not international:
        return _without_plus(digits, region)
    if found := _with_plus(significant):
        return found
    raise ValueError(NUMBER_RULE)


def is_region(region: str) -> bool:
    """Whether numbers can be read as those of this country: ISO 3166, two letters in capitals."""
    import phonenumbers

    return region in phonenumbers.SUPPORTED_REGIONS


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


def _with_plus(digits: str) -> str | None:
    """The number without a trunk prefix, or None where its country's plan cannot hold it."""
    today = _today(digits)
    if _holds(today):
        return digits
    found = _parsed(f"+{today}", None)
    return digits if found == today else found


def _without_plus(digits: str, region: str | None) -> str:
    abroad = digits if _holds(_today(digits)) else None
    home = _at_home(digits, region) if region else None
    # Where numbers vary in length, the region's own code and a whole number could be one long number too, but hardly ever are.
    own = _plan_of(home) if home else None
    candidates = (abroad, home) if own and digits.startswith(own.code) else (home, abroad)
    for found in candidates:
        if found and (plan := _plan_of(found)) and plan.has_given(_today(found)):
            return found
    for found in candidates:
        if found and (len(found) >= SURE_DIGITS or _NORTH_AMERICA.fullmatch(found)):
            return found
    raise ValueError(NUMBER_RULE if region else COUNTRY_RULE)


def _at_home(digits: str, region: str) -> str | None:
    plan = _plan_at_home(region)
    if plan and not digits.startswith((plan.code, "0")) and not plan.exit.match(digits) and _holds(plan.code + digits):
        return plan.code + digits
    return _parsed(digits, region)


def _today(digits: str) -> str:
    """The digits as the plans of today have them: WhatsApp keeps Mexico's former 1, and mobiles of Brazil from before the ninth digit."""
    if digits[:2] == "52" and (found := _MEXICO.fullmatch(digits)):
        return f"52{found[1]}"
    if digits[:2] == "55" and (found := _BRAZIL_OLD.fullmatch(digits)):
        return f"{found[1]}9{found[2]}"
    return digits


class _Plan(NamedTuple):
    """What a country says of its numbers: their lengths and form after its code, the prefixes of calls inside the country and out of it."""

    code: str
    form: re.Pattern[str]
    lengths: tuple[int, ...]
    trunk: re.Pattern[str]
    exit: re.Pattern[str]

    def holds(self, digits: str) -> bool:
        """Whether international digits with this code keep to the plan as they stand."""
        start = len(self.code)
        return len(digits) - start in self.lengths and bool(self.form.fullmatch(digits, start))

    def has_trunk(self, digits: str) -> bool:
        """Whether the library would look for a prefix to take away."""
        found = self.trunk.match(digits, len(self.code))
        return found is not None and found.end() > len(self.code)

    def has_given(self, digits: str) -> bool:
        """Whether numbers of this range are in use, for digits that the plan holds."""
        import phonenumbers

        national = digits[len(self.code) :]
        zeros = len(national) - len(national.lstrip("0"))  # the library keeps them apart
        number = phonenumbers.PhoneNumber(
            int(self.code), int(national), italian_leading_zero=zeros > 0, number_of_leading_zeros=zeros
        )
        return phonenumbers.is_valid_number(number)


def _holds(digits: str) -> bool:
    """Whether a plan holds the digits and nothing is to be taken from them: the library would find the same, in ten times the time."""
    plan = _plan_of(digits)
    return plan is not None and plan.holds(digits) and not plan.has_trunk(digits)


def _plan_of(digits: str) -> _Plan | None:
    return _plan(digits[:1]) or _plan(digits[:2]) or _plan(digits[:3])


@cache
def _plan(code: str) -> _Plan | None:
    import phonenumbers  # its tables are large, and what reads no numbers starts faster without

    home = phonenumbers.region_code_for_country_code(int(code))
    metadata = phonenumbers.PhoneMetadata.metadata_for_region_or_calling_code(int(code), home)
    if code.startswith("0") or metadata is None or metadata.general_desc is None:
        return None
    return _Plan(
        code,
        re.compile(metadata.general_desc.national_number_pattern or "(?!)", re.ASCII),
        metadata.general_desc.possible_length,
        re.compile(metadata.national_prefix_for_parsing or "(?!)", re.ASCII),
        re.compile(metadata.international_prefix or "(?!)", re.ASCII),
    )


@cache
def _plan_at_home(region: str) -> _Plan | None:
    """The region's plan, where it is the first of those that share its code."""
    import phonenumbers

    code = phonenumbers.country_code_for_region(region)
    return _plan(str(code)) if phonenumbers.region_code_for_country_code(code) == region else None


def _parsed(text: str, region: str | None) -> str | None:
    """The international digits as the library reads them, or None where no plan holds them."""
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    digits = f"{number.country_code}{phonenumbers.national_significant_number(number)}"
    plan = _plan_of(digits)
    return digits if plan and plan.holds(digits) else None
