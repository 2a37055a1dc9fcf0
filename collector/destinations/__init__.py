"""Where events go. A destination knows the wire: what it needs, how a request looks, what an answer means. It decides nothing."""

from collections.abc import Container, Sequence
from typing import Protocol

from collector.delivery import Outcome
from collector.destinations.answer import Answer, Wire
from collector.event import Event


class Account(Protocol):
    """One channel of a business as the directory opens it: the asset, its dataset, and the token in plain."""

    @property
    def asset_id(self) -> str | None:
        """The WABA, Page or Instagram account id, or Connectly's business id."""

    @property
    def dataset_id(self) -> str | None:
        """Meta's dataset; None for Connectly."""

    @property
    def token(self) -> str:
        """The access token or API key."""
        ...

    @property
    def held(self) -> str | None:
        """Why the channel is held; None when it runs."""

    @property
    def messaging_names(self) -> Container[str]:
        """The event names that conversations may have there."""
        ...


class Destination(Protocol):
    """One way to deliver. All but `send` is pure.

    `batch_max` events fit into a request, `requests_max` requests of one lane may be on their way at once, one takes at most `seconds`.
    `takes_tests` says that an event can be marked as a test there.
    """

    @property
    def batch_max(self) -> int:
        """Events a request."""
        ...

    @property
    def requests_max(self) -> int:
        """Requests at once, for one lane."""
        ...

    @property
    def seconds(self) -> float:
        """How long a request may take, all in all."""
        ...

    @property
    def takes_tests(self) -> bool:
        """Whether a test event can be told from a live one."""
        ...

    def lacks(self, event: Event) -> str | None:
        """The ids of the click that this destination needs and the event does not have, comma-separated; None when it has them all."""

    def check(self, event: Event, account: Account) -> Outcome | None:
        """What can be known before sending: the outcome that the destination would surely give, or None."""

    def to_wire(self, events: Sequence[Event], account: Account, test_event_code: str | None) -> Wire:
        """The exact request for these events, which are all test events when a code is given, else none is."""
        ...

    async def send(self, wire: Wire) -> Answer:
        """Send it. Never raises for what the network or the destination does: that is an answer too."""
        ...

    def read(self, answer: Answer, sent: int) -> Outcome:
        """What the answer to a request of `sent` events means."""
        ...


__all__ = ["Account", "Answer", "Destination", "Wire"]
