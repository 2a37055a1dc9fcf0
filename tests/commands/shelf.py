"""Events that came to their end, or are on their way, put into a store beside the commands."""

import asyncio
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from collector.attribution import Click
from collector.delivery import LaneName, deadline
from collector.event import Event
from collector.store import face
from collector.store.opening import Store, open_store, wall_clock

DAY = 86_400_000
CLICK = Click("trk", "snd", "AfgClick", "ad-1")


class Shelf:
    """Events of one business, put into the store as if they had been sent before."""

    def __init__(self, directory: Path, business_id: str) -> None:
        self.business_id = business_id
        self.directory = directory
        self.numbered_from = 0
        self.now = wall_clock()

    def run(self, work: Any) -> Any:
        async def run() -> Any:
            async with open_store(f"sqlite:///{self.directory}/collector.db", serving=False) as store:
                return await work(store)

        return asyncio.run(run())

    def put(self, state: str, reason: str | None = None, *outcomes: str, age_days: float = 0, **fields: Any) -> str:
        """Store an event that came to this, after attempts with these outcomes; gives its row id."""
        self.numbered_from += 1
        at = int(self.now - age_days * DAY)
        given: dict[str, Any] = {"event_at": at, "received_at": at, "click": CLICK} | fields
        event = Event(
            business_id=self.business_id,
            id=f"{at:012x}{self.numbered_from:020x}",
            event_name="Purchase",
            event_id=f"ORD-{self.numbered_from}",
            **given,
        )
        lane = str(LaneName("meta", self.business_id, event.channel, "server"))
        due = face.Delivery(
            business_id=self.business_id,
            id=event.id,
            destination="meta",
            lane=lane,
            state="pending",
            due_at=0,
            deadline_at=deadline(event.event_at),
        )

        async def work(store: Store) -> None:
            record = face.Record(business_id=self.business_id, id=event.id, received_at=at, event_row=event.id)
            whole: Any = replace(due, state=state, reason=reason)
            taken = await store.ledger.take(
                event, due if outcomes else whole, record, (), await store.directory.version()
            )
            assert taken.won
            for number, outcome in enumerate(outcomes, 1):
                assert len(await store.outbox.claim(lane, 1, 60_000)) == 1
                over: Any = (state, reason) if number == len(outcomes) else ("retrying", None)
                attempt = face.Attempt(
                    business_id=self.business_id, delivery_id=event.id, number=number, trigger="first", at=at, outcome=outcome
                )  # fmt: skip
                told = face.Settlement(attempt=attempt, state=over[0], reason=over[1], due_at=0, error="words")
                assert await store.outbox.settle([told]) == [True]

        self.run(work)
        return event.id

    def standing(self, id: str) -> face.StoredEvent:
        found: face.StoredEvent = self.run(lambda store: store.ledger.event(self.business_id, id))
        return found

    def state(self, id: str) -> str:
        told = self.standing(id).delivery
        return f"{told.state}({told.reason})" if told.reason else told.state

    def claims(self) -> list[face.StoredEvent]:
        """What a lane would get now."""
        lane = str(LaneName("meta", self.business_id, "whatsapp", "server"))
        found: list[face.StoredEvent] = self.run(lambda store: store.outbox.claim(lane, 100, 60_000))
        return found
