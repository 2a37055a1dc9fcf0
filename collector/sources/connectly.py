"""Connectly's conversion contract, read field for field, with the collector's extensions.

`attribution_token`, `ref` or `checkout_id` may stand in place of `cnct_tracking_id`, `sendout_id` and `attribution`.
"""

import hashlib
import json
import math
from typing import Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from collector.attribution import IDS, Click, id_fault
from collector.errors import InvalidField
from collector.event import Content, Detail, Payload, read_payload
from collector.sources.body import decode

EVENT_NAMES: Final = ("Purchase", "ViewContent")
TOKEN_BYTES_MAX: Final = 4096
KEPT_CHARS_MAX: Final = 8192

PointerKind = Literal["attribution_token", "ref", "checkout_id"]


class _MetaCtwa(msgspec.Struct, gc=False):
    ctwa_clid: str | UnsetType = UNSET
    ad_id: str | UnsetType = UNSET


class _Attribution(msgspec.Struct, gc=False):
    meta_ctwa: _MetaCtwa | UnsetType = UNSET


class Pointing(msgspec.Struct, gc=False):
    """How a body names its click without its ids, as the caller writes it."""

    attribution_token: str | UnsetType = UNSET
    ref: str | UnsetType = UNSET
    checkout_id: str | UnsetType = UNSET


class Identification(Pointing, gc=False):
    """How a body names its click: by all ids, or by one of the extensions."""

    cnct_tracking_id: str | UnsetType = UNSET
    sendout_id: str | UnsetType = UNSET
    attribution: _Attribution | UnsetType = UNSET


class _Body(Identification, gc=False):
    event_name: str | UnsetType = UNSET
    payload: Payload | UnsetType = UNSET


class Pointer(msgspec.Struct, frozen=True, gc=False):
    """Names a click without its ids: a token, a landing's ref, or a linked checkout."""

    kind: PointerKind
    value: str


class Report(msgspec.Struct, frozen=True, gc=False):
    """One checked call. `click` is None where no ids were given; then `pointers` name it, or an order link must."""

    event_name: str
    detail: Detail
    event_time: int | UnsetType
    click: Click | None
    pointers: tuple[Pointer, ...]


_decoder = msgspec.json.Decoder(_Body)


def read(body: bytes) -> Report:
    """Read one call's body. Raises InvalidField, naming the field as the caller wrote it."""
    given = decode(body, _decoder)
    if given.event_name is UNSET:
        raise InvalidField("event_name", "is required")
    if given.event_name not in EVENT_NAMES:
        raise InvalidField("event_name", 'must be "Purchase" or "ViewContent"')
    pointers = read_pointers(given)
    click = read_click(given, bool(pointers))
    payload = given.payload
    if payload is UNSET:
        if given.event_name == "Purchase":
            raise InvalidField("payload", "is required")
        payload = Payload()
    detail = read_payload(payload, given.event_name, "payload")
    if click is None and not pointers and detail.order_id is None:
        raise InvalidField("cnct_tracking_id", "is required")
    return Report(given.event_name, detail, payload.event_time, click, pointers)


def known_part(body: bytes) -> tuple[Click, str | None]:
    """What a refused body may leave in its record: the contract's own fields as far as they can be read, nothing else.

    Whatever a shop sends beyond the contract (an e-mail, say) is not ours to keep. Never raises.
    """
    try:
        given = json.loads(body.decode(errors="replace"), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return Click(), None
    if not isinstance(given, dict):
        return Click(), None
    nested = given.get("attribution")
    ctwa = nested.get("meta_ctwa") if isinstance(nested, dict) else None
    sources = [given, given, *([ctwa, ctwa] if isinstance(ctwa, dict) else [{}, {}])]
    ids = [value if _is_id(value := source.get(name)) else None for name, source in zip(IDS, sources, strict=True)]
    payload = given.get("payload")
    if not isinstance(payload, dict):
        return Click(*ids), None
    kept = _plain(payload, Payload.__struct_fields__)
    if isinstance(values := payload.get("content_ids"), list):
        kept["content_ids"] = [value for value in values if _is_plain(value)]
    if isinstance(lines := payload.get("contents"), list):
        kept["contents"] = [_plain(line, Content.__struct_fields__) for line in lines if isinstance(line, dict)]
    # A lone surrogate becomes a question mark: what is kept must be readable again.
    text = json.dumps(kept, ensure_ascii=False).encode(errors="replace").decode()
    return Click(*ids), text if len(text) <= KEPT_CHARS_MAX else None


def _plain(given: dict[str, object], names: tuple[str, ...]) -> dict[str, object]:
    """The named fields that hold one value: inside of objects a shop may have put anything."""
    return {name: given[name] for name in names if name in given and _is_plain(given[name])}


def _is_plain(value: object) -> bool:
    return not isinstance(value, dict | list) and value not in (math.inf, -math.inf)


def _is_id(value: object) -> bool:
    return isinstance(value, str) and id_fault(value) is None


def body_event_id(report: Report) -> str:
    """The event id of a call that carries neither order id nor Idempotency-Key, but a time: the same call gives the same id.

    It is made of what the body says, not of what was found: a click that comes later must not make another event of the same call.
    """
    text = "\0".join(
        (
            report.event_name,
            report.detail.custom_data,
            str(report.event_time),
            *(value or "" for value in (report.click or Click()).values()),
            *(f"{pointer.kind}:{pointer.value}" for pointer in report.pointers),
        )
    )
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_pointers(given: Pointing) -> tuple[Pointer, ...]:
    """The extensions that a body uses, in the order in which they are tried. Raises InvalidField."""
    if given.attribution_token is UNSET and given.ref is UNSET and given.checkout_id is UNSET:
        return ()
    found: list[Pointer] = []
    if given.attribution_token is not UNSET:
        if not given.attribution_token or len(given.attribution_token) > TOKEN_BYTES_MAX:
            raise InvalidField("attribution_token", f"must be 1 to {TOKEN_BYTES_MAX} bytes")
        found.append(Pointer("attribution_token", given.attribution_token))
    if given.ref is not UNSET:
        found.append(Pointer("ref", _id(given.ref, "ref")))
    if given.checkout_id is not UNSET:
        found.append(Pointer("checkout_id", _id(given.checkout_id, "checkout_id")))
    return tuple(found)


def read_click(given: Identification, pointed: bool) -> Click | None:
    """All four ids or none: ids given in part would credit the wrong campaign. Raises InvalidField."""
    if given.cnct_tracking_id is UNSET and given.sendout_id is UNSET and given.attribution is UNSET:
        return None
    ctwa = UNSET if given.attribution is UNSET else given.attribution.meta_ctwa
    if ctwa is UNSET and given.attribution is not UNSET:
        raise InvalidField("attribution.meta_ctwa", "is required")
    session = _own_id(given.cnct_tracking_id, "cnct_tracking_id", pointed)
    sendout = _own_id(given.sendout_id, "sendout_id", pointed)
    if ctwa is UNSET:
        raise _missing("attribution", pointed)
    clid = _own_id(ctwa.ctwa_clid, "attribution.meta_ctwa.ctwa_clid", pointed)
    return Click(session, sendout, clid, _own_id(ctwa.ad_id, "attribution.meta_ctwa.ad_id", pointed))


def _own_id(value: str | UnsetType, field: str, pointed: bool) -> str:
    if value is UNSET:
        raise _missing(field, pointed)
    if fault := id_fault(value):
        raise InvalidField(field, fault)
    return value


def _missing(field: str, pointed: bool) -> InvalidField:
    hint = "; leave out all ids where a token, ref or checkout_id is given" if pointed else ""
    return InvalidField(field, f"is required{hint}")


def _id(value: str, field: str) -> str:
    if fault := id_fault(value):
        raise InvalidField(field, fault)
    return value
