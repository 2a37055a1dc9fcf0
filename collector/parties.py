"""What is asked of those who send: a place in a lane, and the verdict."""

from typing import Protocol

from collector.store.face import Delivery, StoredEvent


class Lanes(Protocol):
    """What intake asks of the dispatcher: a slot before the row is built, the event after its commit."""

    def reserve(self, lane: str) -> bool:
        """Take a slot; False when there is none."""
        ...

    def paused(self, lane: str) -> bool:
        """Whether nothing is sent on this lane for a while."""
        ...

    def hand_over(self, stored: StoredEvent) -> None:
        """Use the slot for a committed event."""

    def give_back(self, lane: str, doubtful: StoredEvent | None = None) -> None:
        """Return a slot that is not needed; with it an event of which nobody knows whether it was committed."""

    def nudge(self, lane: str) -> None:
        """Say that a pending delivery was committed."""


class Ticket(Protocol):
    """A caller's wait for the verdict on one event."""

    async def wait(self, seconds: float) -> Delivery | None:
        """The delivery as the next attempt left it; None when the wait is over."""


class Verdicts(Protocol):
    """Who waits for what."""

    def expect(self, business_id: str, id: str, revision: int = 1) -> Ticket:
        """Begin to wait for a verdict on this revision or a later one."""
        ...
