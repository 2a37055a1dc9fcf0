"""What tells one person from another, each in the one spelling that Meta matches. Pure.

A function takes text without surrounding space and returns its normal form, or raises ValueError with the rule that it breaks.
"""

import ipaddress
import re
import string
import unicodedata
from datetime import date
from typing import Final

from collector.places import COUNTRIES, STATES

SPACES: Final = "\t\n\v\f\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""White space as JavaScript has it: there Meta's pixel and parameter builder take it away, and both sides must hash the same bytes."""
BIRTH_YEARS: Final = range(1900, 2100)

_EMAIL = re.compile(
    r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?",
    re.ASCII,
)
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_PUBLIC = re.compile(
    r"(?!(?:0|10|127|169\.254|192\.168|172\.(?:1[6-9]|2\d|3[01])|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])|22[4-9]|2[3-5]\d)\.)"
    rf"{_OCTET}(?:\.{_OCTET}){{3}}|[23][0-9A-Fa-f]{{3}}(?::[0-9A-Fa-f]{{1,4}}){{7}}",
    re.ASCII,
)
"""Every public IPv4 address, and most IPv6 ones: whole, of the global unicast range."""
_NOT_PUBLIC_V6: Final = tuple(
    (int(net[0]), int(net[-1])) for net in map(ipaddress.IPv6Network, ("::/127", "fc00::/7", "fe80::/10", "ff00::/8"))
)
"""A shopper comes from none of the addresses between: they are a proxy's, or a mistake."""

_SPACE: Final = dict.fromkeys(map(ord, SPACES))
_MARKS: Final = _SPACE | dict.fromkeys(map(ord, string.punctuation))
_NO_LETTERS: Final = dict.fromkeys(code for code in range(128) if not chr(code).isalpha())
_DATE = re.compile(r"(\d{1,4})([-/. ])(\d{1,2})\2(\d{1,4})", re.ASCII)
_SUBDIVISION = re.compile(r"([A-Z]{2})-([A-Z]{1,3})", re.ASCII)
_US_POSTCODE = re.compile(r"(\d{5})(?:[- ]?\d{4})?", re.ASCII)
_ZIP_PLUS_4 = re.compile(r"(\d{5})[- ]\d{4}", re.ASCII)
_POSTCODE = re.compile(r"[a-z0-9]{2,16}", re.ASCII)


def email(text: str) -> str:
    """An address in lower case. Dots and `+tags` stay: Meta matches the address as it was given."""
    normal = text.lower()
    if not _EMAIL.fullmatch(normal):
        raise ValueError("must be an e-mail address such as ana@example.com")
    return normal


def name(text: str) -> str:
    """A given or family name: lower case, without spaces and the punctuation of ASCII; accents and other scripts stay."""
    normal = _composed(text.lower()).translate(_MARKS)
    if not normal:
        raise ValueError("must hold a letter")
    return normal


def city(text: str) -> str:
    """A city: lower case, letters alone; accents and other scripts stay."""
    normal = text.lower().translate(_NO_LETTERS)
    if not normal.isascii():
        normal = "".join(char for char in _composed(normal) if unicodedata.category(char)[0] in "LM")
    if not normal:
        raise ValueError("must hold a letter")
    return normal


def state(text: str) -> str:
    """A state: two letters in the USA and Canada, from the full name too; others in full, letters alone. `US-CA` (ISO 3166-2) is `ca`."""
    if (found := _SUBDIVISION.fullmatch(text)) and found[1].lower() in COUNTRIES:
        return found[2].lower()
    normal = city(text)
    return STATES.get(_unaccented(normal), normal)


def postcode(text: str, country: str | None) -> str:
    """A postcode: lower case, without spaces and dashes; in the USA its first five digits.

    `country` is its country's code where known; where it is not, five digits, a dash and four more are of the USA.
    """
    if country == "us":
        if not (found := _US_POSTCODE.fullmatch(text)):
            raise ValueError("must be five digits in the USA, or nine")
        return found[1]
    if country is None and (found := _ZIP_PLUS_4.fullmatch(text)):
        return found[1]
    normal = text.lower().translate(_SPACE).replace("-", "")
    if text.startswith("-") or not _POSTCODE.fullmatch(normal):
        raise ValueError("must be a postcode: letters, digits, spaces and dashes")
    return normal


def country(text: str) -> str:
    """A country's ISO 3166-1 code of two letters, from the code or a whole English name. Parts are not guessed from: `Gr. Britain` is not Greece."""
    code = COUNTRIES.get(_unaccented(city(text)))
    if code is None:
        raise ValueError('must be an ISO 3166-1 code of two letters such as "br"')
    return code


def gender(text: str) -> str:
    """`f` or `m`; the words female and male are understood."""
    normal = text.lower()
    if normal not in {"f", "m", "female", "male"}:
        raise ValueError('must be "f" or "m"')
    return normal[0]


def birthday(text: str) -> str:
    """A date of birth, YYYYMMDD. Year first, or a day above 12, make other spellings certain too; a date that could be two is refused."""
    rule = 'must be a date as YYYYMMDD, such as "19970216"'
    if len(text) == 8 and text.isascii() and text.isdecimal():
        year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
    elif found := _DATE.fullmatch(text):
        first, middle, last = found[1], int(found[3]), found[4]
        if len(first) == 4 and len(last) <= 2:
            year, month, day = int(first), middle, int(last)
        elif len(last) == 4 and len(first) <= 2:
            year, month, day = int(last), int(first), middle
            if month > 12:
                month, day = day, month
            elif day <= 12 and day != month:
                raise ValueError(rule)
        else:
            raise ValueError(rule)
    else:
        raise ValueError(rule)
    try:
        born = date(year, month, day)
    except ValueError:
        raise ValueError(rule) from None
    if born.year not in BIRTH_YEARS:
        raise ValueError(rule)
    return f"{year:04}{month:02}{day:02}"


def external_id(text: str) -> str:
    """The shop's own id of the customer: lower case, without spaces, as Meta's parameter builder has it on every channel."""
    return text.lower().translate(_SPACE)


def address(text: str) -> str | None:
    """An IP address, one of the customer's own, as it was written; None where it is not public."""
    if _PUBLIC.fullmatch(text):
        return text.lower()
    try:
        if ":" not in text:
            ipaddress.IPv4Address(text)
            return None
        given = ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError("must be one IPv4 or IPv6 address, without port") from None
    if given.ipv4_mapped:
        return address(str(given.ipv4_mapped))
    number = int(given)
    if given.scope_id is not None or any(first <= number <= last for first, last in _NOT_PUBLIC_V6):
        return None
    return text.lower()


def _composed(text: str) -> str:
    """é as one character, however it was typed."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def _unaccented(text: str) -> str:
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
