"""What identifies a person, each in the one spelling that Meta hashes. Pure.

A function takes text without surrounding space and returns its normal form, or raises ValueError with the rule that it breaks.
"""

import re
import unicodedata
from datetime import date
from typing import Final

BIRTH_YEARS: Final = range(1900, 2100)

_EMAIL = re.compile(
    r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]*[a-z0-9])?",
    re.ASCII,
)
_ASCII_MARKS: Final = dict.fromkeys(code for code in range(128) if not chr(code).isalnum())
_ASCII_NO_LETTERS: Final = dict.fromkeys(code for code in range(128) if not chr(code).isalpha())
_DATE = re.compile(r"(\d{1,4})([-/. ])(\d{1,2})\2(\d{1,4})", re.ASCII)
_SUBDIVISION = re.compile(r"[A-Za-z]{2}-([A-Za-z]{1,3})", re.ASCII)
_US_POSTCODE = re.compile(r"(\d{5})(?:[- ]?\d{4})?", re.ASCII)
_ZIP_PLUS_4 = re.compile(r"(\d{5})[- ]\d{4}", re.ASCII)
_POSTCODE = re.compile(r"[a-z0-9]{2,16}", re.ASCII)

COUNTRIES: Final = frozenset(
    "ad ae af ag ai al am ao aq ar as at au aw ax az ba bb bd be bf bg bh bi bj bl bm bn bo bq br bs bt bv bw by bz ca cc cd cf cg ch ci "
    "ck cl cm cn co cr cu cv cw cx cy cz de dj dk dm do dz ec ee eg eh er es et fi fj fk fm fo fr ga gb gd ge gf gg gh gi gl gm gn gp gq "
    "gr gs gt gu gw gy hk hm hn hr ht hu id ie il im in io iq ir is it je jm jo jp ke kg kh ki km kn kp kr kw ky kz la lb lc li lk lr ls "
    "lt lu lv ly ma mc md me mf mg mh mk ml mm mn mo mp mq mr ms mt mu mv mw mx my mz na nc ne nf ng ni nl no np nr nu nz om pa pe pf pg "
    "ph pk pl pm pn pr ps pt pw py qa re ro rs ru rw sa sb sc sd se sg sh si sj sk sl sm sn so sr ss st sv sx sy sz tc td tf tg th tj tk "
    "tl tm tn to tr tt tv tw tz ua ug um us uy uz va vc ve vg vi vn vu wf ws xk ye yt za zm zw".split()
)
"""ISO 3166-1 alpha-2, and Kosovo's provisional code."""

STATES: Final = {
    **dict(
        zip(
            "alabama alaska arizona arkansas california colorado connecticut delaware districtofcolumbia florida georgia hawaii idaho "
            "illinois indiana iowa kansas kentucky louisiana maine maryland massachusetts michigan minnesota mississippi missouri montana "
            "nebraska nevada newhampshire newjersey newmexico newyork northcarolina northdakota ohio oklahoma oregon pennsylvania "
            "rhodeisland southcarolina southdakota tennessee texas utah vermont virginia washington westvirginia wisconsin wyoming".split(),
            "al ak az ar ca co ct de dc fl ga hi id il in ia ks ky la me md ma mi mn ms mo mt ne nv nh nj nm ny nc nd oh ok or pa "
            "ri sc sd tn tx ut vt va wa wv wi wy".split(),
            strict=True,
        )
    ),
    **dict(
        zip(
            "alberta britishcolumbia manitoba newbrunswick newfoundlandandlabrador northwestterritories novascotia nunavut ontario "
            "princeedwardisland quebec saskatchewan yukon".split(),
            "ab bc mb nb nl nt ns nu on pe qc sk yt".split(),
            strict=True,
        )
    ),
}
"""Names of the states of the USA and the provinces of Canada, without spaces: the only ones that Meta abbreviates."""


def email(text: str) -> str:
    """An address in lower case. Dots and `+tags` stay: Meta matches the address as it was given."""
    normal = text.lower()
    if not _EMAIL.fullmatch(normal):
        raise ValueError("must be an e-mail address such as ana@example.com")
    return normal


def name(text: str) -> str:
    """A given or family name: lower case, without spaces and punctuation; accents and other scripts stay."""
    return _required(_kept(text, _ASCII_MARKS, "LMN"), "must hold a letter")


def city(text: str) -> str:
    """A city: lower case, letters alone; accents and other scripts stay."""
    return _required(_kept(text, _ASCII_NO_LETTERS, "LM"), "must hold a letter")


def state(text: str) -> str:
    """A state: two letters in the USA and Canada, from the full name too; others in full, letters alone. `US-CA` (ISO 3166-2) is `ca`."""
    if found := _SUBDIVISION.fullmatch(text):
        return found[1].lower()
    normal = city(text)
    return STATES.get(normal if normal.isascii() else _unaccented(normal), normal)


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
    normal = "".join(text.lower().split()).replace("-", "")
    if text.startswith("-") or not _POSTCODE.fullmatch(normal):
        raise ValueError("must be a postcode: letters, digits, spaces and dashes")
    return normal


def country(text: str) -> str:
    """A country's ISO 3166-1 code of two letters. Names are refused: guessing them makes Great Britain Greece."""
    code = re.sub(r"[^a-z]", "", text.lower())
    if code not in COUNTRIES:
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
    return f"{born:%Y%m%d}"


def external_id(text: str) -> str:
    """The shop's own id of the customer: lower case, without spaces, as Meta's parameter builder has it on every channel."""
    return "".join(text.lower().split())


def _kept(text: str, dropped: dict[int, None], categories: str) -> str:
    """Lower case without what is dropped: by table where all is ASCII, else by Unicode's categories."""
    if text.isascii():
        return text.lower().translate(dropped)
    composed = unicodedata.normalize("NFC", text.lower())  # é is one character, however it was typed
    return "".join(char for char in composed.translate(dropped) if unicodedata.category(char)[0] in categories)


def _unaccented(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))


def _required(normal: str, rule: str) -> str:
    if not normal:
        raise ValueError(rule)
    return normal
