"""What may be asked of the store: protocols over the rows of `row`, no SQL and no driver.

Engines know transactions, faces know nouns. The protocols below are implemented once, over two small engines.
"""

from collections.abc import Sequence
from typing import Protocol

from collector.delivery import Reason, State
from collector.event import Event
from collector.store.row import (
    Attempt as Attempt,
    BusinessRow as BusinessRow,
    ChannelRow as ChannelRow,
    Conversation as Conversation,
    ConversationKind as ConversationKind,
    CredentialRow as CredentialRow,
    Delivery as Delivery,
    DirectorySnapshot as DirectorySnapshot,
    Found as Found,
    HeldChannels as HeldChannels,
    KeyRow as KeyRow,
    Landing as Landing,
    LaneDue as LaneDue,
    Link as Link,
    LinkKind as LinkKind,
    Page as Page,
    Record as Record,
    Row as Row,
    Search as Search,
    Settlement as Settlement,
    StoredEvent as StoredEvent,
    StoredLanding as StoredLanding,
    Take as Take,
    Taken as Taken,
    Wait as Wait,
    WaitKind as WaitKind,
)


class StaleDirectory(Exception):
    """The directory changed since the version that the caller used: reload, check again, then write. `version` is today's."""

    def __init__(self, version: int = 0) -> None:
        super().__init__(f"the directory is at version {version}")
        self.version = version


class Directory(Protocol):
    """Businesses, channels and keys. Every change raises the version in the same commit, so serving processes notice at once; a hold raises
    another number: no write relies on it, and an agency's thousand channels may be held at once."""

    async def version(self) -> int: ...
    async def editions(self) -> tuple[int, int]: ...  # the version, and that number
    async def held(self) -> HeldChannels: ...
    async def snapshot(self) -> DirectorySnapshot: ...
    async def put_business(self, row: BusinessRow) -> bool:
        """Insert or replace; False when `cookie_domain` + `cookie_name` is another business's (nothing is written then)."""
        ...

    async def put_channel(self, row: ChannelRow) -> None:
        """Insert or replace, clear `held` and put the channel's held deliveries back to pending (`held` of consent or unknown stay)."""
        ...

    async def put_credential(self, row: CredentialRow) -> None:
        """Insert or replace a shared token; every channel that uses it runs again, as with `put_channel`."""
        ...

    async def put_key(self, row: KeyRow) -> None: ...
    async def revoke_key(self, business_id: str, key_id: str, at: int) -> bool: ...


class Ledger(Protocol):
    """Takes events, landings and links, and finds them again. Every write returns after its commit, or raises `errors.Unavailable`."""

    async def take(
        self, event: Event, delivery: Delivery, record: Record, waits: tuple[Wait, ...], version: int
    ) -> Taken:
        """Store event, delivery, record (and waits) in ONE commit, if the unique key is free; else nothing but the read-back.

        `record` is this call's: what it repeats of the event (name, event id, click, source, revision) is taken from there.
        Raises StaleDirectory when the directory's version is not `version` (nothing is written).
        """
        ...

    async def take_all(self, takes: Sequence[Take], version: int) -> list[Taken]:
        """`take` for some events of one call, in one commit. Raises InvalidField, and stores none, where one cannot be stored."""
        ...

    async def lull(self, seconds: float) -> float:
        """Wait while a commit of single events is under way, at most so long; gives how long that was."""
        ...

    async def note(self, record: Record, version: int) -> None:
        """Store one record of a call that stored no event, or of a repeat."""
        ...

    async def correct(
        self,
        standing: StoredEvent,
        event: Event,
        delivery: Delivery,
        record: Record,
        waits: tuple[Wait, ...] = (),
        waits_on: bool = False,
    ) -> bool:
        """Replace a refused, held or unmatched event by its corrected revision, with `record`, in one commit.

        The row id stays, `revision` rises by one, attempt numbers go on. Its waits are replaced, or joined where it `waits_on`.
        Only while the delivery still has the state, revision and attempts of `standing`; else False and nothing is written.
        """
        ...

    async def release(
        self,
        standing: StoredEvent,
        event: Event,
        delivery: Delivery,
        record: Record | None,
        waits: tuple[Wait, ...] = (),
        waits_on: bool = False,
    ) -> bool:
        """Give an unmatched event its click, a held one its consent, any what was said of limits (same revision); as `correct` otherwise."""
        ...

    async def land(self, landing: Landing, version: int) -> None:
        """Insert or raise `hits` and `last_at`. `consent` denied marks the landing; granted after pending is kept too."""
        ...

    async def link(self, link: Link, version: int) -> None:
        """Insert; the same pair of id and ref again changes nothing."""
        ...

    async def converse(self, conversations: Sequence[Conversation]) -> None:
        """Keep the referrals that messages carried, all in one commit; the same message again changes nothing."""
        ...

    async def conversations(self, business_id: str, kind: ConversationKind, id: str) -> list[Conversation]:
        """The last 100 of one sender, oldest first."""
        ...

    async def landing(self, business_id: str, ref: str) -> StoredLanding | None: ...
    async def landings(
        self, business_id: str, before: tuple[int, str] | None, limit: int
    ) -> list[tuple[StoredLanding, int | None]]:
        """Newest first, each with when a message confirmed its click (None: no message told it); `before` is instant and ref of the last seen."""
        ...

    async def denied(self, since: int) -> list[tuple[str, str, str | None]]:
        """Business, ref and click id of every landing whose visitor denied consent, last seen at this instant or later."""
        ...

    async def links(self, business_id: str, kind: str, id: str) -> list[Link]:
        """The first 100 links of that id, oldest first."""
        ...

    async def waiting(self, business_id: str, kind: WaitKind, id: str) -> list[StoredEvent]:
        """Unmatched events that this ref, link or conversation would resolve, and those held until the visitor of this ref consents."""
        ...

    async def awaited(self, waits: Sequence[tuple[str, Wait]]) -> list[tuple[str, Wait]]:
        """Those of these (business id, wait) that an event has. One read for all of them."""
        ...

    async def resolvable(self, limit: int, after: tuple[str, str] = ("", "")) -> list[tuple[StoredEvent, Wait]]:
        """Those behind this (business, event) whose landing, link or word exists by now (it came in between): the housekeeping's backstop."""
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

    async def forget_conversations(self, before: int, limit: int) -> int:
        """Retention: delete what messages before this instant told; returns how many."""
        ...


class Outbox(Protocol):
    """The dispatcher's side of the store. Instants are the store's clock."""

    async def now_ms(self) -> int: ...
    async def due(self) -> list[LaneDue]:
        """Lanes with claimable deliveries (pending, retrying) and the instant of their first: at most one row a lane, cheap at any backlog."""
        ...

    async def claim(self, lane: str, limit: int, lease_ms: int) -> list[StoredEvent]:
        """Lease up to `limit` due deliveries of the lane, in due order: state `sending`, attempts + 1. No row is ever claimed twice.

        While a lane is full, what is put before what was claimed last may have to wait for some claims; when one finds less than its limit,
        the next one has it.
        """
        ...

    async def settle(self, settlements: list[Settlement]) -> list[bool]:
        """Write attempts and new states in one commit; False for each that lost its lease (fence), or that the database refuses."""
        ...

    async def release(self, claims: list[StoredEvent], due_at: int) -> None:
        """Give back what was claimed and not sent (soft stop, lane full): pending again, the attempt number is taken back, fenced."""
        ...

    async def rescue(self, all_leases: bool, to: State, reason: Reason | None, due_at: int, limit: int) -> int:
        """Deliveries left `sending` by a dead process (lease over; or all, where this process is the only one): an attempt with outcome
        `unknown`, trigger `rescue` for the lost try is written and the row goes to `to` (retrying, or held(unknown))."""
        ...

    async def expire(self, now: int, limit: int) -> int:
        """Bury what is past its deadline at `now` and not sending: unmatched → dead(unmatched), everything else → dead(expired)."""
        ...

    async def rewind(self, wait_ms: int, lease_ms: int) -> int:
        """After the store's clock went back: what is due later than `wait_ms` from now is due now, and no lease ends later than `lease_ms` from
        now. Returns how many deliveries it were."""
        ...

    async def hold(self, business_id: str, channel: str, lane_prefix: str, reason: str) -> None:
        """Mark the channel held and move its pending and retrying deliveries to held(reason).

        The mark and the first 10,000 share a commit; more follow in commits of their own, so that a backlog never stops the other writes.
        Called again after a crash in between, it moves the rest.
        """
        ...

    async def resume(self, business_id: str, channel: str, lane_prefix: str) -> int:
        """Undo `hold`: the channel runs, held(token, permission, dataset, channel) deliveries are pending and due now.

        Called again after a crash in between, it moves the rest.
        """
        ...

    async def probe(self, business_id: str, channel: str, lane_prefix: str) -> None:
        """The channel runs, and one of its held deliveries is due now; the rest waits for what becomes of that one."""
        ...

    async def held_lanes(self) -> list[str]:
        """Lanes with deliveries that are held for their channel's sake (not for consent or an unknown fate). Cheap at any backlog."""
        ...

    async def count(self, business_id: str) -> int:
        """How many deliveries the business has."""
        ...

    async def search(self, search: Search, after: str, limit: int) -> Page:
        """Look at the next `limit` deliveries of the business behind this id: bounded by what is looked at, not by what is found."""
        ...

    async def replay(self, standing: StoredEvent, event: Event, delivery: Delivery) -> bool:
        """Begin again with an event that was dead, delivered, or held: the same id and revision, attempt numbers go on.

        `event` may have its click found, or be a test by now. Fenced like `Ledger.correct`; replaces its waits by none.
        """
        ...

    async def states(self, ids: list[tuple[str, str]]) -> list[Delivery]:
        """Where these (business_id, id) stand: for callers who wait in another process than the one that sends."""
        ...

    async def oldest_pending_at(self) -> int | None:
        """Arrival of the oldest event that is not delivered yet, among the first due of each lane and the first lease to end.

        None when nothing is pending, retrying or sending. Cheap at any backlog.
        """
        ...
