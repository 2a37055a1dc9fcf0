"""Who waits for what became of an event: callers wait here, lanes tell when an attempt has been settled."""

import asyncio
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Final

from collector.errors import Unavailable
from collector.store.face import Delivery, Outbox

LOG = logging.getLogger(__name__)

WAITERS_MAX: Final = 2000
POLL_SECONDS: Final = 0.08
AWAY_SECONDS: Final = 1.0
"""How long a store that cannot be read is left alone."""

Key = tuple[str, str]


class Ticket:
    """One caller's wait. It ends by itself when nobody holds it any more."""

    __slots__ = ("__weakref__", "_future", "_key", "_verdicts", "revision")

    def __init__(self, verdicts: "Verdicts", key: Key, revision: int, future: asyncio.Future[Delivery] | None) -> None:
        self._verdicts = verdicts
        self._key = key
        self._future = future
        self.revision = revision

    async def wait(self, seconds: float) -> Delivery | None:
        """The delivery as the first attempt settled after `expect` left it. None when the seconds are over, or there was no room to wait."""
        if self._future is None:
            return None
        try:
            async with asyncio.timeout(seconds):
                return await self._future
        except TimeoutError:
            return None
        finally:
            self.close()

    def tell(self, delivery: Delivery) -> None:
        """End the wait with this delivery."""
        if self._future is not None and not self._future.done():
            self._future.set_result(delivery)

    def close(self) -> None:
        """End the wait."""
        if self._future is not None:
            self._future = None
            self._verdicts.forget(self._key, self)

    def __del__(self) -> None:
        self.close()


class Verdicts:
    """The waiting callers, at most `waiters_max` at once.

    Lanes of this process tell by `settled`. What other processes settle is asked of the store, for all waiters in one query every
    `poll_seconds`; None where this process is the only one that delivers.
    """

    def __init__(
        self,
        outbox: Outbox,
        *,
        waiters_max: int = WAITERS_MAX,
        poll_seconds: float | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._outbox = outbox
        self._waiters_max = waiters_max
        self._poll_seconds = poll_seconds
        self._pause = pause
        self._tickets: dict[Key, list[weakref.ref[Ticket]]] = {}
        self._elsewhere: set[Key] = set()
        self._count = 0
        self._poll: asyncio.Task[None] | None = None
        self.refused = 0

    def __len__(self) -> int:
        return self._count

    def expect(self, business_id: str, id: str, revision: int = 1) -> Ticket:
        """Begin to wait for the next settled attempt at this event (`id` is its row's), at this revision or a later one.

        Begin before the row is committed: a verdict that comes first is not missed.
        """
        key = (business_id, id)
        if self._count >= self._waiters_max:
            self.refused += 1
            return Ticket(self, key, revision, None)
        ticket = Ticket(self, key, revision, asyncio.get_running_loop().create_future())
        self._count += 1
        if key in self._tickets:
            self._tickets[key].append(weakref.ref(ticket))
            return ticket
        self._tickets[key] = [weakref.ref(ticket)]
        self.away(business_id, id)
        return ticket

    def here(self, business_id: str, id: str) -> None:
        """This process has the event in hand: no need to ask the store about it."""
        if self._elsewhere:
            self._elsewhere.discard((business_id, id))

    def away(self, business_id: str, id: str) -> None:
        """This process does not have the event in hand (any more): another may settle it."""
        if self._poll_seconds is None or (business_id, id) not in self._tickets:
            return
        self._elsewhere.add((business_id, id))
        if self._poll is None or self._poll.done():
            self._poll = asyncio.create_task(self._ask_the_store(), name="verdicts")

    def awaits(self, business_id: str, id: str) -> bool:
        """Whether anybody waits for this event."""
        return (business_id, id) in self._tickets

    def settled(self, delivery: Delivery) -> None:
        """An attempt was settled, and committed; whoever waits for it hears so."""
        for reference in self._tickets.get((delivery.business_id, delivery.id), ()):
            ticket = reference()
            if ticket is not None and ticket.revision <= delivery.revision:
                ticket.tell(delivery)

    def forget(self, key: Key, ticket: Ticket) -> None:
        """Drop a ticket whose wait is over."""
        self._count -= 1
        standing = [each for each in self._tickets[key] if each() not in (None, ticket)]
        if standing:
            self._tickets[key] = standing
        else:
            del self._tickets[key]
            self._elsewhere.discard(key)

    async def _ask_the_store(self) -> None:
        while self._elsewhere:
            await self._pause(self._poll_seconds or 0)
            try:
                for delivery in await self._outbox.states(sorted(self._elsewhere)):
                    if delivery.state not in ("unmatched", "pending", "sending"):
                        self.settled(delivery)
            except Unavailable as error:
                LOG.warning("verdicts cannot be read: %s", error)
                await self._pause(AWAY_SECONDS)
