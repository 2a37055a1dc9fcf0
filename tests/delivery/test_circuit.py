"""When a lane stops asking, for how long, and what makes it ask again."""

import pytest

from collector.delivery import Kind, Outcome
from collector.lane.circuit import FAILURES_MAX, Circuit


def said(kind: Kind, wait: int | None = None) -> Outcome:
    return Outcome(kind=kind, scope="app", retry_after_ms=wait)


@pytest.fixture
def circuit() -> Circuit:
    return Circuit(lambda: 0.0)


def test_a_circuit_starts_closed_and_stays_so_while_all_is_well(circuit: Circuit) -> None:
    for _ in range(5):
        circuit.hear(said("accepted"), 0)
        circuit.hear(said("rejected"), 0)
    assert circuit.mode(0) == "flow"


@pytest.mark.parametrize("kind", ["unavailable", "unknown"])
def test_failures_in_a_row_open_it_and_single_ones_do_not(circuit: Circuit, kind: Kind) -> None:
    for _ in range(10):
        for _ in range(FAILURES_MAX - 1):
            circuit.hear(said(kind), 0)
            assert circuit.mode(0) == "flow"
        circuit.hear(said("accepted"), 0)
    for _ in range(FAILURES_MAX):
        circuit.hear(said(kind), 0)
    assert circuit.mode(0) == "stop"


def test_a_throttle_opens_it_at_once_for_as_long_as_asked(circuit: Circuit) -> None:
    circuit.hear(said("throttled", 90_000), 0)
    assert (circuit.mode(89.9), circuit.mode(90)) == ("stop", "probe")


def test_answers_of_requests_that_were_on_their_way_do_not_lengthen_it(circuit: Circuit) -> None:
    circuit.hear(said("throttled"), 0)
    opens_at = circuit.opens_at
    for _ in range(8):
        circuit.hear(said("unavailable"), 4.9)
    assert circuit.opens_at == opens_at
    circuit.hear(said("throttled", 60_000), 1)
    assert circuit.opens_at == 61
    circuit.hear(said("throttled", 1_000), 2)
    assert circuit.opens_at == 61


@pytest.mark.parametrize("kind", ["accepted", "rejected", "held"])
def test_any_real_answer_to_the_probe_closes_it(circuit: Circuit, kind: Kind) -> None:
    circuit.hear(said("throttled"), 0)
    assert circuit.mode(100) == "probe"
    circuit.hear(said(kind), 100)
    assert circuit.mode(100) == "flow"


def test_a_failed_probe_opens_it_for_longer_but_never_for_more_than_a_minute() -> None:
    circuit, now, waits = Circuit(lambda: 0.999), 0.0, []
    for _ in range(FAILURES_MAX - 1):
        circuit.hear(said("unavailable"), now)
    for _ in range(20):
        circuit.hear(said("unavailable"), now)
        assert circuit.opens_at is not None
        waits.append(round(circuit.opens_at - now, 3))
        now = circuit.opens_at
    assert waits == sorted(waits)
    assert waits[0] < 2
    assert 59 < waits[-1] <= 60
