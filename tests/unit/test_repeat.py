"""The contract's table of repeats, over every state, reason, body and click."""

from itertools import product
from typing import get_args

import msgspec
import pytest

from collector.attribution import Click
from collector.consent import Consent
from collector.delivery import Reason, State
from collector.event import Event, digest, same_body
from collector.match import Match, met
from collector.options import Options, said
from collector.receipt import Candidate
from collector.repeat import Repeat, repeat, restricted, revision, same
from collector.store.face import Delivery, StoredEvent
from tests.unit.samples import BUSINESS, CLICK, NOW_MS

ANY = None
TABLE: list[tuple[State, Reason | None, bool | None, bool | None, bool | None, Repeat]] = [
    # state, reason, same body, resolves a click, a denial, what is done; the first row that fits counts
    ("delivered", ANY, ANY, ANY, ANY, "delivered"),
    ("unmatched", ANY, ANY, ANY, True, "deny"),
    ("unmatched", ANY, False, ANY, ANY, "correct"),
    ("unmatched", ANY, ANY, True, ANY, "match"),
    ("unmatched", ANY, ANY, False, ANY, "join"),
    ("dead", "rejected", False, True, ANY, "correct"),
    ("dead", "rejected", ANY, ANY, ANY, "refused"),
    ("dead", "expired", ANY, ANY, ANY, "refused"),
    ("dead", ANY, ANY, ANY, ANY, "dead"),
    ("held", ANY, ANY, ANY, True, "deny"),
    ("held", ANY, False, True, ANY, "correct"),
    ("held", ANY, ANY, ANY, ANY, "join"),
    ("pending", ANY, ANY, ANY, True, "deny"),
    ("pending", ANY, ANY, ANY, ANY, "join"),
    ("sending", ANY, ANY, ANY, ANY, "join"),
    ("retrying", ANY, ANY, ANY, True, "deny"),
    ("retrying", ANY, ANY, ANY, ANY, "join"),
]
REASONS: tuple[Reason | None, ...] = (None, *get_args(Reason))
SAID = [(same, resolves, denied) for same in (True, False) for resolves in (True, False) for denied in (True, False)]


def standing(state: State, reason: Reason | None) -> StoredEvent:
    event = Event(
        business_id=BUSINESS, id="1", event_name="Purchase", event_id="o", event_at=NOW_MS, received_at=NOW_MS
    )
    delivery = Delivery(
        business_id=BUSINESS, id="1", destination="meta", lane="l", state=state, reason=reason, due_at=0, deadline_at=0
    )
    return StoredEvent(event=event, delivery=delivery)


def row_of(state: State, reason: Reason | None, *told: bool) -> Repeat:
    given = (state, reason, *told)
    return next(
        row[5] for row in TABLE if all(cell in (ANY, value) for cell, value in zip(row[:5], given, strict=True))
    )


@pytest.mark.parametrize("state", get_args(State))
def test_a_repeat_does_what_the_table_says(state: State) -> None:
    for reason, told in product(REASONS, SAID):
        assert repeat(standing(state, reason), *told) == row_of(state, reason, *told), (reason, told)


def test_nothing_is_sent_again_for_what_is_delivered_or_on_its_way() -> None:
    for state, reason, told in product(get_args(State), REASONS, SAID):
        if state in ("delivered", "pending", "sending", "retrying"):
            assert repeat(standing(state, reason), *told) not in ("match", "correct")


def test_the_decision_leaves_the_standing_event_as_it_is() -> None:
    event = standing("dead", "rejected")
    before = msgspec.json.encode(event)
    repeat(event, same=False, resolves=True, denied=False)
    assert msgspec.json.encode(event) == before


def order(value: int, click: Click, event_time: int | None = None) -> Event:
    """An order as a call brings it; without a time it happened when it arrived."""
    data = f'{{"value":{value}}}'
    return msgspec.structs.replace(
        standing("held", None).event,
        custom_data=data,
        click=click,
        event_at=NOW_MS if event_time is None else event_time * 1000,
        digest=digest("Purchase", data, click, msgspec.UNSET if event_time is None else event_time),
    )


@pytest.mark.parametrize("event_time", [None, NOW_MS // 1000 - 9])
def test_a_match_keeps_the_first_body_and_is_known_again_with_its_click(event_time: int | None) -> None:
    first = order(1, Click(), event_time)
    found = met(first, Match(CLICK))
    assert (found.custom_data, found.event_at, found.revision) == (first.custom_data, first.event_at, 1)
    assert found.click == CLICK
    assert same_body(found.digest, order(1, CLICK, event_time).digest)
    assert not same_body(found.digest, order(2, CLICK, event_time).digest)


@pytest.mark.parametrize("first_time", [None, NOW_MS // 1000 - 9])
def test_a_correction_without_a_time_is_about_the_same_moment(first_time: int | None) -> None:
    first = msgspec.structs.replace(order(1, CLICK, first_time), event_at=NOW_MS - 9000)
    later = msgspec.structs.replace(order(2, CLICK), id="2", event_at=NOW_MS + 3000)
    found = revision(first, later)
    assert (found.id, found.custom_data, found.revision) == (first.id, later.custom_data, 2)
    assert found.event_at == first.event_at
    timed = revision(first, order(2, CLICK, NOW_MS // 1000 - 5))
    assert timed.event_at == (NOW_MS // 1000 - 5) * 1000


LIMITED = Options(wire={"opt_out": True, "data_processing_options": ["LDU"], "data_processing_options_country": 1})


def asking(options: Options, consent: Consent = "unknown") -> Event:
    return msgspec.structs.replace(order(1, CLICK), options=options.text(), consent=consent)


def under(state: State, given: Event, first: Event | None = None) -> StoredEvent:
    """What stands after a repeat."""
    before = standing(state, None)
    return restricted(StoredEvent(event=first or asking(Options()), delivery=before.delivery), given)


@pytest.mark.parametrize("state", ["unmatched", "pending", "retrying", "held"])
def test_a_denial_ends_what_is_not_sent_yet(state: State) -> None:
    after = under(state, asking(Options(), "denied"))
    assert (after.delivery.state, after.delivery.reason, after.event.consent) == ("dead", "consent", "denied")


def test_a_denial_of_what_is_being_sent_is_kept_for_its_next_try() -> None:
    after = under("sending", asking(Options(), "denied"))
    assert (after.delivery.state, after.delivery.reason, after.event.consent) == ("sending", None, "denied")
    assert said(after.event).consent == "denied"


@pytest.mark.parametrize("state", ["delivered", "dead"])
def test_what_is_over_stays_so_and_knows_a_denial_for_a_replay(state: State) -> None:
    after = under(state, asking(LIMITED, "denied"))
    assert (after.delivery.state, after.delivery.reason, after.event.consent) == (state, None, "denied")
    assert said(after.event).wire == LIMITED.wire


@pytest.mark.parametrize("state", ["pending", "sending", "retrying", "held"])
def test_limits_of_a_repeat_bind_what_is_not_delivered_and_nothing_else_of_it_does(state: State) -> None:
    given = msgspec.structs.replace(asking(LIMITED, "granted"), custom_data='{"value":9}')
    after = under(state, given)
    assert (after.event.custom_data, after.event.consent) == ('{"value":1}', "unknown")
    assert said(after.event) == LIMITED
    assert (after.delivery.state, after.delivery.reason) == (state, None)


def test_a_repeat_lifts_no_limit() -> None:
    first = asking(LIMITED)
    none = asking(Options(wire={"opt_out": False, "data_processing_options": []}))
    assert under("retrying", none, first).event is first
    assert said(revision(first, none)).wire == LIMITED.wire


@pytest.mark.parametrize(
    ("first", "later", "counts"),
    [
        ("denied", "granted", "denied"),
        ("pending", "unknown", "pending"),
        ("pending", "granted", "granted"),
        ("unknown", "granted", "granted"),
        ("granted", "denied", "denied"),
    ],
)
def test_a_correction_that_says_nothing_of_consent_leaves_it_and_none_lifts_a_denial(
    first: Consent, later: Consent, counts: Consent
) -> None:
    spoken = None if later == "unknown" else later
    found = revision(asking(Options(consent=first), first), asking(Options(consent=spoken), later))
    assert (found.consent, said(found).consent) == (counts, counts)


@pytest.mark.parametrize("state", get_args(State))
def test_a_click_that_the_repeat_cannot_find_makes_no_other_body(state: State) -> None:
    first = StoredEvent(event=order(1, CLICK), delivery=standing(state, None).delivery)
    assert same(first, Candidate(event=order(1, Click()), match=Match(None)))
    assert not same(first, Candidate(event=order(2, Click()), match=Match(None)))


def test_a_click_that_the_first_waits_for_makes_no_other_body() -> None:
    first = StoredEvent(event=order(1, Click()), delivery=standing("unmatched", None).delivery)
    assert same(first, Candidate(event=order(1, CLICK), match=Match(CLICK)))
    assert not same(first, Candidate(event=order(2, CLICK), match=Match(CLICK)))
