"""What the store keeps and what may be asked of it: rows and protocols, no SQL and no driver.

Engines know transactions, faces know nouns. The protocols below are implemented once, over two small engines.
All instants are UTC integer milliseconds (`_at`), all money is integer micros, every business's rows carry its `business_id`.
"""

from typing import Literal, Protocol

import msgspec

from collector.attribution import Click, LinkKind
from collector.consent import Consent
from collector.delivery import Reason, State, Trigger
from collector.errors import Stage
from collector.event import Event

WaitKind = Literal["ref", "checkout_id", "cart_token", "order_id", "customer_id"]


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
    created_at: int


class ChannelRow(Row, frozen=True, kw_only=True, gc=False):
    """Where one business's events go: a Meta asset with its dataset, or the Connectly account.

    `channel` is whatsapp, messenger, instagram, website, or `connectly`; `asset_id` is the WABA, Page or Instagram account id, or the
    Connectly business id. `sealed_token` is encrypted by the vault. `held` is the reason why the channel's lane stands still.
    """

    business_id: str
    channel: str
    asset_id: str | None
    dataset_id: str | None
    sealed_token: str
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


class DirectorySnapshot(Row, frozen=True, kw_only=True, gc=False):
    """Everything the hot path must know without asking, at one `version` of the directory."""

    version: int
    businesses: tuple[BusinessRow, ...]
    channels: tuple[ChannelRow, ...]
    keys: tuple[KeyRow, ...]


class Directory(Protocol):
    """Businesses, channels and keys. Every change raises the version in the same commit, so serving processes notice at once."""

    async def version(self) -> int: ...
    async def snapshot(self) -> DirectorySnapshot: ...
    async def put_business(self, row: BusinessRow) -> bool:
        """Insert or replace; False when `cookie_domain` + `cookie_name` is another business's (nothing is written then)."""
        ...

    async def put_channel(self, row: ChannelRow) -> None:
        """Insert or replace, clear `held` and put the channel's held deliveries back to pending (`held` of consent or unknown stay)."""
        ...

    async def put_key(self, row: KeyRow) -> None: ...
    async def revoke_key(self, business_id: str, key_id: str, at: int) -> bool: ...


# ------------------------------------------------------------------ what happened


class Landing(Row, frozen=True, kw_only=True, gc=False):
    """A visitor came with a click. One row per (business, ref); a repeat raises `hits` and `last_at`."""

    business_id: str
    ref: str
    click: Click
    at: int
    consent: Consent = "unknown"
    page_url: str | None = None
    referrer: str | None = None


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


class Wait(Row, frozen=True, kw_only=True, gc=False):
    """What would resolve an unmatched event: a landing with this ref, or a link of this kind and id."""

    kind: WaitKind
    id: str


class Delivery(Row, frozen=True, kw_only=True, gc=False):
    """The one journey of an event to its destination.

    `lane` is `destination:business_id:channel:source`. `attempts` counts tries begun; it is also the fence: only the holder of the current number may
    settle. `lease_ms` is set (instead of an instant) where a row is inserted already claimed: the store's own clock makes `lease_until` of it.
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


class StoredEvent(Row, frozen=True, kw_only=True, gc=False):
    """An event with where it stands now."""

    event: Event
    delivery: Delivery


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


class LaneDue(Row, frozen=True, kw_only=True, gc=False):
    """A lane that has claimable deliveries, and when its first is due."""

    lane: str
    due_at: int


class Taken(Row, frozen=True, kw_only=True, gc=False):
    """What became of a take: `won` is False when the unique key (business, event name, event id) was another row's: `standing` is that row."""

    won: bool
    standing: StoredEvent | None = None


class StaleDirectory(Exception):
    """The directory changed since the version that the caller used: reload, check again, then write. `version` is today's."""

    def __init__(self, version: int = 0) -> None:
        super().__init__(f"the directory is at version {version}")
        self.version = version


class Ledger(Protocol):
    """Takes events, landings and links, and finds them again. Every write returns after its commit, or raises `errors.Unavailable`."""

    async def take(
        self, event: Event, delivery: Delivery, record: Record, waits: tuple[Wait, ...], version: int
    ) -> Taken:
        """Store event, delivery, record (and waits) in ONE commit, if the unique key is free; else nothing but the read-back.

        Raises StaleDirectory when the directory's version is not `version` (nothing is written).
        """
        ...

    async def note(self, record: Record, version: int) -> None:
        """Store one record of a call that stored no event, or of a repeat."""
        ...

    async def correct(self, standing: StoredEvent, event: Event, delivery: Delivery, record: Record) -> bool:
        """Replace a refused or held event by its corrected revision, with `record`, in one commit.

        The row id stays, `revision` rises by one, attempt numbers go on.
        Only while the delivery still has the state, revision and attempts of `standing`; else False and nothing is written.
        """
        ...

    async def release(self, standing: StoredEvent, event: Event, delivery: Delivery, record: Record | None) -> bool:
        """Give an unmatched event its click (same revision); fenced like `correct`; removes its waits."""
        ...

    async def land(self, landing: Landing, version: int) -> None:
        """Insert or raise `hits` and `last_at`. `consent` denied marks the landing; granted after pending is kept too."""
        ...

    async def link(self, link: Link, version: int) -> None: ...

    async def landing(self, business_id: str, ref: str) -> StoredLanding | None: ...
    async def links(self, business_id: str, kind: str, id: str) -> list[Link]:
        """All links of that id, oldest first."""
        ...

    async def waiting(self, business_id: str, kind: WaitKind, id: str) -> list[StoredEvent]:
        """Unmatched events that this ref or link would resolve."""
        ...

    async def resolvable(self, limit: int) -> list[tuple[StoredEvent, Wait]]:
        """Unmatched events whose landing or link exists by now (it came in between): the housekeeping's backstop."""
        ...

    async def event(self, business_id: str, id: str) -> StoredEvent | None: ...
    async def find(self, business_id: str, event_name: str, event_id: str) -> StoredEvent | None: ...
    async def events(
        self,
        business_id: str,
        event_name: str | None,
        event_id: str | None,
        state: str | None,
        before: str | None,
        limit: int,
    ) -> list[StoredEvent]:
        """Newest first; `before` is a row id (the cursor)."""
        ...

    async def attempts(self, business_id: str, id: str) -> list[Attempt]: ...
    async def event_records(self, business_id: str, id: str) -> list[dict[str, object]]:
        """The records of one event, oldest first, through the view that derives success and stage."""
        ...

    async def records(self, business_id: str, before: str | None, limit: int) -> list[dict[str, object]]:
        """Newest first, through the view: id, received_at, success (True, False, None = not known yet), failure_stage, error, event_id, event_name,
        event_row, duplicate, revision, forward_reference_id, the four ids, payload."""
        ...

    async def forget_landings(self, before: int, limit: int) -> int:
        """Retention: delete landings last seen before this instant; returns how many."""
        ...


class Outbox(Protocol):
    """The dispatcher's side of the store. Instants are the store's clock."""

    async def now_ms(self) -> int: ...
    async def due(self) -> list[LaneDue]:
        """Lanes with claimable deliveries (pending, retrying) and the instant of their first: at most one row a lane, cheap at any backlog."""
        ...

    async def claim(self, lane: str, limit: int, lease_ms: int) -> list[StoredEvent]:
        """Lease up to `limit` due deliveries of the lane, in due order: state `sending`, attempts + 1. No row is ever claimed twice."""
        ...

    async def settle(self, settlements: list[Settlement]) -> list[bool]:
        """Write attempts and new states in one commit; False for each that lost its lease (fence)."""
        ...

    async def release(self, claims: list[StoredEvent], due_at: int) -> None:
        """Give back what was claimed and not sent (soft stop, lane full): pending again, the attempt number is taken back, fenced."""
        ...

    async def rescue(self, all_leases: bool, to: State, reason: Reason | None, due_at: int, limit: int) -> int:
        """Deliveries left `sending` by a dead process (lease over; or all, where this process is the only one): an attempt with outcome
        `unknown`, trigger `rescue` for the lost try is written and the row goes to `to` (retrying, or held(unknown))."""
        ...

    async def expire(self, limit: int) -> int:
        """Bury what is past its deadline and not sending: unmatched → dead(unmatched), everything else → dead(expired)."""
        ...

    async def hold(self, business_id: str, channel: str, lane_prefix: str, reason: str) -> None:
        """Mark the channel held and move its pending and retrying deliveries to held(reason), in one commit; raises the directory's version."""
        ...

    async def resume(self, business_id: str, channel: str, lane_prefix: str) -> int:
        """Undo `hold`: the channel runs, held(token, permission, dataset, channel) deliveries are pending and due now."""
        ...

    async def states(self, ids: list[tuple[str, str]]) -> list[Delivery]:
        """Where these (business_id, id) stand: for callers who wait in another process than the one that sends."""
        ...

    async def oldest_pending_at(self) -> int | None:
        """Creation instant of the oldest delivery not yet at an end (pending, retrying, sending); None when there is none."""
        ...
