"""Rows to store: everything has a default, ids are minted in order."""

import itertools
from typing import Any

from msgspec.structs import replace

from collector.attribution import Click
from collector.event import Event
from collector.store.face import (
    Attempt,
    BusinessRow,
    ChannelRow,
    CredentialRow,
    Delivery,
    KeyRow,
    Landing,
    Link,
    Record,
    Settlement,
    StoredEvent,
)
from collector.store.opening import Store

NOW = 1_760_000_000_000
WEEK = 7 * 86_400_000
SHOP = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
CLICK = Click("trk-1", "snd-1", "clid-1", "ad-1")

_numbers = itertools.count(1)


def mint(at: int = NOW) -> str:
    """A row id that sorts by its instant, then by the order of minting."""
    return f"{at:012x}{next(_numbers):020x}"


def lane(business_id: str = SHOP, channel: str = "whatsapp", source: str = "server") -> str:
    return f"meta:{business_id}:{channel}:{source}"


def purchase(business_id: str = SHOP, at: int = NOW, **fields: Any) -> Event:
    row = mint(at)
    given: dict[str, Any] = {
        "id": row,
        "event_name": "Purchase",
        "event_id": f"order-{row}",
        "event_at": at,
        "received_at": at,
        "click": CLICK,
        "digest": "d1",
    }
    return Event(business_id=business_id, **(given | fields))


def delivery(event: Event, state: str = "pending", **fields: Any) -> Delivery:
    given: dict[str, Any] = {
        "destination": "meta", "lane": lane(event.business_id, event.channel, event.source), "state": state,
        "due_at": event.received_at, "deadline_at": event.event_at + WEEK,
    } | ({"lease_ms": 60_000, "attempts": 1} if state == "sending" else {})  # fmt: skip
    return Delivery(business_id=event.business_id, id=event.id, **(given | fields))


def record(event: Event, **fields: Any) -> Record:
    given: dict[str, Any] = {
        "id": mint(event.received_at), "received_at": event.received_at, "source": event.source, "event_row": event.id,
        "event_name": event.event_name, "event_id": event.event_id, "revision": event.revision, "click": event.click,
    }  # fmt: skip
    return Record(business_id=event.business_id, **(given | fields))


async def stored(store: Store, event: Event | None = None, state: str = "pending", **fields: Any) -> StoredEvent:
    """Take an event and return it as it stands."""
    event = event or purchase()
    taken = await store.ledger.take(
        event, delivery(event, state, **fields), record(event), (), await store.directory.version()
    )
    assert taken.won
    return await standing(store, event)


async def standing(store: Store, event: Event) -> StoredEvent:
    """The event as it stands now."""
    found = await store.ledger.event(event.business_id, event.id)
    assert found is not None
    return found


def settlement(claim: StoredEvent, state: Any = "delivered", reason: Any = None, **fields: Any) -> Settlement:
    """What came of a claimed delivery; the fields of the attempt can be given."""
    outcome = {"delivered": "accepted", "dead": "rejected"}.get(state, "unavailable")
    attempt: dict[str, Any] = {
        "business_id": claim.delivery.business_id, "delivery_id": claim.delivery.id, "number": claim.delivery.attempts, "trigger": "first",
        "at": NOW, "outcome": outcome, "http_status": 200, "code": None, "duration_ms": 12, "answer": "{}",
    } | fields  # fmt: skip
    reference = "trace-1" if state == "delivered" else None
    error = "Meta's words" if state == "dead" else None
    return Settlement(
        attempt=Attempt(**attempt, reference=reference),
        state=state,
        reason=reason,
        due_at=NOW,
        reference=reference,
        error=error,
    )


def landing(business_id: str = SHOP, ref: str = "ref-1", at: int = NOW, **fields: Any) -> Landing:
    return Landing(business_id=business_id, ref=ref, click=CLICK, at=at, **fields)


def link(business_id: str = SHOP, id: str = "chk-1", ref: str = "ref-1", at: int = NOW, click: Click = CLICK) -> Link:
    return Link(business_id=business_id, kind="checkout_id", id=id, click=click, ref=ref, at=at)


def business(business_id: str = SHOP, **fields: Any) -> BusinessRow:
    given: dict[str, Any] = {"name": "Shop", "origins": ("https://shop.example",), "created_at": NOW}
    return BusinessRow(business_id=business_id, **(given | fields))


def credential(name: str, **fields: Any) -> CredentialRow:
    given: dict[str, Any] = {"name": name, "sealed_token": "sealed", "updated_at": NOW}
    return CredentialRow(**(given | fields))


def channel(business_id: str = SHOP, **fields: Any) -> ChannelRow:
    given: dict[str, Any] = {
        "business_id": business_id,
        "channel": "whatsapp",
        "asset_id": "1",
        "dataset_id": "2",
        "sealed_token": "sealed",
        "updated_at": NOW,
    }
    return ChannelRow(**(given | fields))


def api_key(business_id: str = SHOP, key_id: str = "k1", **fields: Any) -> KeyRow:
    given: dict[str, Any] = {
        "business_id": business_id,
        "key_id": key_id,
        "name": "shop",
        "digest": f"digest-{business_id}-{key_id}",
        "hint": "ck_1",
        "created_at": NOW,
    }
    return KeyRow(**(given | fields))


def revised(event: Event, **fields: Any) -> Event:
    """The event with another body, one revision on."""
    return replace(event, **({"revision": event.revision + 1, "digest": "d2", "custom_data": '{"value": 2}'} | fields))
