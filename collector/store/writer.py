"""Group commit: whatever waits shares one transaction. No timer: while one commit runs, the next batch gathers."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

from collector.errors import InvalidField, Unavailable, Uncertain
from collector.store.engine import BadRow, Engine, Interrupted, Rows, Step, clean
from collector.store.face import StaleDirectory
from collector.store.waiting import ROW_BYTES, Answers, Kind, Op, Slots, Waiting

PATIENCE_SECONDS = 2.0
"""How long an operation waits for a database that is busy or gone before its caller hears Unavailable."""
FIRST_PAUSE_SECONDS = 0.02
LONGEST_PAUSE_SECONDS = 0.25


class Writer:
    """Takes operations, commits them in groups, answers each after its commit. Open it with `async with`."""

    def __init__(
        self,
        engine: Engine,
        kinds: Sequence[Kind],
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._engine = engine
        self._kinds = kinds
        self._monotonic = monotonic
        self._sleep = sleep
        self._patience = patience_seconds
        self._waiting = Waiting(apart=engine.writers > 1)
        self._short = 0
        self._calm = asyncio.Event()
        self._wake = asyncio.Event()
        self._idle = self._running = 0
        self._closing = False
        self._tasks: list[asyncio.Task[None]] = []
        self.batches = 0
        self.committed = 0

    async def __aenter__(self) -> "Writer":
        self._tasks = [asyncio.create_task(self._run(), name="store writer") for _ in range(self._engine.writers)]
        return self

    async def __aexit__(self, *error: object) -> None:
        """Commit what waits, then stop. What comes later is Unavailable."""
        self._closing = True
        self._wake.set()
        await asyncio.gather(*self._tasks)

    async def submit(
        self,
        kind: Kind,
        slots: Slots,
        version: int | None = None,
        source: str = "server",
        text_bytes: int = 0,
    ) -> Any:
        """Wait for the commit and return the operation's answer. `text_bytes` is about how long its long texts are.

        Raises Unavailable when it cannot be stored now, StaleDirectory when `version` is over, InvalidField when the database
        refuses its data. A caller who goes away meanwhile changes nothing: who is cancelled (or has a timeout around this) hears of it when
        the commit has ended, so that what is stored can be taken back. Cancelled twice, it is at once.
        """
        if self._closing:
            raise Unavailable("the collector is stopping")
        loop = asyncio.get_running_loop()
        op = Op(kind, slots, loop.create_future(), version, self._monotonic(), ROW_BYTES + text_bytes)
        self._waiting.add(op, source)
        self._wake.set()
        try:
            return await op.done
        except asyncio.CancelledError:
            if not op.ended:
                op.done = loop.create_future()
                with suppress(Exception):
                    await op.done
            raise

    async def lull(self, seconds: float) -> float:
        """Wait while a commit of single rows is under way, at most so long; gives how long that was.

        For who has much else to do: a short commit takes three times as long when each of its steps waits for that.
        """
        if not self._short or seconds <= 0:
            return 0.0
        since = self._monotonic()
        self._calm.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._calm.wait()
        return self._monotonic() - since

    async def transact(self, steps: Sequence[Step], exclusive: bool = False, again: Sequence[Step] = ()) -> list[Rows]:
        """A commit of its own, for what depends on the answers of earlier steps; retried like the batches, as `again` if that is given."""
        since, pause = self._monotonic(), FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._engine.commit(steps, exclusive=exclusive)
            except BadRow as error:
                raise InvalidField("row", f"cannot be stored ({error})") from error
            except Interrupted as error:
                if self._monotonic() - since >= self._patience:
                    raise Unavailable(str(error)) from error
                steps = again or steps
                await self._sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _run(self) -> None:
        self._running += 1
        try:
            await self._serve()
        finally:  # a cancelled writer leaves nobody waiting for it, now or later
            self._closing = True
            self._running -= 1
            if not self._running:
                self._waiting.fail(Unavailable("the store has stopped"))

    async def _serve(self) -> None:
        while True:
            self._idle += 1
            await self._wake.wait()
            batch = self._waiting.next(self._idle)
            self._idle -= 1
            if batch:
                short = self._waiting.is_short(batch)
                self._short += short
                try:
                    await self._commit(batch)
                except BaseException as error:
                    # A fault of our own, or a cancelled task: nobody may wait for ever.
                    for op in batch:
                        op.fail(Uncertain(f"the store failed: {type(error).__name__}"))
                    if not isinstance(error, Exception):
                        raise
                self._short -= short
                if not self._short:
                    self._calm.set()
                if self._waiting.ended(batch):
                    self._wake.set()
            elif self._closing:
                return
            else:
                self._wake.clear()

    async def _commit(self, batch: list[Op], cleaned: bool = False) -> None:
        """Commit a batch whatever comes.

        Bad data: clean the texts, then split the batch until only the guilty fails. Trouble: again, while there is patience. A changed
        directory: without what was prepared for the old one.
        """
        pause, tried = FIRST_PAUSE_SECONDS, False
        while batch:
            # Whoever knows the newest directory is right about the others; whether it is the newest, the engine asks in the transaction.
            version = max((op.version for op in batch if op.version is not None), default=None)
            batch = _current(batch, version, tried)
            steps = _steps(self._kinds, batch)
            try:
                results = await self._engine.commit(steps, version)
            except StaleDirectory as stale:
                batch = _current(batch, stale.version, tried)
            except BadRow as error:
                if not cleaned:
                    cleaned = True
                    for op in batch:
                        op.slots = tuple(tuple(tuple(map(clean, row)) for row in slot) for slot in op.slots)
                    continue
                if len(batch) == 1:
                    batch[0].fail(InvalidField("event", f"cannot be stored ({error})"))
                    return
                middle = len(batch) // 2
                await self._commit(batch[:middle], cleaned)
                batch = batch[middle:]
            except Interrupted as error:
                tried = True
                late = self._monotonic() - self._patience
                for op in batch:
                    if op.since <= late:
                        op.fail(Uncertain(str(error)))
                batch = [op for op in batch if op.since > late]
                if batch:
                    await self._sleep(pause)
                    pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                self.batches += 1
                self.committed += len(batch)
                _answer(batch, {step.name: rows for step, rows in zip(steps, results, strict=True)})
                return


def _steps(kinds: Sequence[Kind], batch: list[Op]) -> list[Step]:
    """The statements of all kinds in one fixed order, the rows of each sorted: no two processes can deadlock."""
    steps = []
    for kind in kinds:
        ops = [op for op in batch if op.kind is kind]
        if ops:
            for slot, name in enumerate(kind.steps):
                rows = sorted((row for op in ops for row in op.slots[slot]), key=kind.order)
                if rows:
                    steps.append(Step(name, {"rows": rows}))
    return steps


def _answer(batch: list[Op], answers: Answers) -> None:
    digests: dict[int, Any] = {}
    for op in batch:
        if id(op.kind) not in digests:
            digests[id(op.kind)] = op.kind.digest(answers)
        op.answer(digests[id(op.kind)])


def _current(batch: list[Op], version: int | None, tried: bool) -> list[Op]:
    """The operations prepared for this version of the directory, or for any; the others fail. If `tried`, they may be committed."""
    for op in batch:
        if op.version not in (None, version):
            op.fail(Uncertain("the directory changed") if tried else StaleDirectory(version or 0))
    return [op for op in batch if op.version in (None, version)]
