"""Conversion events: what a shop or a page reports, checked and in one shape. Pure."""

import hashlib
import re
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, Literal

import msgspec
from iso4217 import Currency
from msgspec import UNSET, UnsetType

from collector.attribution import ID_BYTES_MAX, Click, id_fault
from collector.consent import Consent
from collector.errors import InvalidField

Channel = Literal["whatsapp", "messenger", "instagram", "website"]
Source = Literal["browser", "server"]

CONTENTS_MAX: Final = 100
VALUE_MAX: Final = 1_000_000_000_000
FUTURE_SECONDS_MAX: Final = 600
AGE_SECONDS_MAX: Final = 7 * 24 * 3600
"""Meta refuses events older than 7 days (100/2804003)."""
MILLISECONDS_FROM: Final = 100_000_000_000

EXACT_BELOW: Final = 1_000_000
ARTEFACT: Final = 0.001

CURRENCIES: Final = frozenset(currency.code for currency in Currency)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One conversion, as it is stored and as destinations read it.

    `id` is ours (`X-Event-Id`, 32 lowercase hex characters, sorts by time of arrival); `event_id` is the one that Meta sees.
    `event_at` and `received_at` are UTC milliseconds. `custom_data` is JSON text in Meta's names: currency, value, order_id, content_type,
    content_ids, num_items, contents. `currency` and `value_micros` repeat the money for reports. `digest` identifies the
    normalised body, so that a repeat with another body is seen. `user_data` and `options` are JSON text: who it was (hashed), and what else
    was asked for (see `collector.options`).
    """

    business_id: str
    id: str
    event_name: str
    event_id: str
    event_at: int
    received_at: int
    channel: Channel = "whatsapp"
    source: Source = "server"
    click: Click = Click()
    consent: Consent = "unknown"
    custom_data: str = "{}"
    currency: str | None = None
    value_micros: int | None = None
    user_data: str = "{}"
    page_url: str | None = None
    order_id: str | None = None
    test: bool = False
    digest: str = ""
    revision: int = 1
    options: str = "{}"


class Content(msgspec.Struct, omit_defaults=True, gc=False):
    """A line item as the caller writes it (`payload.contents[]`)."""

    id: str | UnsetType = UNSET
    quantity: int | UnsetType = UNSET
    item_price: float | UnsetType = UNSET


class Payload(msgspec.Struct, omit_defaults=True, gc=False):
    """The per-event detail as the caller writes it: Connectly's `payload`, the browser's `custom_data`. Unknown fields are ignored."""

    currency: str | UnsetType = UNSET
    value: float | UnsetType = UNSET
    order_id: str | UnsetType = UNSET
    content_type: str | UnsetType = UNSET
    content_ids: list[str] | UnsetType = UNSET
    num_items: int | UnsetType = UNSET
    contents: list[Content] | UnsetType = UNSET
    event_time: int | UnsetType = UNSET


class Detail(msgspec.Struct, frozen=True, gc=False):
    """A payload that keeps the rules. `custom_data` is JSON text, as destinations send it."""

    custom_data: str
    currency: str | None
    value_micros: int | None
    order_id: str | None


class _CustomData(msgspec.Struct, omit_defaults=True, gc=False):
    currency: str | UnsetType = UNSET
    value: int | float | UnsetType = UNSET
    order_id: str | UnsetType = UNSET
    content_type: str | UnsetType = UNSET
    content_ids: list[str] | UnsetType = UNSET
    num_items: int | UnsetType = UNSET
    contents: list[Content] | UnsetType = UNSET


def micros(value: float) -> int:
    """Money, a finite number, as integer micros; a float's artefacts are rounded half-even."""
    scaled = value * 1_000_000
    nearest = round(scaled)
    if value < EXACT_BELOW and abs(scaled - nearest) < ARTEFACT:
        return nearest  # amounts in cents end here: the exact way below costs as much as the rest of the payload
    if (whole := int(value)) == value:
        return whole * 1_000_000
    return int((Decimal(repr(value)) * 1_000_000).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))


def amount(value_micros: int) -> int | float:
    """Micros as the JSON number that Meta reads: 99.97, or 100 where it is whole."""
    return value_micros / 1_000_000 if value_micros % 1_000_000 else value_micros // 1_000_000


def read_payload(payload: Payload, event_name: str, field: str) -> Detail:
    """Check a payload by the rules of Connectly's contract and Meta's custom_data.

    A Purchase needs `currency` and `value`; a value never goes without its currency (Meta: 100/2804023). Items of `contents` without
    `id` are skipped, after the limit of 100 is counted. `field` is the payload's own name in errors. Raises InvalidField.
    """
    try:
        return _detail(payload, event_name)
    except InvalidField as fault:  # the names are put together where one is needed
        raise InvalidField(f"{field}.{fault.field}", fault.rule) from None


def _detail(payload: Payload, event_name: str) -> Detail:
    """`read_payload`, with the names that fields have in the payload."""
    if event_name == "Purchase":
        _require(payload.currency, "currency")
        _require(payload.value, "value")
    currency = payload.currency
    if currency is not UNSET:
        currency = _currency(currency)
    value: int | float | UnsetType = UNSET
    value_micros: int | None = None
    if payload.value is not UNSET:
        _require(currency, "currency")
        value_micros = _money(payload.value, "value")
        value = amount(value_micros)
    if payload.order_id is not UNSET and (fault := id_fault(payload.order_id)):
        raise InvalidField("order_id", fault)
    if payload.content_type is not UNSET and payload.content_type not in ("product", "product_group"):
        raise InvalidField("content_type", 'must be "product" or "product_group"')
    if payload.content_ids is not UNSET:
        _at_most(payload.content_ids, "content_ids")
        for index, text in enumerate(payload.content_ids):
            if fault := text_fault(text):
                raise InvalidField(f"content_ids[{index}]", fault)
    if payload.num_items is not UNSET:
        _check_count(payload.num_items, "num_items")
    contents = payload.contents
    if contents is not UNSET:
        _at_most(contents, "contents")
        contents = _contents(contents)
    data = _CustomData(
        currency, value, payload.order_id, payload.content_type, payload.content_ids, payload.num_items, contents
    )
    return Detail(msgspec.json.encode(data).decode(), currency or None, value_micros, payload.order_id or None)


def read_event_time(event_time: int | UnsetType, now_ms: int, field: str) -> tuple[int, bool]:
    """The instant of an event in milliseconds, and whether it is too old to be sent (over 7 days).

    `event_time` is whole seconds; a clock up to 10 minutes ahead is set to now. Raises InvalidField beyond that, and for milliseconds.
    """
    if event_time is UNSET:
        return now_ms, False
    if event_time >= MILLISECONDS_FROM:
        raise InvalidField(field, "must be whole seconds since 1970; this looks like milliseconds")
    if event_time < 0:
        raise InvalidField(field, "must be whole seconds since 1970, not negative")
    at = event_time * 1000
    if at > now_ms + FUTURE_SECONDS_MAX * 1000:
        raise InvalidField(field, f"must not be more than {FUTURE_SECONDS_MAX // 60} minutes in the future")
    return min(at, now_ms), now_ms - at > AGE_SECONDS_MAX * 1000


def digest(
    event_name: str, custom_data: str, click: Click, event_time: int | UnsetType, more: tuple[str, ...] = ()
) -> str:
    """Identify a normalised body: `<hash>` or `<hash>:<event_time>` where the caller gave a time. `more` is what else the body says."""
    text = "\0".join((event_name, custom_data, *[value or "" for value in click.values()], *more))
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    return name if event_time is UNSET else f"{name}:{event_time}"


def beyond(user_data: str, options: str) -> tuple[str, ...]:
    """What a digest holds of a body that says who it was, or asks for more than Connectly's contract can."""
    return () if user_data == options == "{}" else (user_data, options)


def about(event: Event, click: Click, consent: Consent) -> Event:
    """The event with its click found, and what the visitor said. Its body stays, and its digest tells the body of this click from then on."""
    if click == event.click:  # it may have been completed since, with what a landing told, which its caller never said
        return msgspec.structs.replace(event, consent=consent)
    return digested(msgspec.structs.replace(event, click=click, consent=consent))


def digested(event: Event) -> Event:
    """The event with the digest of what it says now."""
    _, _, time = event.digest.partition(":")
    more = beyond(event.user_data, event.options)
    known = digest(event.event_name, event.custom_data, event.click, int(time) if time else UNSET, more)
    return msgspec.structs.replace(event, digest=known)


def same_body(one: str, other: str) -> bool:
    """Compare two digests. An omitted event_time does not differ."""
    one_body, _, one_time = one.partition(":")
    other_body, _, other_time = other.partition(":")
    return one_body == other_body and (not one_time or not other_time or one_time == other_time)


def _require(value: object, field: str) -> None:
    if value is UNSET:
        raise InvalidField(field, "is required")


def _currency(value: str) -> str:
    code = value.upper()
    if not value.isascii() or code not in CURRENCIES:  # some foreign letters have an ASCII letter as their capital
        raise InvalidField("currency", "must be an ISO 4217 code such as USD")
    return code


def _money(value: float, field: str) -> int:
    if not 0 <= value <= VALUE_MAX:  # nor is NaN
        raise InvalidField(field, f"must be a number from 0 to {VALUE_MAX}")
    return micros(value)


def _check_count(value: int, field: str) -> None:
    if not 0 <= value <= 1_000_000_000:
        raise InvalidField(field, "must be an integer from 0 to 1000000000")


def _at_most(items: list[str] | list[Content], field: str) -> None:
    if len(items) > CONTENTS_MAX:
        raise InvalidField(field, f"at most {CONTENTS_MAX} items")


def text_fault(value: str, bytes_max: int = ID_BYTES_MAX) -> str | None:
    """Name the rule that a text breaks, or None: it says something, is not too long and holds no control characters."""
    if not value:
        return "must not be empty"
    if len(value) > bytes_max or len(value.encode()) > bytes_max:
        return f"at most {bytes_max} bytes"
    if not value.isprintable() and _CONTROL.search(value):
        return "must not hold control characters"
    return None


def plain_text(value: str, field: str, bytes_max: int = ID_BYTES_MAX) -> str:
    """The text, where it has no fault. Raises InvalidField."""
    if fault := text_fault(value, bytes_max):
        raise InvalidField(field, fault)
    return value


def _contents(items: list[Content]) -> list[Content]:
    """The line items that have an id, as Meta reads them. Raises InvalidField."""
    kept = []
    for index, item in enumerate(items):
        if item.id is not UNSET:
            try:
                _check(item, item.id)
            except InvalidField as fault:
                raise InvalidField(f"contents[{index}].{fault.field}", fault.rule) from None
            kept.append(item)
    return kept


def _check(item: Content, id: str) -> None:
    """Check a line item and write its price as Meta reads it. Raises InvalidField, with the name that the field has in the item."""
    if fault := text_fault(id):
        raise InvalidField("id", fault)
    if item.quantity is not UNSET:
        _check_count(item.quantity, "quantity")
    if item.item_price is not UNSET:
        item.item_price = amount(_money(item.item_price, "item_price"))
