"""An engine whose commits wait until a test lets them go."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from collector.event import Source
from collector.store.engine import Params, Rows, Step
from collector.store.face import Taken
from collector.store.ledger import SqlLedger
from collector.store.opening import Store
from tests.contract.samples import delivery, purchase, record


class Gate:
    """The real engine behind a gate: commits wait until it is opened, and are listed by the event ids they take."""

    writers = 1

    def __init__(self, store: Store) -> None:
        self._engine = store.engine
        self.open = asyncio.Event()
        self.reached = asyncio.Event()
        self.batches: list[list[str]] = []

    @asynccontextmanager
    async def opened_at_last(self) -> AsyncIterator[None]:
        """However the test ends, nothing stays behind the gate."""
        try:
            yield
        finally:
            self.open.set()

    async def read(self, name: str, params: Params | None = None) -> Rows:
        return await self._engine.read(name, params)

    async def commit(self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False) -> list[Rows]:
        given = next(step.params for step in steps if step.name == "take")
        assert not callable(given)
        self.batches.append([row[3] for row in given["rows"]])
        self.reached.set()
        await self.open.wait()
        return await self._engine.commit(steps, version, exclusive)

    async def now_ms(self) -> int:
        return await self._engine.now_ms()

    async def migrate(self) -> None:
        await self._engine.migrate()

    async def close(self) -> None:
        await self._engine.close()


def take(ledger: SqlLedger, event_id: str, source: Source = "server", payload: str = "{}") -> "asyncio.Task[Taken]":
    event = purchase(event_id=event_id, source=source)
    return asyncio.create_task(ledger.take(event, delivery(event), record(event, payload=payload), (), 1))


def take_together(ledger: SqlLedger, call: str, count: int) -> "asyncio.Task[list[Taken]]":
    """So many events of one call."""
    events = [purchase(event_id=f"{call}-{number}") for number in range(count)]
    return asyncio.create_task(ledger.take_all([(event, delivery(event), record(event), ()) for event in events], 1))
