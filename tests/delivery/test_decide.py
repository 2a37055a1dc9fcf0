"""What follows from an outcome, and when: for every outcome, attempt, clock and draw."""

from typing import get_args

import pytest
from hypothesis import given, strategies as st

from collector.delivery import (
    AGE_MAX_MS,
    HINT_MAX_MS,
    PACES,
    HoldReason,
    Kind,
    LaneName,
    OnUnknown,
    Outcome,
    Reason,
    Scope,
    deadline,
    decide,
    delay,
    hold_reason,
)

NOW = 1_780_000_000_000
WEEK = AGE_MAX_MS

outcomes = st.builds(
    Outcome,
    kind=st.sampled_from(get_args(Kind)),
    scope=st.sampled_from(get_args(Scope)),
    hold=st.sampled_from([None, *get_args(HoldReason)]),
    retry_after_ms=st.none() | st.integers(-(10**12), 10**15),
)
draws = st.floats(0, 1, exclude_max=True)
attempts = st.integers(1, 10**6)


@given(
    outcomes, attempts, st.integers(0, 2**45), st.integers(-WEEK, 2 * WEEK), draws, st.sampled_from(get_args(OnUnknown))
)
def test_every_outcome_leads_somewhere_and_nothing_is_tried_too_late(
    outcome: Outcome, number: int, now: int, left: int, random: float, on_unknown: OnUnknown
) -> None:
    decision = decide(outcome, number, now, now + left, random, on_unknown)
    assert decision.due_at >= now
    match decision.state:
        case "delivered":
            assert outcome.kind == "accepted"
        case "held":
            assert outcome.kind == "held" or (outcome.kind == "unknown" and on_unknown == "hold")
            assert decision.reason in (*get_args(HoldReason), "unknown")
        case "retrying":
            assert outcome.kind in ("throttled", "unavailable", "unknown")
            assert now < decision.due_at < now + left
        case "dead":
            assert outcome.kind == "rejected" or left <= max(HINT_MAX_MS, 3_600_000)
        case other:
            raise AssertionError(other)
    assert decision.reason is None or decision.reason in get_args(Reason)


@given(st.sampled_from(["throttled", "unavailable", "unknown"]), attempts, draws, st.none() | st.integers(0, 10**15))
def test_a_delay_has_a_floor_and_a_ceiling_and_obeys_the_hint(
    kind: Kind, number: int, random: float, hint: int | None
) -> None:
    wait = delay(kind, number, random, hint)
    assert PACES[kind].floor_ms <= wait <= max(PACES[kind].most_ms, HINT_MAX_MS)
    assert wait >= min(hint or 0, HINT_MAX_MS)
    if hint is None:
        assert wait <= PACES[kind].most_ms


@given(st.sampled_from(["throttled", "unavailable", "unknown"]), attempts, draws)
def test_delays_never_shrink_with_the_attempts_for_the_same_draw(kind: Kind, number: int, random: float) -> None:
    assert delay(kind, number, random) <= delay(kind, number + 1, random)


def test_the_first_retry_comes_within_seconds_and_jitter_is_full() -> None:
    assert delay("unavailable", 1, 0.0) == 500
    assert delay("unavailable", 1, 0.999999) < 2_000
    assert delay("unknown", 1, 0.999999) < 5_000
    assert delay("throttled", 1, 0.999999) < 10_000


def test_an_outage_is_probed_every_minute_however_long_it_lasts() -> None:
    assert delay("unavailable", 10_000, 0.999999) < 60_000


def test_an_accepted_event_is_delivered_even_after_its_deadline() -> None:
    assert decide(Outcome(kind="accepted", scope="event"), 1, NOW, NOW - 1, 0.5).state == "delivered"


@pytest.mark.parametrize("reason", get_args(HoldReason))
def test_what_is_ours_to_mend_is_held_and_never_dead(reason: HoldReason) -> None:
    outcome = Outcome(kind="held", scope="channel", hold=reason)
    assert decide(outcome, 999, NOW, NOW - 1, 0.5) == decide(outcome, 1, NOW, NOW + WEEK, 0.5)
    assert decide(outcome, 1, NOW, NOW + WEEK, 0.5).reason == reason


def test_an_unknown_fate_is_retried_or_held_as_asked_and_buried_under_its_own_name() -> None:
    outcome = Outcome(kind="unknown", scope="unknown")
    assert decide(outcome, 1, NOW, NOW + WEEK, 0.5).state == "retrying"
    assert decide(outcome, 1, NOW, NOW + WEEK, 0.5, "hold").reason == "unknown"
    assert decide(outcome, 1, NOW, NOW + 10, 0.5).reason == "unknown"
    assert decide(Outcome(kind="unavailable", scope="app"), 1, NOW, NOW + 10, 0.5).reason == "expired"


def test_the_deadline_leaves_room_before_seven_days() -> None:
    assert NOW + WEEK - 3_600_000 < deadline(NOW) < NOW + WEEK


def test_a_hold_reason_that_nobody_knows_is_the_channels() -> None:
    assert [hold_reason(text) for text in ("token", "dataset", "nonsense", "", None)] == [
        "token",
        "dataset",
        "channel",
        "channel",
        "channel",
    ]


def test_a_lane_name_reads_back_and_covers_its_channel() -> None:
    name = LaneName("meta", "b-1", "whatsapp", "server")
    assert LaneName.parse(str(name)) == name
    assert str(name).startswith(name.prefix)
    assert not "meta:b-1:whatsapp-2:server".startswith(name.prefix)


@pytest.mark.parametrize("text", ["", "meta", "meta:b:whatsapp", "meta:b:whatsapp:server:x", "meta::whatsapp:server"])
def test_anything_else_is_no_lane_name(text: str) -> None:
    with pytest.raises(ValueError, match="destination:business_id"):
        LaneName.parse(text)


@pytest.mark.parametrize(
    ("code", "subcode", "names"), [(100, 2804087, True), (100, 2804079, False), (190, None, False)]
)
def test_some_codes_name_the_event(code: int, subcode: int | None, names: bool) -> None:
    assert Outcome(kind="rejected", scope="event", code=code, subcode=subcode).names_event is names
