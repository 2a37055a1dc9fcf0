"""`custom_data` in full: every field that Meta's reference lists, and names of the caller's own. Pure."""

import re
from typing import Any, Final

import msgspec
from iso4217 import Currency
from msgspec import UNSET, UnsetType

from collector import nameless
from collector.errors import InvalidField
from collector.event import CONTENTS_MAX, Content, Detail, Payload, plain_text, read_payload
from collector.sources.body import decode

TEXT_BYTES_MAX: Final = 2048
FIELDS_MAX: Final = 50
NUMBER_MAX: Final = 10**15
DELIVERY_CATEGORIES: Final = ("in_store", "curbside", "home_delivery")
NO_MONEY: Final = frozenset(currency.code for currency in Currency if currency.exponent is None) | {"MRU"}
"""In ISO 4217, but nobody pays in them (gold, a code for tests), or seen to be refused by Meta (100/2804011)."""

_TEXTS: Final = ("content_name", "content_category", "search_string", "status", "item_number")
_NUMBERS: Final = ("predicted_ltv", "net_revenue")
_CONTENT_TEXTS: Final = ("title", "description", "brand", "category")
_CONTENT: Final = frozenset(("id", "quantity", "item_price"))
_COMMON: Final = frozenset(Payload.__struct_fields__)


class _UsualContent(Content, forbid_unknown_fields=True, gc=False):
    pass


class _Usual(Payload, forbid_unknown_fields=True, gc=False):
    """Most callers write no more than these; then there is no more to look for."""

    contents: list[_UsualContent] | UnsetType = UNSET  # type: ignore[assignment]  # a list of a subclass, which is only read


_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)

_usual: Final = msgspec.json.Decoder(_Usual)
_payload: Final = msgspec.json.Decoder(Payload)
_object: Final = msgspec.json.Decoder(dict[str, Any])


def read_custom_data(raw: bytes, event_name: str, field: str = "custom_data") -> Detail:
    """Check `custom_data` as the caller wrote it (JSON).

    What Connectly's contract shares with Meta keeps its rules (see `event.read_payload`), but a line item without `id` is refused, as Meta does
    (100/2804008). Beside them: Meta's other fields, and at most 50 names of the caller's own, each a text, a number, a truth or a list of those.
    `field` is its name in errors. Raises InvalidField.
    """
    try:
        return _read(_usual.decode(raw), event_name, field)
    except msgspec.DecodeError:  # it says more than that, or is wrong
        pass
    try:
        payload = decode(raw, _payload)
        given = decode(raw, _object)
    except InvalidField as fault:
        raise InvalidField(field if fault.field == "body" else f"{field}.{fault.field}", fault.rule) from None
    detail = _read(payload, event_name, field)
    more = {name: value for name, value in given.items() if name not in _COMMON}
    contents = given.get("contents") or []
    described = any(item.keys() - _CONTENT for item in contents)
    if len(more) > FIELDS_MAX:
        raise InvalidField(field, f"at most {FIELDS_MAX} fields beside the usual ones")
    data = _object.decode(detail.custom_data)
    if described:
        for index, (kept, item) in enumerate(zip(data["contents"], contents, strict=True)):
            kept.update(_described(item, f"{field}.contents[{index}]"))
    data.update({_named(name, field): _value(name, value, field) for name, value in more.items()})
    return msgspec.structs.replace(detail, custom_data=msgspec.json.encode(data).decode())


def _read(payload: Payload, event_name: str, field: str) -> Detail:
    for index, item in enumerate((payload.contents or [])[: CONTENTS_MAX + 1]):
        if item.id is UNSET:
            raise InvalidField(f"{field}.contents[{index}].id", "is required")
    detail = read_payload(payload, event_name, field)
    if detail.currency in NO_MONEY:
        raise InvalidField(f"{field}.currency", "is not a currency that Meta takes")
    _name_nobody(payload, field)
    return detail


def _name_nobody(payload: Payload, field: str) -> None:
    """Raises InvalidField where an id or a line item holds an e-mail address, or a time stands where nobody would look for it."""
    if payload.order_id is not UNSET:
        nameless.text(payload.order_id, f"{field}.order_id")
    for index, value in enumerate(payload.content_ids or ()):
        nameless.text(value, f"{field}.content_ids[{index}]")
    for index, item in enumerate(payload.contents or ()):
        nameless.text(item.id or "", f"{field}.contents[{index}].id")
    if payload.event_time is not UNSET:
        raise InvalidField(f"{field}.event_time", "belongs to the event itself, beside event_name")


def _described(item: dict[str, Any], field: str) -> dict[str, str]:
    """What a line item says beside id, quantity and price. Unknown names are ignored: Meta lists what an item may say."""
    texts = {name: _text(item[name], f"{field}.{name}") for name in _CONTENT_TEXTS if item.get(name) is not None}
    if item.get("delivery_category") is not None:
        texts["delivery_category"] = _category(item["delivery_category"], f"{field}.delivery_category")
    return texts


def _named(name: str, field: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidField(field, "names must be 1 to 64 letters, digits and _ . -")
    return name


def _value(name: str, value: object, field: str) -> object:
    field = f"{field}.{name}" if _NAME.fullmatch(name) else field
    if name in _TEXTS:
        return _text(value, field)
    if name in _NUMBERS:
        return _number(value, field)
    if name == "delivery_category":
        return _category(value, field)
    if isinstance(value, list):
        if len(value) > CONTENTS_MAX:
            raise InvalidField(field, f"at most {CONTENTS_MAX} items")
        return [_scalar(item, f"{field}[{index}]") for index, item in enumerate(value)]
    return _scalar(value, field)


def _scalar(value: object, field: str) -> object:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, field)
    if isinstance(value, int | float):
        return _number(value, field)
    raise InvalidField(field, "must be a text, a number, true, false or a list of those")


def _number(value: object, field: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidField(field, "must be a number")
    if not abs(value) <= NUMBER_MAX:  # NaN neither; math.isfinite would raise for an integer of 400 digits
        raise InvalidField(field, f"must be a number from -{NUMBER_MAX} to {NUMBER_MAX}")
    return value


def _text(value: object, field: str) -> str:
    if not isinstance(value, str):
        raise InvalidField(field, "must be a string")
    return nameless.text(plain_text(value, field, TEXT_BYTES_MAX), field)


def _category(value: object, field: str) -> str:
    if not isinstance(value, str) or value not in DELIVERY_CATEGORIES:
        raise InvalidField(field, f"must be one of {', '.join(DELIVERY_CATEGORIES)}")
    return value
