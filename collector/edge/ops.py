"""For those who run the collector: is it alive, can it store, is anything left lying."""

from collections.abc import Awaitable, Callable, Mapping

from starlette.types import Receive, Scope, Send

from collector.edge import answer
from collector.errors import Unavailable


class Health:
    """`/healthz`: the process answers. No I/O, so that a slow database does not get it killed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await answer.json({"status": "ok"}).send(send)


class Readiness:
    """`/readyz`: the store can be written; with the age of the oldest pending delivery and the process's figures."""

    def __init__(
        self,
        writable: Callable[[], Awaitable[None]],
        oldest_pending_at: Callable[[], Awaitable[int | None]],
        facts: Callable[[], Mapping[str, object]],
        clock: Callable[[], int],
    ) -> None:
        self._writable = writable
        self._oldest_pending_at = oldest_pending_at
        self._facts = facts
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            await self._writable()
            oldest = await self._oldest_pending_at()
        except Unavailable as problem:
            await answer.json({"status": "unavailable", "store": str(problem)}, 503).send(send)
            return
        age = None if oldest is None else max(0, self._clock() - oldest)
        told = {"status": "ready", "store": "writable", "oldest_pending_ms": age, **self._facts()}
        await answer.json(told).send(send)
