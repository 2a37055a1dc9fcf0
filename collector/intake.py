"""Take an event: give it its id and first state, store it with its record and delivery in one commit, hand it over, say what became of it.

An event that is answered for is in the store. Whoever comes again with the same key (business, event name, event id) finds the first.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import msgspec

from collector import outset
from collector.consent import renewed
from collector.errors import InvalidField, NotFound, Uncertain
from collector.event import Channel, Event
from collector.match import Match, met
from collector.outset import LEASE_MS
from collector.parties import Lanes, Verdicts
from collector.receipt import Candidate, Receipt
from collector.repeat import denies, repeat, restricted, revision, same
from collector.store.face import BusinessRow, Delivery, Ledger, Record, StaleDirectory, StoredEvent, Take, Wait

TRIES_MAX = 8
QUIET_SECONDS = 0.25
"""Who comes with single events comes again within that time, or is gone."""

_SPELT: Mapping[Channel, str] = {
    "whatsapp": "WhatsApp",
    "messenger": "Messenger",
    "instagram": "Instagram",
    "website": "website",
}


class Directory(outset.Directory, Protocol):
    """What intake asks of the directory."""

    @property
    def version(self) -> int:
        """The version that everything below is of."""
        ...

    async def fresh(self) -> None:
        """Load again if the store holds a newer version."""


class Intake:
    """Takes events. `mint` gives row ids that sort by time."""

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        lanes: Lanes,
        verdicts: Verdicts,
        targets: Mapping[str, outset.Target],
        mint: Callable[[int], str],
        clock: Callable[[], int],
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._lanes = lanes
        self._verdicts = verdicts
        self._mint = mint
        self._outset = outset.Outset(directory, targets, clock)
        self._single_at = float("-inf")

    def channel_of(self, business: BusinessRow) -> Channel:
        """The channel of a business's shop events. Raises NotFound (`channel_lookup`) when it is not set up."""
        website = business.destination == "meta" and business.policy.purchases == "website"
        channel: Channel = "website" if website else "whatsapp"
        self.asset_id(business, channel)
        return channel

    def asset_id(self, business: BusinessRow, channel: Channel) -> str | None:
        """The account behind a channel; None for a website. Raises NotFound (`channel_lookup`) when the channel is not set up."""
        connectly = business.destination == "connectly"
        opened = self._directory.channel(business.business_id, "connectly" if connectly else channel)
        if opened is None:
            wanted = "Connectly account" if connectly else f"{_SPELT[channel]} channel"
            raise NotFound(f"this business has no {wanted} configured", "channel_lookup")
        return opened.asset_id

    async def lull(self, seconds: float) -> float:
        """Give way to those whose single events are being committed, for so long at most; gives how long that was."""
        return await self._ledger.lull(seconds)

    def is_quiet(self) -> bool:
        """Whether nobody has brought a single event for a while."""
        return asyncio.get_running_loop().time() - self._single_at > QUIET_SECONDS

    async def note(self, record: Record, version: int) -> None:
        """Leave the record of a call that stores no event. Raises StaleDirectory, Unavailable."""
        await self._ledger.note(record, version)

    async def take(self, candidate: Candidate, record: Record, wait_seconds: float | None, version: int) -> Receipt:
        """Store one event and tell its fate, waiting for the destination's word up to `wait_seconds` (None: answer after the commit).

        `version` is the directory's when the caller was let in. Raises StaleDirectory when it changed meanwhile (nothing is stored:
        authenticate again and come back), Unavailable when it cannot be stored.
        """
        self._single_at = asyncio.get_running_loop().time()
        take = self._set_out(candidate, record)
        event, delivery, _, _ = take
        waiting = wait_seconds is not None and self._moves(delivery)
        ticket = self._verdicts.expect(event.business_id, event.id) if waiting else None
        [standing] = await self._store([take], version)
        if standing is not None:
            return await self._again(candidate, record, standing, wait_seconds, version)
        settled = await ticket.wait(wait_seconds or 0) if ticket else None
        return _receipt(event, settled or delivery, notes=candidate.notes)

    async def take_all(self, calls: Sequence[tuple[Candidate, Record]], version: int) -> list[Receipt | None]:
        """`take` for some events of one call, in one commit, waiting for no destination. None: of this one `take` must tell what is wrong.

        Raises InvalidField, and stores none, where the store refuses one of them; else as `take`.
        """
        takes = [self._set_out(candidate, record) for candidate, record in calls]
        standings = await self._store(takes, version)
        repeats = [(*call, standing) for call, standing in zip(calls, standings, strict=True) if standing is not None]
        again = iter(await asyncio.gather(*(self._repeated(*each, version) for each in repeats)))
        return [
            _receipt(event, delivery, notes=candidate.notes) if standing is None else next(again)
            for (candidate, _), (event, delivery, _, _), standing in zip(calls, takes, standings, strict=True)
        ]

    async def _repeated(
        self, candidate: Candidate, record: Record, standing: StoredEvent, version: int
    ) -> Receipt | None:
        with suppress(StaleDirectory, InvalidField):
            return await self._again(candidate, record, standing, None, version)
        return None

    def _set_out(self, candidate: Candidate, record: Record) -> Take:
        delivery = self._outset.delivery(candidate, self._lanes.reserve)
        return candidate.event, delivery, record, _waits(delivery, candidate.match)

    async def _store(self, takes: Sequence[Take], version: int) -> list[StoredEvent | None]:
        """Store them and hand them over; tells of each who stands in its place, if anybody does."""
        try:
            taken = await self._ledger.take_all(takes, version)
        except BaseException as error:
            # A caller who goes away does not stop the commit.
            unsure = isinstance(error, (Uncertain, asyncio.CancelledError))
            for event, delivery, _, _ in takes:
                if delivery.state == "sending":
                    doubtful = StoredEvent(event=event, delivery=delivery)
                    self._lanes.give_back(delivery.lane, doubtful if unsure else None)
            raise
        standings = [each.standing for each in taken]
        for (event, delivery, _, _), standing in zip(takes, standings, strict=True):
            if standing is None:
                self._send(event, delivery)
            elif delivery.state == "sending":
                self._lanes.give_back(delivery.lane)
        return standings

    async def release(self, standing: StoredEvent, match: Match) -> bool:
        """Send an event that waited for its click, or for consent. False when it must go on waiting, or somebody else was quicker."""
        if match.click is None:
            return False
        event = met(standing.event, match)
        delivery = self._next(Candidate(event=event, match=match), standing)  # where it is too late, its lane says so
        if (delivery.state, delivery.reason) == (standing.delivery.state, standing.delivery.reason):
            return False
        if not await self._ledger.release(standing, event, delivery, None, _waits(delivery, match)):
            return False
        self._send(event, delivery)
        return True

    def _next(self, candidate: Candidate, standing: StoredEvent) -> Delivery:
        """The delivery of an event that goes on under its first id: attempt numbers continue."""
        first, attempts = self._outset.delivery(candidate), standing.delivery.attempts
        return msgspec.structs.replace(first, id=standing.event.id, attempts=attempts)

    def _moves(self, delivery: Delivery) -> bool:
        """Whether a caller may wait for this delivery: a destination in trouble must not slow a checkout down."""
        return delivery.state == "sending" or (delivery.state == "pending" and not self._lanes.paused(delivery.lane))

    def _send(self, event: Event, delivery: Delivery) -> None:
        if delivery.state == "sending":
            self._lanes.hand_over(StoredEvent(event=event, delivery=delivery))
        elif delivery.state == "pending":
            self._lanes.nudge(delivery.lane)

    async def _again(
        self, candidate: Candidate, record: Record, standing: StoredEvent, wait_seconds: float | None, version: int
    ) -> Receipt:
        """Answer a call whose key was taken. Several may come at once: whoever loses a race looks again."""
        for _ in range(TRIES_MAX):
            alike = same(standing, candidate)
            denied = denies(standing, candidate.event)
            todo = repeat(standing, alike, candidate.match.click is not None, denied)
            if todo == "correct" and not await self._correctable(standing):
                todo = "refused" if standing.delivery.state == "dead" else "join"
            revised = todo == "correct"
            own = msgspec.structs.replace(
                record,
                event_row=standing.event.id,
                duplicate=True,
                revision=standing.delivery.revision + revised,
            )
            if todo in ("match", "correct"):
                receipt = await self._revise(candidate, own, standing, revised, wait_seconds)
            else:
                notes = () if todo == "deny" else candidate.notes  # a denial needs no click
                if todo in ("delivered", "join") and not alike:
                    notes += ("duplicate-differs",)
                stays = msgspec.structs.replace(candidate, notes=notes)
                receipt = await self._stay(stays, own, standing, wait_seconds, version)
            if receipt is not None:
                return receipt
            found = await self._ledger.event(standing.event.business_id, standing.event.id)
            if found is None:
                break
            standing = found
        raise StaleDirectory

    async def _correctable(self, standing: StoredEvent) -> bool:
        """A correction must not follow a try that Meta took, or may have taken."""
        attempts = await self._ledger.attempts(standing.event.business_id, standing.event.id)
        return all(attempt.outcome not in ("accepted", "unknown") for attempt in attempts)

    async def _stay(
        self, candidate: Candidate, record: Record, standing: StoredEvent, wait_seconds: float | None, version: int
    ) -> Receipt | None:
        """Answer for the first, which takes nothing from its repeat but a denial and limits. None: it has moved meanwhile."""
        now = restricted(standing, candidate.event)
        if now == standing:
            await self.note(record, version)
        else:
            lease = LEASE_MS if now.delivery.state == "sending" else None
            delivery = msgspec.structs.replace(now.delivery, lease_ms=lease)
            if not await self._ledger.release(standing, now.event, delivery, record, waits_on=delivery.state != "dead"):
                return None
        delivery = await self._join(now, wait_seconds)
        return _receipt(standing.event, delivery, duplicate=True, notes=candidate.notes)

    async def _revise(
        self, candidate: Candidate, record: Record, standing: StoredEvent, revised: bool, wait_seconds: float | None
    ) -> Receipt | None:
        if revised:
            event = revision(standing.event, candidate.event)
        else:  # as it was, with the click that the repeat brought
            consent = renewed(standing.event.consent, candidate.event.consent)
            event = msgspec.structs.replace(met(standing.event, candidate.match), consent=consent)
        again = msgspec.structs.replace(candidate, event=event)
        delivery = msgspec.structs.replace(self._next(again, standing), trigger="corrected" if revised else None)
        waiting = wait_seconds is not None and self._moves(delivery)
        ticket = self._verdicts.expect(event.business_id, event.id, event.revision) if waiting else None
        write = self._ledger.correct if revised else self._ledger.release
        waits_on = standing.delivery.state == delivery.state == "unmatched"
        if not await write(standing, event, delivery, record, _waits(delivery, candidate.match), waits_on):
            return None
        self._send(event, delivery)
        settled = await ticket.wait(wait_seconds or 0) if ticket else None
        return _receipt(event, settled or delivery, duplicate=True, notes=candidate.notes)

    async def _join(self, standing: StoredEvent, wait_seconds: float | None) -> Delivery:
        """Wait with the first caller for the verdict that is on its way."""
        key = (standing.event.business_id, standing.event.id)
        if wait_seconds is None or not self._moves(standing.delivery):
            return standing.delivery
        ticket = self._verdicts.expect(*key, standing.delivery.revision)
        found = await self._ledger.event(*key)  # it may have been settled before we waited
        now = found.delivery if found else standing.delivery
        if not self._moves(now):
            return now
        return await ticket.wait(wait_seconds) or now


def _waits(delivery: Delivery, match: Match) -> tuple[Wait, ...]:
    """What would move this delivery on: its click, or its visitor's word."""
    waits = delivery.state == "unmatched" or (delivery.state == "held" and delivery.reason == "consent")
    return match.waits if waits else ()


def _receipt(event: Event, delivery: Delivery, *, duplicate: bool = False, notes: tuple[str, ...] = ()) -> Receipt:
    return Receipt(event_row=event.id, event_id=event.event_id, delivery=delivery, duplicate=duplicate, notes=notes)
