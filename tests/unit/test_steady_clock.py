"""The clock by which deadlines pass."""

from collector.lane.steady import DOUBT_MS, LEAP_MS, SteadyClock

NOW = 1_795_168_800_000


def test_it_goes_on_by_itself_between_two_looks() -> None:
    assert SteadyClock(NOW, 1000).now(3500) == NOW + 2500


def test_small_steps_ahead_are_followed() -> None:
    clock = SteadyClock(NOW, 0)
    for step in range(1, 4):
        clock.look(NOW + step * LEAP_MS, 0)
        assert clock.now(0) == NOW + step * LEAP_MS


def test_a_step_back_of_any_length_is_followed_at_once() -> None:
    clock = SteadyClock(NOW, 0)
    clock.look(NOW - 10**9, 0)
    assert clock.now(0) == NOW - 10**9


def test_a_leap_ahead_is_followed_when_it_has_stood_for_an_hour_and_not_before() -> None:
    clock, leap = SteadyClock(NOW, 0), LEAP_MS + 1
    clock.look(NOW + leap, 0)
    clock.look(NOW + leap + DOUBT_MS - 1, DOUBT_MS - 1)
    assert clock.now(DOUBT_MS - 1) == NOW + DOUBT_MS - 1
    clock.look(NOW + leap + DOUBT_MS, DOUBT_MS)
    assert clock.now(DOUBT_MS) == NOW + leap + DOUBT_MS


def test_the_hour_begins_anew_after_the_clock_was_right_in_between() -> None:
    clock, leap = SteadyClock(NOW, 0), 10 * LEAP_MS
    clock.look(NOW + leap, 0)
    clock.look(NOW + 1, 1)
    clock.look(NOW + leap + DOUBT_MS, DOUBT_MS)
    assert clock.now(DOUBT_MS) == NOW + DOUBT_MS
