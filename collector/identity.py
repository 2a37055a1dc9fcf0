"""Who it was: what a caller says of a customer, checked, normalised and hashed as Meta matches it. Pure; docs/identity.md has the rules.

What identifies a person leaves this module as SHA-256 (lowercase hex, of the UTF-8 bytes of its normal form) or not at all.
"""

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from collector import fbc, nameless, phone, traits
from collector.attribution import id_fault
from collector.errors import InvalidField

BROWSER_KEYS: Final = ("client_ip_address", "client_user_agent", "fbc", "fbp")
"""What a visitor's browser tells of itself."""
VALUES_MAX: Final = 10
TEXT_CHARS_MAX: Final = 512
USER_AGENT_CHARS_MAX: Final = 2048
HASH_CHARS_MIN: Final = 32
SHA256_CHARS: Final = 64
NUMBER_MAX: Final = 2**53 - 1
"""Larger JSON numbers have lost digits where JavaScript wrote them."""

SenderKind = Literal["mobile_number", "whatsapp_user_id", "page_scoped_user_id", "ig_sid"]
"""What names the sender of a message."""
LookupKind = SenderKind | Literal["customer_id"]
Text = str | UnsetType
Texts = str | list[str] | UnsetType
Id = str | int | UnsetType


class UserData(msgspec.Struct, omit_defaults=True, kw_only=True, gc=False):
    """A customer as the caller writes it (`user_data`), plain or already hashed. Unknown fields are ignored.

    `em` to `external_id` are text or lists of it; `ph`, `db` and ids may be JSON numbers too, `zp` may not: a number loses its leading zeros.
    `instagram_business_account_id` is the name of `ig_account_id` in Meta's guide, which Meta itself does not take.
    `mobile_number` and `customer_id` (with `page_scoped_user_id` and `ig_sid`) look up the conversation and are not sent.
    """

    em: Texts = UNSET
    ph: str | int | list[str | int] | UnsetType = UNSET
    fn: Texts = UNSET
    ln: Texts = UNSET
    ge: Texts = UNSET
    db: str | int | list[str | int] | UnsetType = UNSET
    ct: Texts = UNSET
    st: Texts = UNSET
    zp: Texts = UNSET
    country: Texts = UNSET
    external_id: Texts = UNSET
    client_ip_address: Text = UNSET
    client_user_agent: Text = UNSET
    fbc: Text = UNSET
    fbp: Text = UNSET
    subscription_id: Id = UNSET
    fb_login_id: Id = UNSET
    lead_id: Id = UNSET
    anon_id: Id = UNSET
    madid: Id = UNSET
    ctwa_clid: Text = UNSET
    whatsapp_business_account_id: Id = UNSET
    page_id: Id = UNSET
    page_scoped_user_id: Id = UNSET
    ig_account_id: Id = UNSET
    instagram_business_account_id: Id = UNSET
    ig_sid: Id = UNSET
    mobile_number: str | int | UnsetType = UNSET
    whatsapp_user_id: Id = UNSET
    customer_id: Id = UNSET


class Identity(msgspec.Struct, frozen=True, gc=False):
    """A customer as Meta gets it, and the keys under which the conversation is looked up.

    `wire` holds hashes as lists and the ids that are never hashed as text. `lookups` are (kind, value) in the order mobile_number,
    page_scoped_user_id, ig_sid, customer_id; a mobile_number is a `mobile_key`, a customer_id a `customer_key`.
    """

    wire: dict[str, str | list[str]]
    lookups: tuple[tuple[LookupKind, str], ...] = ()


_TRAITS: Final[tuple[tuple[str, Callable[[str], str]], ...]] = (
    ("em", traits.email),
    ("fn", traits.name),
    ("ln", traits.name),
    ("ge", traits.gender),
    ("db", traits.birthday),
    ("ct", traits.city),
    ("st", traits.state),
    ("country", traits.country),
    ("external_id", traits.external_id),
)
_IDS: Final = (
    "subscription_id fb_login_id lead_id anon_id madid ctwa_clid whatsapp_business_account_id page_id page_scoped_user_id ig_account_id ig_sid"
).split()
_LOOKUP_IDS: Final[tuple[LookupKind, ...]] = ("whatsapp_user_id", "page_scoped_user_id", "ig_sid")

_SUFFIX = re.compile("AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8}", re.ASCII)
"""Meta's parameter builder says after a dot who hashed the value; it goes to Meta as it is."""
_HALF_HASHED = re.compile(
    r"(?:0x|(?:sha-?\d+|md5)[:=$ -]*)?[0-9a-f]{32,}(?:\.[^@]*)?|[a-z0-9]{64}|[a-z0-9+/_-]{43}=",
    re.IGNORECASE | re.ASCII,
)
_HASH_RULE: Final = (
    "must be plain, or a whole SHA-256 as 64 hexadecimal digits and nothing else: this is another or a broken hash"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_WEAK: Final = (
    frozenset({"ct", "country", "st", "zp", "ge", "client_user_agent"}),
    frozenset({"db", "client_user_agent"}),
    frozenset({"fn", "ge"}),
    frozenset({"ln", "ge"}),
)
_US: Final = hashlib.sha256(b"us").hexdigest()


def read(given: UserData, region: str | None, path: str = "user_data") -> Identity:
    """Check, normalise and hash.

    `region` is the business's, for phone numbers without a country code. `path` is the object's own name in errors. An address that is
    not public is left out. Raises InvalidField, naming the field (`user_data.em[1]`) and the rule, and never repeating the value.
    """
    wire: dict[str, str | list[str]] = {}
    for field, normal in _TRAITS:
        if (values := getattr(given, field)) is not UNSET:
            wire[field] = _hashes(values, normal, path, field)
    if given.ph is not UNSET:
        wire["ph"] = _hashes(given.ph, lambda text: phone.canonical(text, region), path, "ph")
    if given.zp is not UNSET:
        country = None if "country" not in wire else "us" if wire["country"] == [_US] else "other"
        wire["zp"] = _hashes(given.zp, lambda text: traits.postcode(text, country), path, "zp")
    if given.client_ip_address is not UNSET and (address := _address(given.client_ip_address, path)):
        wire["client_ip_address"] = address
    if given.client_user_agent is not UNSET:
        wire["client_user_agent"] = _user_agent(given.client_user_agent, f"{path}.client_user_agent")
    if given.fbc is not UNSET:
        wire["fbc"] = _faultless(given.fbc, fbc.fbc_fault, path, "fbc")
    if given.fbp is not UNSET:
        wire["fbp"] = _faultless(given.fbp, fbc.fbp_fault, path, "fbp")
    ids: dict[str, str] = {}
    for field in _IDS:
        if (value := getattr(given, field)) is not UNSET:
            ids[field] = value
    if ids:
        plain = nameless.are_plain(ids.values())
        wire.update(ids if plain else {field: _id(value, path, field) for field, value in ids.items()})
    if given.instagram_business_account_id is not UNSET:
        field = "instagram_business_account_id"
        wire.setdefault("ig_account_id", _id(given.instagram_business_account_id, path, field))
    return Identity(wire, tuple(_lookups(given, wire, region, path)))


def mobile_key(digits: str) -> str:
    """The key of a phone number in look-ups, from its international digits (a WhatsApp sender's `wa_id`): hashed, nothing plain is kept."""
    return _sha256(phone.match_key(digits))


def customer_key(customer_id: str) -> str:
    """The key of a shop's customer in look-ups and links, hashed: many a shop knows its customers by their e-mail addresses."""
    return _sha256(customer_id)


def is_enough_for_web(wire: Collection[str]) -> bool:
    """Whether Meta takes the keys of `Identity.wire` for a conversion of the website; else it refuses with 100/2804050."""
    return not any(weak.issuperset(wire) for weak in _WEAK)


def _lookups(
    given: UserData, checked: Mapping[str, str | list[str]], region: str | None, path: str
) -> Iterator[tuple[LookupKind, str]]:
    if given.mobile_number is not UNSET:
        number = given.mobile_number
        field, text = (
            f"{path}.mobile_number",
            number if isinstance(number, str) else _written(number, path, "mobile_number"),
        )
        if _known(text.strip()):
            raise InvalidField(field, "must be the phone number itself, not its hash: it is hashed here")
        yield "mobile_number", mobile_key(_checked(text, lambda text: phone.canonical(text, region), field))
    for field in _LOOKUP_IDS:
        if (value := getattr(given, field)) is not UNSET:
            known = checked.get(field)
            yield field, known if isinstance(known, str) else _id(value, path, field)
    if given.customer_id is not UNSET:  # it may be an e-mail address as well as anything: it is hashed
        customer = given.customer_id
        text = customer if isinstance(customer, str) else _written(customer, path, "customer_id")
        yield "customer_id", customer_key(_faultless(text, id_fault, path, "customer_id"))


def _hashes(
    values: str | int | list[str] | list[str | int], normal: Callable[[str], str], path: str, field: str
) -> list[str]:
    """One field's hashes, in order and without repeats."""
    if values.__class__ is str and len(values) == SHA256_CHARS:
        # Callers who hash send hardly anything but whole hashes: the longer way would take them three times as long.
        try:
            if bytes.fromhex(values).hex() == values:
                return [values]
        except ValueError:
            pass
    if not isinstance(values, list):
        return [_hash(values, normal, path, field)]
    if len(values) > VALUES_MAX:
        raise InvalidField(f"{path}.{field}", f"at most {VALUES_MAX} values")
    if not values:
        raise InvalidField(f"{path}.{field}", "must not be empty")
    hashes = (_hash(value, normal, path, f"{field}[{index}]") for index, value in enumerate(values))
    return list(dict.fromkeys(hashes))


def _hash(value: str | int, normal: Callable[[str], str], path: str, field: str) -> str:
    text = value.strip(traits.SPACES) if isinstance(value, str) else _written(value, path, field)
    if len(text) >= HASH_CHARS_MIN:
        head, dot, suffix = text.partition(".")
        if (known := _known(head)) and (not dot or _SUFFIX.fullmatch(suffix)):
            return known + dot + suffix
        if normal is not traits.external_id and _HALF_HASHED.fullmatch(text):  # a shop's own ids may well look so
            raise InvalidField(f"{path}.{field}", _HASH_RULE)
    return _sha256(_checked(text, normal, f"{path}.{field}"))


def _known(text: str) -> str | None:
    """A SHA-256 in lower case, or None: the text is none."""
    try:
        known = bytes.fromhex(text).hex()
    except ValueError:
        return None
    return known if len(known) == len(text) == SHA256_CHARS else None  # spaces between digits are not counted


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _checked(text: str, normal: Callable[[str], str], field: str) -> str:
    _bounded(text, TEXT_CHARS_MAX, field)
    try:
        return normal(text)
    except ValueError as error:
        raise InvalidField(field, str(error)) from None


def _bounded(text: str, limit: int, field: str) -> None:
    if not text:
        raise InvalidField(field, "must not be empty")
    if len(text) > limit:
        raise InvalidField(field, f"at most {limit} characters")
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise InvalidField(field, "must be valid Unicode, without lone surrogates")


def _address(text: str, path: str) -> str | None:
    try:
        return traits.address(text.strip())
    except ValueError as error:
        raise InvalidField(f"{path}.client_ip_address", str(error)) from None


def _user_agent(text: str, field: str) -> str:
    text = text.strip()
    _bounded(text, USER_AGENT_CHARS_MAX, field)
    if not text.isprintable() and _CONTROL.search(text):
        raise InvalidField(field, "must not hold control characters")
    return text


def _faultless(text: str, fault: Callable[[str], str | None], path: str, field: str) -> str:
    if rule := fault(text):
        raise InvalidField(f"{path}.{field}", rule)
    return text


def _id(value: str | int, path: str, field: str) -> str:
    return nameless.id(value if isinstance(value, str) else _written(value, path, field), f"{path}.{field}")


def _written(value: int, path: str, field: str) -> str:
    if not 0 <= value <= NUMBER_MAX:
        raise InvalidField(f"{path}.{field}", f"must be written as a string: a number is from 0 to {NUMBER_MAX}")
    return str(value)
