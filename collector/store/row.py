"""What the store keeps: one immutable struct for each kind of row. No SQL and no driver.

All instants are UTC integer milliseconds (`_at`), all money is integer micros, every business's rows carry its `business_id`.
"""

from typing import Literal

import msgspec

from collector.attribution import Click
from collector.consent import Consent
from collector.delivery import Reason, State, Trigger
from collector.errors import Stage
from collector.event import Channel, Event
from collector.identity import SenderKind
from collector.policy import Policy

LinkKind = Literal["checkout_id", "cart_token", "order_id", "customer_id"]
ConversationKind = SenderKind
WaitKind = Literal["ref"] | LinkKind | ConversationKind


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of all rows: immutable, cheap to make, compared by value."""


# ------------------------------------------------------------------ what a business is


class BusinessRow(Row, frozen=True, kw_only=True, gc=False):
    """One merchant. `origins` are the shop's origins (`https://shop.example`); `cookie_domain` None means host-only.

    `mode` test: everything is stored and marked, sent only with `test_event_code`.
    """

    business_id: str
    name: str
    origins: tuple[str, ...]
    destination: Literal["meta", "connectly"] = "meta"
    cookie_name: str = "cnct"
    cookie_domain: str | None = None
    timezone: str = "UTC"
    region: str | None = None
    mode: Literal["live", "test"] = "live"
    test_event_code: str | None = None
    consent_required: bool = False
    policy: Policy = Policy()
    created_at: int


class ChannelRow(Row, frozen=True, kw_only=True, gc=False):
    """Where one business's events go: a Meta asset with its dataset, or the Connectly account.

    `channel`: whatsapp, messenger, instagram, website or `connectly`; `asset_id`: the WABA, Page or Instagram account, or the Connectly business.
    `sealed_token` is encrypted by the vault; None: the token is that of `credential`. `held` is why the channel's lane stands still.
    """

    business_id: str
    channel: str
    asset_id: str | None
    dataset_id: str | None
    sealed_token: str | None
    credential: str | None = None
    held: str | None = None
    updated_at: int


class KeyRow(Row, frozen=True, kw_only=True, gc=False):
    """An API key: only its SHA-256 is kept. `hint` is the start of the plaintext, to recognise it by."""

    business_id: str
    key_id: str
    name: str
    digest: str
    hint: str
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None


class CredentialRow(Row, frozen=True, kw_only=True, gc=False):
    """An access token that many channels share, encrypted by the vault."""

    name: str
    sealed_token: str
    updated_at: int


class DirectorySnapshot(Row, frozen=True, kw_only=True, gc=False):
    """Everything the hot path must know without asking, at one `version` of the directory and one edition of its `holds`."""

    version: int
    holds: int = 0
    businesses: tuple[BusinessRow, ...]
    channels: tuple[ChannelRow, ...]
    keys: tuple[KeyRow, ...]
    credentials: tuple[CredentialRow, ...] = ()


class HeldChannels(Row, frozen=True, kw_only=True, gc=False):
    """Why each channel is held that is: by (business, channel), at one `version` of the directory and one edition of `holds`."""

    version: int
    holds: int
    reasons: dict[tuple[str, str], str]


# ------------------------------------------------------------------ what happened


class Landing(Row, frozen=True, kw_only=True, gc=False):
    """A visitor came with a click. One row per (business, ref); a repeat raises `hits` and `last_at`.

    `visitor` is JSON text, for conversions of the website: the visitor's address, browser, fbc and fbp as Meta names them.
    """

    business_id: str
    ref: str
    click: Click
    at: int
    consent: Consent = "unknown"
    page_url: str | None = None
    referrer: str | None = None
    visitor: str | None = None


class StoredLanding(Landing, frozen=True, kw_only=True, gc=False):
    """A landing as kept: `at` is `first_at`."""

    last_at: int
    hits: int


class Link(Row, frozen=True, kw_only=True, gc=False):
    """Ties an id of the shop (checkout, cart, order, customer) to a click."""

    business_id: str
    kind: LinkKind
    id: str
    click: Click
    ref: str
    at: int


class Conversation(Row, frozen=True, kw_only=True, gc=False):
    """A message that an ad brought: who wrote it (`id`: the hash of the number's match key, or the id that Meta gave the sender), to which
    account, and when. `click` holds a click id, an ad id or neither."""

    business_id: str
    kind: ConversationKind
    id: str
    message_id: str
    asset_id: str
    click: Click
    at: int


class Wait(Row, frozen=True, kw_only=True, gc=False):
    """What would resolve an unmatched event: a landing with this ref, a link or a conversation of this kind and id."""

    kind: WaitKind
    id: str


class Delivery(Row, frozen=True, kw_only=True, gc=False):
    """The one journey of an event to its destination; `id` is the event's.

    `lane` is `destination:business_id:channel:source`. `attempts` counts tries begun; it is also the fence: only the holder of the current number may
    settle. `lease_ms` is set where a row is written already claimed, as `sending`: the store's own clock makes `lease_until` of it. `lease` names
    the claim that took it, empty where none did. `trigger` says why the next try (or this one) is made, unless event or schedule asked for it.
    """

    business_id: str
    id: str
    destination: str
    lane: str
    state: State
    reason: Reason | None = None
    revision: int = 1
    attempts: int = 0
    due_at: int
    deadline_at: int
    lease_ms: int | None = None
    lease: str = ""
    trigger: Literal["manual", "corrected"] | None = None
    reference: str | None = None
    error: str | None = None


class Record(Row, frozen=True, kw_only=True, gc=False):
    """The analytics record of one reporting call or item. Append-only.

    `failure_stage` and `error` are only what was known when the call was answered; what happens later is derived by a view.
    """

    business_id: str
    id: str
    received_at: int
    source: Literal["browser", "server"] = "server"
    event_row: str | None = None
    event_name: str | None = None
    event_id: str | None = None
    duplicate: bool = False
    revision: int = 1
    failure_stage: Stage | None = None
    error: str | None = None
    click: Click = Click()
    payload: str | None = None

    @classmethod
    def of(cls, event: Event, id: str) -> "Record":
        """The record of the call that brought this event."""
        return cls(
            business_id=event.business_id, id=id, received_at=event.received_at, source=event.source, event_row=event.id,
            event_name=event.event_name, event_id=event.event_id, click=event.click, payload=event.custom_data,
        )  # fmt: skip


class StoredEvent(Row, frozen=True, kw_only=True, gc=False):
    """An event with where it stands now."""

    event: Event
    delivery: Delivery


class Search(Row, frozen=True, kw_only=True, gc=False):
    """Which of a business's deliveries to look for, for a replay.

    `id`: this one, whatever its state. Without: the dead, those held because nobody knows whether they arrived, and, with `delivered`, the
    delivered. The rest narrows: reason, channel, and when the event was received (from, and before).
    """

    business_id: str
    id: str | None = None
    reason: Reason | None = None
    channel: Channel | None = None
    received_from: int | None = None
    received_before: int | None = None
    delivered: bool = False


class Found(Row, frozen=True, kw_only=True, gc=False):
    """A delivery that was looked for. `sent`: an attempt was accepted, or none was and one is of unknown fate; None: it never arrived."""

    standing: StoredEvent
    sent: Literal["accepted", "unknown"] | None = None


class Page(Row, frozen=True, kw_only=True, gc=False):
    """What was found among some deliveries: so many were looked at, the last of them is `last` (None: there was none)."""

    found: tuple[Found, ...]
    looked_at: int
    last: str | None


class Attempt(Row, frozen=True, kw_only=True, gc=False):
    """One try to deliver. `answer` is redacted and at most 8 KiB."""

    business_id: str
    delivery_id: str
    number: int
    trigger: Trigger
    at: int
    outcome: str
    http_status: int | None = None
    code: int | None = None
    subcode: int | None = None
    duration_ms: int | None = None
    reference: str | None = None
    answer: str | None = None


class Settlement(Row, frozen=True, kw_only=True, gc=False):
    """What an attempt came to. Applied only while the delivery is `sending` with `attempts == attempt.number`."""

    attempt: Attempt
    state: State
    reason: Reason | None
    due_at: int
    reference: str | None = None
    error: str | None = None


Take = tuple[Event, Delivery, Record, tuple[Wait, ...]]  # what is stored at once


class LaneDue(Row, frozen=True, kw_only=True, gc=False):
    """A lane that has claimable deliveries, and when its first is due."""

    lane: str
    due_at: int


class Taken(Row, frozen=True, kw_only=True, gc=False):
    """What became of a take: `won` is False when the unique key (business, event name, event id) was another row's: `standing` is that row."""

    won: bool
    standing: StoredEvent | None = None
