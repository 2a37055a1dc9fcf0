"""The contract's table of repeats, over every state, reason, body and click."""

from itertools import product
from typing import get_args

import msgspec
import pytest

from collector.attribution import Click
from collector.delivery import Reason, State
from collector.event import Event, digest, same_body
from collector.match import Match, met
from collector.repeat import Repeat, repeat, revision
from collector.store.face import Delivery, StoredEvent
from tests.unit.samples import BUSINESS, CLICK, NOW_MS

ANY = None
TABLE: list[tuple[State, Reason | None, bool | None, bool | None, Repeat]] = [
    # state, reason, same body, resolves a click, what is done; the first row that fits counts
    ("delivered", ANY, ANY, ANY, "delivered"),
    ("unmatched", ANY, ANY, True, "match"),
    ("unmatched", ANY, ANY, False, "join"),
    ("dead", "rejected", False, True, "correct"),
    ("dead", "rejected", ANY, ANY, "refused"),
    ("dead", "expired", ANY, ANY, "refused"),
    ("dead", ANY, ANY, ANY, "dead"),
    ("held", ANY, False, True, "correct"),
    ("held", ANY, ANY, ANY, "join"),
    ("pending", ANY, ANY, ANY, "join"),
    ("sending", ANY, ANY, ANY, "join"),
    ("retrying", ANY, ANY, ANY, "join"),
]
REASONS: tuple[Reason | None, ...] = (None, *get_args(Reason))


def standing(state: State, reason: Reason | None) -> StoredEvent:
    event = Event(
        business_id=BUSINESS, id="1", event_name="Purchase", event_id="o", event_at=NOW_MS, received_at=NOW_MS
    )
    delivery = Delivery(
        business_id=BUSINESS, id="1", destination="meta", lane="l", state=state, reason=reason, due_at=0, deadline_at=0
    )
    return StoredEvent(event=event, delivery=delivery)


def row_of(state: State, reason: Reason | None, same: bool, resolves: bool) -> Repeat:
    given = (state, reason, same, resolves)
    return next(
        row[4] for row in TABLE if all(cell in (ANY, value) for cell, value in zip(row[:4], given, strict=True))
    )


@pytest.mark.parametrize("state", get_args(State))
def test_a_repeat_does_what_the_table_says(state: State) -> None:
    for reason, same, resolves in product(REASONS, (True, False), (True, False)):
        found = repeat(standing(state, reason), same, resolves)
        assert found == row_of(state, reason, same, resolves), (state, reason, same, resolves)


def test_nothing_is_sent_again_for_what_is_delivered_or_on_its_way() -> None:
    for state, reason, same, resolves in product(get_args(State), REASONS, (True, False), (True, False)):
        if state in ("delivered", "pending", "sending", "retrying"):
            assert repeat(standing(state, reason), same, resolves) not in ("match", "correct")


def test_the_decision_leaves_the_standing_event_as_it_is() -> None:
    event = standing("dead", "rejected")
    before = msgspec.json.encode(event)
    repeat(event, same=False, resolves=True)
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
