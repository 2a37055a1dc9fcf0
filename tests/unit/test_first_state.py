"""The state in which an event starts: what nothing can mend is asked first."""

from typing import Any, cast

import msgspec
import pytest

from collector.attribution import Click
from collector.delivery import Reason, State, deadline
from collector.errors import NotFound
from collector.event import Event
from collector.intake import Intake
from collector.match import Match
from collector.outset import Outset, Target
from collector.receipt import Candidate
from collector.store.face import BusinessRow
from tests.unit.samples import BUSINESS, CLICK, NOW_MS, business


class Channel(msgspec.Struct):
    """A channel, running or held."""

    held: str | None = None
    asset_id: str | None = None


class Shops:
    """One business with its channels."""

    version = 1

    def __init__(self, row: BusinessRow | None, channels: dict[str, Channel]) -> None:
        self.row = row
        self.channels = channels

    def business(self, business_id: str) -> BusinessRow | None:
        return self.row if self.row and self.row.business_id == business_id else None

    def channel(self, business_id: str, channel: str) -> Channel | None:
        return self.channels.get(channel) if self.business(business_id) else None

    async def fresh(self) -> None:
        """Nothing ever changes here."""


class NeedsClickId:
    """A destination that asks for a click id."""

    def __init__(self, takes_tests: bool) -> None:
        self.takes_tests = takes_tests

    def lacks(self, event: Event) -> str | None:
        return None if event.click.ctwa_clid else "ctwa_clid"


TARGETS: dict[str, Target] = {"meta": NeedsClickId(takes_tests=True), "connectly": NeedsClickId(takes_tests=False)}
RUNNING = {"whatsapp": Channel(), "connectly": Channel()}


def intake(row: BusinessRow, channels: dict[str, Channel]) -> Intake:
    unused = cast("Any", None)  # where events leave is nobody else's business
    return Intake(unused, Shops(row, channels), unused, unused, TARGETS, unused, lambda: NOW_MS)


def outset(row: BusinessRow | None, channels: dict[str, Channel]) -> Outset:
    return Outset(Shops(row, channels), TARGETS, lambda: NOW_MS + 5)


def candidate(click: Click | None = CLICK, expired: bool = False, **changes: Any) -> Candidate:
    event = Event(
        business_id=BUSINESS,
        id="1",
        event_name="Purchase",
        event_id="ORD-1",
        event_at=NOW_MS,
        received_at=NOW_MS,
        click=click or Click(),
    )
    return Candidate(event=msgspec.structs.replace(event, **changes), match=Match(click), expired=expired)


TRACKED = Click("tracking id only")
ROWS: list[tuple[str, Candidate, dict[str, Any], dict[str, Channel], State, Reason | None]] = [
    # what is the matter, candidate, business, channels, state, reason
    ("nothing", candidate(), {}, RUNNING, "pending", None),
    ("too old", candidate(expired=True), {}, RUNNING, "dead", "expired"),
    (
        "too old comes before all else",
        candidate(None, expired=True, consent="denied", test=True),
        {},
        {},
        "dead",
        "expired",
    ),
    ("no click yet", candidate(None), {}, RUNNING, "unmatched", None),
    ("no click yet, refused", candidate(None, consent="denied"), {}, RUNNING, "unmatched", None),
    ("no click id", candidate(TRACKED), {}, RUNNING, "dead", "no_click_id"),
    ("no click id comes before consent", candidate(TRACKED, consent="pending"), {}, RUNNING, "dead", "no_click_id"),
    ("denied", candidate(consent="denied"), {}, RUNNING, "dead", "consent"),
    ("denied comes before test", candidate(consent="denied", test=True), {}, RUNNING, "dead", "consent"),
    ("granted", candidate(consent="granted"), {"consent_required": True}, RUNNING, "pending", None),
    ("pending consent", candidate(consent="pending"), {}, RUNNING, "held", "consent"),
    ("unknown where required", candidate(), {"consent_required": True}, RUNNING, "held", "consent"),
    ("test without code", candidate(test=True), {}, RUNNING, "dead", "test"),
    ("test comes before waiting consent", candidate(test=True, consent="pending"), {}, RUNNING, "dead", "test"),
    ("test with code", candidate(test=True), {"test_event_code": "T"}, RUNNING, "pending", None),
    (
        "test with code where none can be told",
        candidate(test=True),
        {"test_event_code": "T", "destination": "connectly"},
        RUNNING,
        "dead",
        "test",
    ),
    ("consent comes before the channel", candidate(consent="pending"), {}, {}, "held", "consent"),
    ("no channel", candidate(), {}, {"connectly": Channel()}, "held", "channel"),
    ("channel of another name", candidate(channel="messenger"), {}, RUNNING, "held", "channel"),
    ("channel held", candidate(), {}, {"whatsapp": Channel("token")}, "held", "token"),
    (
        "account held",
        candidate(),
        {"destination": "connectly"},
        {"connectly": Channel("permission")},
        "held",
        "permission",
    ),
    ("another channel held", candidate(), {}, {"whatsapp": Channel(), "connectly": Channel("token")}, "pending", None),
    ("connectly", candidate(), {"destination": "connectly"}, {"connectly": Channel()}, "pending", None),
]


@pytest.mark.parametrize(("matter", "given", "row", "channels", "state", "reason"), ROWS, ids=[row[0] for row in ROWS])
def test_an_event_starts_in_the_state_that_its_matter_asks_for(
    matter: str,
    given: Candidate,
    row: dict[str, Any],
    channels: dict[str, Channel],
    state: State,
    reason: Reason | None,
) -> None:
    found = outset(business(**row), channels).delivery(given)
    assert (found.state, found.reason) == (state, reason), matter
    assert (found.attempts, found.lease_ms, found.revision) == (0, None, 1)


def test_a_business_that_is_gone_sends_nothing() -> None:
    found = outset(None, RUNNING).delivery(candidate())
    assert (found.state, found.reason) == ("held", "channel")


@pytest.mark.parametrize(
    ("destination", "source", "lane"),
    [
        ("meta", "server", f"meta:{BUSINESS}:whatsapp:server"),
        ("meta", "browser", f"meta:{BUSINESS}:whatsapp:browser"),
        ("connectly", "server", f"connectly:{BUSINESS}:connectly:server"),
    ],
)
def test_a_lane_is_one_destination_business_channel_and_source(destination: str, source: str, lane: str) -> None:
    found = outset(business(destination=destination), RUNNING).delivery(candidate(source=source))
    assert (found.destination, found.lane) == (destination, lane)
    assert (found.business_id, found.id, found.due_at) == (BUSINESS, "1", NOW_MS + 5)
    assert found.deadline_at == deadline(NOW_MS)


def test_what_the_click_lacks_is_named_with_its_rule() -> None:
    found = outset(business(), RUNNING).delivery(candidate(TRACKED))
    assert found.error == "ctwa_clid: the click lacks it, and meta needs it"


@pytest.mark.parametrize(("destination", "channel"), [("meta", "whatsapp"), ("connectly", "connectly")])
def test_a_shops_events_need_the_channel_of_its_destination(destination: str, channel: str) -> None:
    row = business(destination=destination)
    assert intake(row, RUNNING).channel_of(row) == "whatsapp"
    others = {name: value for name, value in RUNNING.items() if name != channel}
    with pytest.raises(NotFound) as caught:
        intake(row, others).channel_of(row)
    assert caught.value.stage == "channel_lookup"
