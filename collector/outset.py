"""The state in which a delivery sets out: the reasons not to send an event, in the order in which nothing can mend them."""

from collections.abc import Callable, Mapping
from typing import Final, Protocol

from collector import delivery as journey, options
from collector.consent import ruling
from collector.delivery import Reason, State
from collector.event import Event
from collector.receipt import Candidate
from collector.store.face import BusinessRow, Delivery

LEASE_MS: Final = 60_000
"""How long an event is ours that is stored on its way."""


class OpenChannel(Protocol):
    """Where a business's events go, with its token readable."""

    @property
    def held(self) -> str | None:
        """Why its lane stands still, or None."""

    @property
    def asset_id(self) -> str | None:
        """The account behind it."""


class Directory(Protocol):
    """What is asked of the directory."""

    def business(self, business_id: str) -> BusinessRow | None:
        """The business, or None."""

    def channel(self, business_id: str, channel: str) -> OpenChannel | None:
        """Its channel, or None where it is not set up."""


class Target(Protocol):
    """What is asked of a destination."""

    @property
    def takes_tests(self) -> bool:
        """Whether a test event can be told from a live one there."""
        ...

    def lacks(self, event: Event) -> str | None:
        """The ids that it needs and the event does not have."""


class Outset:
    """Knows how every event begins its journey: a fresh one, a corrected one, one whose click came late, one that is replayed."""

    def __init__(self, directory: Directory, targets: Mapping[str, Target], clock: Callable[[], int]) -> None:
        self._directory = directory
        self._targets = targets
        self._clock = clock

    def delivery(self, candidate: Candidate, reserve: Callable[[str], bool] = lambda lane: False) -> Delivery:
        """The delivery of an event as it sets out, now: `sending`, leased to us, where `reserve` keeps a slot of its lane."""
        event = candidate.event
        business = self._directory.business(event.business_id)
        destination = business.destination if business else "meta"
        channel = "connectly" if destination == "connectly" else event.channel
        state, reason, error = self._state(candidate, business, destination, channel)
        lane = str(journey.LaneName(destination, event.business_id, channel, event.source))
        leased = state == "pending" and reserve(lane)
        return Delivery(
            business_id=event.business_id,
            id=event.id,
            destination=destination,
            lane=lane,
            state="sending" if leased else state,
            reason=reason,
            revision=event.revision,
            attempts=int(leased),
            due_at=self._clock(),
            deadline_at=journey.deadline(event.event_at),
            lease_ms=LEASE_MS if leased else None,
            error=error,
        )

    def _state(
        self, candidate: Candidate, business: BusinessRow | None, destination: str, channel: str
    ) -> tuple[State, Reason | None, str | None]:
        event = candidate.event
        if candidate.expired:
            return "dead", "expired", "payload.event_time: older than 7 days"
        if candidate.match.click is None:
            return "unmatched", None, None
        target = self._targets[destination]
        if lacking := target.lacks(event):
            return "dead", "no_click_id", f"{lacking}: the click lacks it, and {destination} needs it"
        spoken = ruling(event.consent, bool(business and business.consent_required))
        if spoken == "bury":
            return "dead", "consent", None
        if event.test and not (target.takes_tests and (_code(event) or (business and business.test_event_code))):
            return "dead", "test", None
        if spoken == "hold":
            return "held", "consent", None
        opened = self._directory.channel(event.business_id, channel)
        if opened is None or opened.held:
            return "held", journey.hold_reason(opened.held if opened else "channel"), None
        return "pending", None, None


def _code(event: Event) -> str | None:
    return options.envelope(event).test_event_code
