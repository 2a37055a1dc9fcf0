"""What the snippet posts from a shop's page. Anyone can post here: everything is checked, ids never come from an event's body."""

from typing import Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, UnsetType

from collector.attribution import id_fault
from collector.consent import CONSENTS, Consent
from collector.errors import Forbidden, InvalidField
from collector.event import Detail, Payload, read_payload
from collector.sources import address
from collector.sources.body import decode

EVENT_NAMES: Final = ("ViewContent", "AddToCart", "InitiateCheckout")
LINK_KINDS: Final = ("checkout_id", "cart_token")
URL_CHARS_MAX: Final = 2048
TOKEN_BYTES_MAX: Final = 4096


class _Event(msgspec.Struct, gc=False):
    event_name: str | UnsetType = UNSET
    event_id: str | UnsetType = UNSET
    event_time: int | UnsetType = UNSET
    page_url: str | UnsetType = UNSET
    custom_data: Payload | UnsetType = UNSET
    consent: str | UnsetType = UNSET
    token: str | UnsetType = UNSET


class _Landing(msgspec.Struct, gc=False):
    query: str | UnsetType = UNSET
    hash: str | UnsetType = UNSET
    page_url: str | UnsetType = UNSET
    referrer: str | UnsetType = UNSET
    at_ms: int | UnsetType = UNSET
    consent: str | UnsetType = UNSET
    view: msgspec.Raw | UnsetType = UNSET
    token: str | UnsetType = UNSET


class _Link(msgspec.Struct, gc=False):
    kind: str | UnsetType = UNSET
    id: str | UnsetType = UNSET
    token: str | UnsetType = UNSET


class PageEvent(msgspec.Struct, frozen=True, gc=False):
    """One event of a page, checked. `event_id` was minted in the browser before the first send, so that a repeat is the same event."""

    event_name: str
    event_id: str
    event_time: int | UnsetType
    page_url: str | None
    detail: Detail
    consent: Consent
    token: str | None


class PageLanding(msgspec.Struct, frozen=True, gc=False):
    """One landing, its query, fragment and view still raw: a fault in the view must not cost the landing."""

    query: str
    fragment: str
    page_url: str | None
    referrer: str | None
    at_ms: int | None
    consent: Consent
    view: bytes | None
    token: str | None


class PageLink(msgspec.Struct, frozen=True, gc=False):
    """Ties the visitor's click to a checkout or a cart."""

    kind: Literal["checkout_id", "cart_token"]
    id: str
    token: str | None


_event_decoder = msgspec.json.Decoder(_Event)
_landing_decoder = msgspec.json.Decoder(_Landing)
_link_decoder = msgspec.json.Decoder(_Link)


def read_event(body: bytes) -> PageEvent:
    """Read one event. Raises InvalidField; Forbidden for a Purchase: money is never taken from a browser."""
    return _event(decode(body, _event_decoder), "")


def read_landing_post(body: bytes) -> PageLanding:
    """Read one landing. Raises InvalidField."""
    given = decode(body, _landing_decoder)
    if given.query is UNSET:
        raise InvalidField("query", "is required")
    return PageLanding(
        query=given.query,
        fragment="" if given.hash is UNSET else given.hash,
        page_url=_url(given.page_url),
        referrer=_url(given.referrer),
        at_ms=None if given.at_ms is UNSET else given.at_ms,
        consent=_consent(given.consent, "consent"),
        view=None if given.view is UNSET else bytes(given.view),
        token=_token(given.token),
    )


def read_view(raw: bytes) -> PageEvent:
    """Read the view of a landing. Raises as `read_event` does, the fields named below `view`."""
    try:
        given = decode(raw, _event_decoder)
    except InvalidField as fault:
        raise InvalidField("view" if fault.field == "body" else f"view.{fault.field}", fault.rule) from None
    return _event(given, "view.")


def read_link(body: bytes) -> PageLink:
    """Read one link. Raises InvalidField."""
    given = decode(body, _link_decoder)
    if given.kind is UNSET or given.id is UNSET:
        raise InvalidField("kind" if given.kind is UNSET else "id", "is required")
    if given.kind not in LINK_KINDS:
        raise InvalidField("kind", 'must be "checkout_id" or "cart_token"')
    if fault := id_fault(given.id):
        raise InvalidField("id", fault)
    kind: Literal["checkout_id", "cart_token"] = "checkout_id" if given.kind == "checkout_id" else "cart_token"
    return PageLink(kind, given.id, _token(given.token))


def _event(given: _Event, prefix: str) -> PageEvent:
    if given.event_name is UNSET or given.event_id is UNSET:
        raise InvalidField(f"{prefix}{'event_name' if given.event_name is UNSET else 'event_id'}", "is required")
    if given.event_name == "Purchase":
        raise Forbidden("a Purchase is taken from the shop's server only")
    if given.event_name not in EVENT_NAMES:
        raise InvalidField(f"{prefix}event_name", f"must be one of {', '.join(EVENT_NAMES)}")
    if fault := id_fault(given.event_id):
        raise InvalidField(f"{prefix}event_id", fault)
    payload = Payload() if given.custom_data is UNSET else given.custom_data
    return PageEvent(
        event_name=given.event_name,
        event_id=given.event_id,
        event_time=given.event_time,
        page_url=_url(given.page_url),
        detail=read_payload(payload, given.event_name, f"{prefix}custom_data"),
        consent=_consent(given.consent, f"{prefix}consent"),
        token=_token(given.token, f"{prefix}token"),
    )


def _consent(value: str | UnsetType, field: str) -> Consent:
    if value is UNSET:
        return "unknown"
    if value not in CONSENTS:
        raise InvalidField(field, f"must be one of {', '.join(sorted(CONSENTS))}")
    return value  # type: ignore[return-value]  # the set above holds exactly the literal's values


def _token(value: str | UnsetType, field: str = "token") -> str | None:
    if value is UNSET or not value:
        return None
    if len(value) > TOKEN_BYTES_MAX:
        raise InvalidField(field, f"at most {TOKEN_BYTES_MAX} bytes")
    return value


def _url(value: str | UnsetType) -> str | None:
    """Keep where a page is, not what its query tells about a person."""
    if value is UNSET:
        return None
    try:
        parts = urlsplit(value[:URL_CHARS_MAX])
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        return None
    return "".join(char for char in f"{parts.scheme}://{parts.netloc}{address.path(parts.path)}" if char.isprintable())
