"""The Ledger over any engine: writes through the group-commit writer, reads beside it."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from operator import itemgetter
from secrets import token_hex
from typing import Any, TypeVar, cast

from collector.errors import Unavailable, Uncertain
from collector.event import Event
from collector.store import columns, face
from collector.store.engine import Engine, Interrupted, Params, Rows, Step
from collector.store.waiting import ROW_BYTES, Answers, Kind, Op
from collector.store.writer import Writer

T = TypeVar("T")

ALL_TIME = 2**62
"""An instant behind every one."""

LAST = "\x7f"
"""A cursor behind every id: the newest come first."""

_WON = face.Taken(won=True)


def _lost(answers: Answers) -> set[tuple[str, str]]:
    return {(row[0], row[1]) for row in answers["take"]}


def _won(op: Op, lost: set[tuple[str, str]]) -> list[bool]:
    return [row[:2] not in lost for row in op.slots[0]]


def _nothing(*_: object) -> None:
    return None


_ROW = itemgetter(0, 1)
"""What tells the rows of most tables apart: the business, and its own id."""
_MESSAGE = itemgetter(0, 1, 2, 3)
"""The same of links and conversations."""

# By the unique key alone: of several with one key, the first to come is stored, whatever its row's id.
TAKE = Kind(("take", "take_waits"), itemgetter(0, 2, 3), _lost, _won)
NOTE = Kind(("note_records",), _ROW, _nothing, _nothing)
REVISE = Kind(
    ("revise_deliveries", "revise_events", "revise_records", "revise_waits", "revise_new_waits", "revised"),
    _ROW,
    lambda answers: {row[0] for row in answers.get("revised", [])},
    lambda op, marks: op.slots[-1][0][-1] in marks,
)
LAND = Kind(("land",), _ROW, _nothing, _nothing)
LINK = Kind(("link",), _MESSAGE, _nothing, _nothing)
CONVERSE = Kind(("converse",), _MESSAGE, _nothing, _nothing)


async def read(engine: Engine, name: str, params: Params | None = None) -> Rows:
    """A read for callers who know errors.Unavailable and no engine. The connection may have been lost while it was idle: so, twice."""
    with suppress(Interrupted):
        return await engine.read(name, params)
    try:
        return await engine.read(name, params)
    except Interrupted as error:
        raise Unavailable(str(error)) from error


async def revise(
    writer: Writer,
    standing: face.StoredEvent,
    event: Event,
    delivery: face.Delivery,
    record: face.Record | None = None,
    waits: tuple[face.Wait, ...] = (),
    waits_on: bool = False,
) -> bool:
    """Write the event and its delivery over what stands, while it still stands as `standing` says; True for the one who did."""
    mark = token_hex(8)
    marked = (event.business_id, event.id, mark)
    slots = (
        (columns.revised_delivery(standing.delivery, delivery, mark),),
        (columns.revised_event(event, mark),),
        () if record is None else ((*columns.record(record), mark),),
        () if waits_on else (marked,),
        tuple((event.business_id, event.id, wait.kind, wait.id, mark) for wait in waits),
        (marked,),
    )
    return cast(bool, await writer.submit(REVISE, slots, source=event.source))


class SqlLedger:
    """face.Ledger on an engine and a writer."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer

    async def take(
        self, event: Event, delivery: face.Delivery, record: face.Record, waits: tuple[face.Wait, ...], version: int
    ) -> face.Taken:
        """See face.Ledger.take."""
        return (await self.take_all([(event, delivery, record, waits)], version))[0]

    async def take_all(self, takes: Sequence[face.Take], version: int) -> list[face.Taken]:
        """See face.Ledger.take_all."""
        rows: list[columns.Row] = []
        waiting: list[columns.Row] = []
        size = ROW_BYTES * (len(takes) - 1)
        for event, delivery, record, waits in takes:
            rows.append(columns.take(event, delivery, record))
            waiting += [(event.business_id, event.id, wait.kind, wait.id) for wait in waits]
            size += len(event.custom_data) + len(event.user_data) + len(record.payload or "")
        won = await self._writer.submit(TAKE, (tuple(rows), tuple(waiting)), version, takes[0][0].source, size)
        if all(won):
            return [_WON] * len(takes)
        try:
            return [_WON if each else await self._standing(take[0]) for each, take in zip(won, takes, strict=True)]
        except Unavailable as error:  # those that won are stored, and their caller does not hear of it
            raise Uncertain(error.reason) from error

    async def _standing(self, event: Event) -> face.Taken:
        """Who stands in the place of an event that was not stored."""
        standing = await self.find(event.business_id, event.event_name, event.event_id)
        if standing is None:
            raise Unavailable("who stands in the place of this event cannot be read")
        if standing.event.id == event.id:  # a commit whose answer was lost, and that was run again
            return _WON
        return face.Taken(won=False, standing=standing)

    async def lull(self, seconds: float) -> float:
        """See face.Ledger.lull."""
        return await self._writer.lull(seconds)

    async def note(self, record: face.Record, version: int) -> None:
        """See face.Ledger.note."""
        slots = ((columns.record(record),),)
        await self._writer.submit(NOTE, slots, version, record.source, len(record.payload or ""))

    async def correct(
        self,
        standing: face.StoredEvent,
        event: Event,
        delivery: face.Delivery,
        record: face.Record,
        waits: tuple[face.Wait, ...] = (),
        waits_on: bool = False,
    ) -> bool:
        """See face.Ledger.correct."""
        return await revise(self._writer, standing, event, delivery, record, waits, waits_on)

    async def release(
        self,
        standing: face.StoredEvent,
        event: Event,
        delivery: face.Delivery,
        record: face.Record | None,
        waits: tuple[face.Wait, ...] = (),
        waits_on: bool = False,
    ) -> bool:
        """See face.Ledger.release."""
        return await revise(self._writer, standing, event, delivery, record, waits, waits_on)

    async def land(self, landing: face.Landing, version: int) -> None:
        """See face.Ledger.land."""
        slots = ((columns.landing(landing),),)
        await self._writer.submit(LAND, slots, version, "browser")

    async def link(self, link: face.Link, version: int) -> None:
        """See face.Ledger.link."""
        slots = ((columns.link(link),),)
        await self._writer.submit(LINK, slots, version)

    async def converse(self, conversations: Sequence[face.Conversation]) -> None:
        """See face.Ledger.converse."""
        rows = tuple(map(columns.conversation, conversations))
        await self._writer.submit(CONVERSE, (rows,), text_bytes=ROW_BYTES * (len(rows) - 1))

    async def conversations(self, business_id: str, kind: face.ConversationKind, id: str) -> list[face.Conversation]:
        """See face.Ledger.conversations."""
        found = await read(self._engine, "conversations", {"business_id": business_id, "kind": kind, "id": id})
        return [columns.stored_conversation(row) for row in reversed(found)]

    async def landing(self, business_id: str, ref: str) -> face.StoredLanding | None:
        """See face.Ledger.landing."""
        return await self._one(columns.stored_landing, "landing", {"business_id": business_id, "ref": ref})

    async def landings(
        self, business_id: str, before: tuple[int, str] | None, limit: int
    ) -> list[tuple[face.StoredLanding, int | None]]:
        """See face.Ledger.landings."""
        at, ref = before or (ALL_TIME, "")
        params = {"business_id": business_id, "before": at, "ref": ref, "limit": limit}
        found = await read(self._engine, "landings", params)
        return [(columns.stored_landing(row), row[13]) for row in found]

    async def denied(self, since: int) -> list[tuple[str, str, str | None]]:
        """See face.Ledger.denied."""
        return [(row[0], row[1], row[2]) for row in await read(self._engine, "denied", {"since": since})]

    async def links(self, business_id: str, kind: str, id: str) -> list[face.Link]:
        """See face.Ledger.links."""
        found = await read(self._engine, "links", {"business_id": business_id, "kind": kind, "id": id})
        return [columns.stored_link(row) for row in found]

    async def waiting(self, business_id: str, kind: face.WaitKind, id: str) -> list[face.StoredEvent]:
        """See face.Ledger.waiting."""
        found = await read(self._engine, "waiting", {"business_id": business_id, "kind": kind, "id": id})
        return [columns.stored_event(row) for row in found]

    async def awaited(self, waits: Sequence[tuple[str, face.Wait]]) -> list[tuple[str, face.Wait]]:
        """See face.Ledger.awaited."""
        asked = {(business_id, wait.kind, wait.id): (business_id, wait) for business_id, wait in waits}
        found = await read(self._engine, "awaited", {"rows": list(asked)})
        return [asked[row[0], row[1], row[2]] for row in found]

    async def resolvable(
        self, limit: int, after: tuple[str, str] = ("", "")
    ) -> list[tuple[face.StoredEvent, face.Wait]]:
        """See face.Ledger.resolvable."""
        place = {"after_business": after[0], "after_row": after[1], "limit": limit}
        found = await read(self._engine, "resolvable", place)
        return [(columns.stored_event(row[2:]), face.Wait(kind=row[0], id=row[1])) for row in found]

    async def event(self, business_id: str, id: str) -> face.StoredEvent | None:
        """See face.Ledger.event."""
        return await self._one(columns.stored_event, "event", {"business_id": business_id, "id": id})

    async def find(self, business_id: str, event_name: str, event_id: str) -> face.StoredEvent | None:
        """See face.Ledger.find."""
        key = {"business_id": business_id, "event_name": event_name, "event_id": event_id}
        return await self._one(columns.stored_event, "find", key)

    async def _one(self, decode: Callable[[Sequence[Any]], T], name: str, params: Params) -> T | None:
        found = await read(self._engine, name, params)
        return decode(found[0]) if found else None

    async def events(
        self,
        business_id: str,
        event_name: str | None,
        event_id: str | None,
        state: str | None,
        before: str | None,
        limit: int,
    ) -> list[face.StoredEvent]:
        """See face.Ledger.events."""
        params = {
            "business_id": business_id, "event_name": event_name, "event_id": event_id, "state": state,
            "before": before or LAST, "limit": limit,
        }  # fmt: skip
        return [columns.stored_event(row) for row in await read(self._engine, "events", params)]

    async def attempts(self, business_id: str, id: str) -> list[face.Attempt]:
        """See face.Ledger.attempts."""
        found = await read(self._engine, "attempts", {"business_id": business_id, "id": id})
        return [columns.stored_attempt(row) for row in found]

    async def event_records(self, business_id: str, id: str) -> list[dict[str, object]]:
        """See face.Ledger.event_records."""
        found = await read(self._engine, "event_records", {"business_id": business_id, "id": id})
        return [columns.viewed_record(row) for row in sorted(found, key=itemgetter(0))]

    async def records(self, business_id: str, before: str | None, limit: int) -> list[dict[str, object]]:
        """See face.Ledger.records."""
        found = await read(
            self._engine, "records", {"business_id": business_id, "before": before or LAST, "limit": limit}
        )
        return [columns.viewed_record(row) for row in found]

    async def forget_landings(self, before: int, limit: int) -> int:
        """See face.Ledger.forget_landings."""
        forgotten = await self._writer.transact([Step("forget_landings", {"before": before, "limit": limit})])
        return len(forgotten[0])

    async def forget_conversations(self, before: int, limit: int) -> int:
        """See face.Ledger.forget_conversations."""
        forgotten = await self._writer.transact([Step("forget_conversations", {"before": before, "limit": limit})])
        return len(forgotten[0])
