"""The Outbox over any engine: what the dispatcher asks. Settlements share the writer's commits."""

import logging
from operator import itemgetter
from secrets import token_hex

import msgspec

from collector.delivery import Reason, State
from collector.errors import InvalidField
from collector.event import Event
from collector.store import columns, face
from collector.store.engine import Engine, Params, Rows, Step
from collector.store.ledger import read, revise
from collector.store.waiting import Kind
from collector.store.writer import Writer

LOG = logging.getLogger(__name__)

CHUNK = 10_000
"""Rows that one commit moves in or out of a hold."""

HEADS_MAX = 15
"""So many claims in a row begin where the one before ended, while a lane is full: an index keeps what was claimed until it is swept, and a
claim that began at the start would walk past all of it. Then one begins there, for whatever was put before the rest meanwhile."""

SETTLE = Kind(
    ("settle",),
    itemgetter(0, 1),
    lambda answers: {(row[0], row[1]) for row in answers["settle"]},
    lambda op, lost: [row[:2] in lost for row in op.slots[0]],
    limited=False,
)


def _leased(claimed: face.StoredEvent, lease: str) -> face.StoredEvent:
    """The event as the claim of this name holds it."""
    replace = msgspec.structs.replace
    return replace(claimed, delivery=replace(claimed.delivery, lease=lease))


def _keys(found: list[Rows]) -> Params | None:
    """The rows that the first step returned, as the parameter of the next."""
    return {"rows": [tuple(row) for row in found[0]]} if found[0] else None


def lane_range(prefix: str) -> dict[str, str]:
    """All lanes that begin with `prefix`, as an interval of the index."""
    return {"lane": prefix, "lane_end": prefix + "\U0010ffff"}


class SqlOutbox:
    """face.Outbox on an engine and a writer."""

    def __init__(self, engine: Engine, writer: Writer) -> None:
        self._engine = engine
        self._writer = writer
        self._heads: dict[str, tuple[int, int]] = {}

    async def now_ms(self) -> int:
        """See face.Outbox.now_ms."""
        return int((await read(self._engine, "clock"))[0][0])

    async def due(self) -> list[face.LaneDue]:
        """See face.Outbox.due."""
        return [face.LaneDue(lane=row[0], due_at=row[1]) for row in await read(self._engine, "due")]

    async def claim(self, lane: str, limit: int, lease_ms: int) -> list[face.StoredEvent]:
        """See face.Outbox.claim."""
        since, times = self._heads.pop(lane, (0, HEADS_MAX))
        claims = await self._claim(lane, since, limit, lease_ms)
        if since and not claims:
            return await self._claim(lane, 0, limit, lease_ms)
        if times and len(claims) == limit:
            self._heads[lane] = (claims[-1].delivery.due_at, times - 1)
        return claims

    async def _claim(self, lane: str, since: int, limit: int, lease_ms: int) -> list[face.StoredEvent]:
        lease = token_hex(8)
        claim = {"rows": [(lane, since, limit, lease_ms, lease)]}
        steps = [Step("claim", claim), Step("claimed", _keys)]
        again = [
            Step("claimed_before", {"lease": lease}),
            Step("claim", lambda found: None if found[0] else claim),
            Step("claimed", lambda found: _keys(found[1:])),
        ]
        found = await self._writer.transact(steps, again=again)
        return [_leased(columns.stored_event(row), lease) for row in found[-1] or found[0]]

    async def settle(self, settlements: list[face.Settlement]) -> list[bool]:
        """See face.Outbox.settle."""
        if not settlements:
            return []
        rows = tuple(columns.settlement(settlement) for settlement in settlements)
        try:
            lost = await self._writer.submit(SETTLE, (rows,))
        except InvalidField as error:
            if len(settlements) == 1:
                LOG.error("an outcome cannot be stored: %s", error, extra={"event": settlements[0].attempt.delivery_id})
                return [False]
            middle = len(settlements) // 2  # one of them cannot be stored: the others must not suffer
            return await self.settle(settlements[:middle]) + await self.settle(settlements[middle:])
        if not any(lost):
            return [True] * len(settlements)
        tries = [
            (row[0], row[1], row[2], row[9], row[10], row[8]) for row, gone in zip(rows, lost, strict=True) if gone
        ]
        stand = {tuple(row) for row in await read(self._engine, "settled", {"rows": tries})}
        return [not gone or row[:3] in stand for row, gone in zip(rows, lost, strict=True)]

    async def release(self, claims: list[face.StoredEvent], due_at: int) -> None:
        """See face.Outbox.release."""
        if claims:
            for claim in claims:
                self._heads.pop(claim.delivery.lane, None)
            each = (claim.delivery for claim in claims)
            given = sorted((own.business_id, own.id, own.attempts, own.lease) for own in each)
            released = {"rows": [(*key, due_at) for key in given]}
            await self._writer.transact([Step("release_claims", released)])

    async def rescue(self, all_leases: bool, to: State, reason: Reason | None, due_at: int, limit: int) -> int:
        """See face.Outbox.rescue."""
        lost = {"all_leases": int(all_leases), "to": to, "reason": reason, "due_at": due_at, "limit": limit}
        found = await self._writer.transact([Step("rescue", lost), Step("rescue_attempts", _keys)])
        return len(found[0])

    async def expire(self, now: int, limit: int) -> int:
        """See face.Outbox.expire."""
        late = Step("expire", {"now": now, "limit": limit})
        found = await self._writer.transact([late, Step("expire_waits", _keys)])
        return len(found[0])

    async def rewind(self, wait_ms: int, lease_ms: int) -> int:
        """See face.Outbox.rewind."""
        steps = [
            Step("rewind_due", {"wait_ms": wait_ms, "limit": CHUNK}),
            Step("rewind_leases", {"lease_ms": lease_ms, "limit": CHUNK}),
        ]
        moved, full = 0, True
        while full:  # a bounded number in one commit, as in `move`
            due, leases = await self._writer.transact(steps)
            moved, full = moved + len(due) + len(leases), CHUNK in (len(due), len(leases))
        return moved

    async def hold(self, business_id: str, channel: str, lane_prefix: str, reason: str) -> None:
        """See face.Outbox.hold."""
        mark = Step("mark_channel", {"business_id": business_id, "channel": channel, "reason": reason})
        rest = Step("hold", {"business_id": business_id, "reason": reason, "limit": CHUNK, **lane_range(lane_prefix)})
        await move(self._writer, [mark, Step("raise_holds")], rest, exclusive=False)

    async def resume(self, business_id: str, channel: str, lane_prefix: str) -> int:
        """See face.Outbox.resume."""
        mark = Step("mark_channel", {"business_id": business_id, "channel": channel, "reason": None})
        rest = Step("resume", {"business_id": business_id, "limit": CHUNK, **lane_range(lane_prefix)})
        return await move(self._writer, [mark, Step("raise_holds")], rest, exclusive=False)

    async def probe(self, business_id: str, channel: str, lane_prefix: str) -> None:
        """See face.Outbox.probe."""
        mark = Step("mark_channel", {"business_id": business_id, "channel": channel, "reason": None})
        one = Step("resume", {"business_id": business_id, "limit": 1, **lane_range(lane_prefix)})
        await self._writer.transact([mark, Step("raise_holds"), one])

    async def held_lanes(self) -> list[str]:
        """See face.Outbox.held_lanes."""
        return [row[0] for row in await read(self._engine, "held_lanes")]

    async def count(self, business_id: str) -> int:
        """See face.Outbox.count."""
        return int((await read(self._engine, "delivery_count", {"business_id": business_id}))[0][0])

    async def search(self, search: face.Search, after: str, limit: int) -> face.Page:
        """See face.Outbox.search."""
        if search.id is None:
            page = {"business_id": search.business_id, "after": after, "limit": limit}
            [(last, looked_at)] = await read(self._engine, "search_page", page)
        else:
            # What an id begins with is less than it, and next to nothing lies between.
            after, last, looked_at = search.id[:-1], search.id, 1
        if last is None:
            return face.Page(found=(), looked_at=0, last=None)
        flags = {"any_state": int(search.id is not None), "delivered": int(search.delivered)}
        given = msgspec.structs.asdict(search) | flags | {"after": after, "last": last}
        found = await read(self._engine, "search", given)
        rows = tuple(face.Found(standing=columns.stored_event(row), sent=row[-1]) for row in found)
        return face.Page(found=rows, looked_at=looked_at, last=last)

    async def replay(self, standing: face.StoredEvent, event: Event, delivery: face.Delivery) -> bool:
        """See face.Outbox.replay."""
        return await revise(self._writer, standing, event, delivery)

    async def states(self, ids: list[tuple[str, str]]) -> list[face.Delivery]:
        """See face.Outbox.states."""
        found = await read(self._engine, "states", {"rows": ids})
        return [columns.stored_delivery(row) for row in found]

    async def oldest_pending_at(self) -> int | None:
        """See face.Outbox.oldest_pending_at."""
        found: int | None = (await read(self._engine, "oldest_pending"))[0][0]
        return found


async def move(writer: Writer, first: list[Step], rest: Step, exclusive: bool = True) -> int:
    """Change the directory and move deliveries with it, a bounded number in one commit: a backlog of any size must not stop the writer."""
    moved = count = len((await writer.transact([*first, rest], exclusive=exclusive))[-1])
    while count == CHUNK:
        count = len((await writer.transact([rest]))[0])
        moved += count
    return moved
