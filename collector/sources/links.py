"""The server edge's links: a shop ties an order, checkout, cart or customer to a click."""

from typing import Final

import msgspec
from msgspec import UNSET, UnsetType

from collector.attribution import Click, LinkKind, id_fault
from collector.errors import InvalidField
from collector.identity import customer_key
from collector.sources.body import decode
from collector.sources.connectly import Identification, Pointer, read_click, read_pointers

KINDS: Final[tuple[LinkKind, ...]] = ("checkout_id", "cart_token", "order_id", "customer_id")


class _Link(Identification, gc=False):
    kind: str | UnsetType = UNSET
    id: str | UnsetType = UNSET


class ServerLink(msgspec.Struct, frozen=True, gc=False):
    """A link to be made: the click's ids, or the pointer that names it. The `id` of a customer is a `customer_key`."""

    kind: LinkKind
    id: str
    click: Click | None
    pointer: Pointer | None


_decoder = msgspec.json.Decoder(_Link)


def read(body: bytes) -> ServerLink:
    """Read one link. Raises InvalidField."""
    given = decode(body, _decoder)
    kind = next((kind for kind in KINDS if kind == given.kind), None)
    if kind is None:
        missing = given.kind is UNSET
        raise InvalidField("kind", "is required" if missing else f"must be one of {', '.join(KINDS)}")
    if given.id is UNSET:
        raise InvalidField("id", "is required")
    if fault := id_fault(given.id):
        raise InvalidField("id", fault)
    pointers = read_pointers(given)
    click = read_click(given, bool(pointers))
    if click is None and not pointers:
        raise InvalidField("attribution", "is required, or attribution_token, ref or checkout_id in its place")
    known = customer_key(given.id) if kind == "customer_id" else given.id
    return ServerLink(kind, known, click, pointers[0] if pointers and click is None else None)
