"""What waits to be committed, and who goes next."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from collector.errors import Unavailable
from collector.store.columns import Row
from collector.store.engine import Rows

MAX_OPS = 500
"""Operations in one transaction."""
FAIR_SHARE = 32
"""When more waits, the writers that are free share it (PostgreSQL has two)."""
MAX_WAITING = 5_000
"""Operations from outside that may wait; settlements are bounded by what is in flight and always get in."""
MAX_BYTES = 16 * 1024 * 1024
"""Bytes from outside that may wait."""

ROW_BYTES = 1024
"""What an operation is counted as, besides its long texts."""

Answers: TypeAlias = Mapping[str, Rows]
Slots: TypeAlias = tuple[tuple[Row, ...], ...]


class Kind(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What operations of one kind do: statements, each fed with the rows of its slot, and how an operation finds its own answer.

    `order` sorts the rows of a batch: all processes take row locks in the same order. `digest` turns the rows that the statements returned
    into what `answer` looks up, once for all operations of a batch. `limited` operations come from outside and may be refused when too
    much waits.
    """

    steps: tuple[str, ...]
    order: Callable[[Row], Any]
    digest: Callable[[Answers], Any]
    answer: Callable[["Op", Any], Any]
    limited: bool = True


class Op(msgspec.Struct, eq=False, gc=False):
    """One operation that waits for its commit. `slots` holds rows, one entry for each statement of its kind."""

    kind: Kind
    slots: Slots
    done: asyncio.Future[Any]
    version: int | None = None
    since: float = 0.0
    size: int = ROW_BYTES
    ended: bool = False
    """Whether it was answered or failed; `done` alone may mean that its caller has gone away."""

    def answer(self, digest: Any) -> None:
        """Let its caller hear what came of it."""
        self.ended = True
        if not self.done.done():
            self.done.set_result(self.kind.answer(self, digest))

    def fail(self, error: Exception) -> None:
        """Let its caller hear that."""
        self.ended = True
        if not self.done.done():
            self.done.set_exception(error)


class Waiting:
    """The operations that wait, each in its line.

    Of those with many rows one is committed at a time, and in every other commit only, as long as somebody with one row waits: who comes
    with one row need not wait for more than that. With `apart`, settlements have every other commit to themselves, for they come in
    hundreds: then only some who wait for a commit wait for theirs. (That needs a second writer. One alone takes them along, because a
    commit costs it more than they do.)
    """

    def __init__(self, apart: bool) -> None:
        self._apart = apart
        self._server: deque[Op] = deque()
        self._browser: deque[Op] = deque()
        self._bulky: deque[Op] = deque()
        self._settlements: deque[Op] = deque()
        self._bulk: Op | None = None
        self._yielded = False
        self._settled = False
        self._count = 0
        self._size = 0

    def add(self, op: Op, source: str) -> None:
        """Let it wait. Raises Unavailable when too much does."""
        queue = self._browser if source == "browser" else self._server
        if op.kind.limited:
            self._admit(op, source)
            queue = self._bulky if len(op.slots[0]) > 1 else queue
        elif self._apart:
            queue = self._settlements
        queue.append(op)

    def _admit(self, op: Op, source: str) -> None:
        """Count an operation in. Server events come before browsers': those make room when too much waits."""
        while self._count and (self._count >= MAX_WAITING or self._size + op.size > MAX_BYTES):
            if source == "browser" or not self._browser:
                raise Unavailable("too much waits to be stored")
            evicted = self._browser.pop()
            self._discount(evicted)
            evicted.fail(Unavailable("too much waits to be stored"))
        self._count += 1
        self._size += op.size

    def _discount(self, op: Op) -> None:
        if op.kind.limited:
            self._count -= 1
            self._size -= op.size

    def next(self, free: int) -> list[Op]:
        """The next commit's, for one of so many writers that are free."""
        waiting = len(self._server) + len(self._browser)
        bulky = bool(self._bulky) and self._bulk is None
        self._settled = bool(self._settlements) and not (self._settled and (waiting or bulky))
        if self._settled:
            return _first(self._settlements, MAX_OPS)
        most = min(MAX_OPS, max(FAIR_SHARE, -(-waiting // free)))
        batch: list[Op] = []
        # Every other commit is theirs alone who came with one row.
        self._yielded = bool(waiting and self._bulky and not self._yielded)
        if bulky and not self._yielded:
            self._bulk = self._bulky.popleft()
            batch.append(self._bulk)
        for queue in (self._server, self._browser):
            batch += _first(queue, most - len(batch))
        for op in batch:
            self._discount(op)
        return batch

    def is_short(self, batch: list[Op]) -> bool:
        """True of a commit of single rows, whatever settlements come along."""
        return batch[0] is not self._bulk and any(op.kind.limited for op in batch)

    def ended(self, batch: list[Op]) -> bool:
        """A commit is over. True when another may begin that could not before."""
        if batch[0] is not self._bulk:
            return False
        self._bulk = None
        return True

    def fail(self, error: Exception) -> None:
        """Let all who wait hear that."""
        for queue in (self._server, self._browser, self._bulky, self._settlements):
            for op in _first(queue, len(queue)):
                self._discount(op)
                op.fail(error)


def _first(queue: deque[Op], most: int) -> list[Op]:
    return [queue.popleft() for _ in range(min(most, len(queue)))]
