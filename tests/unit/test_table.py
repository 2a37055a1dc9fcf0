"""The table of delivery says of each figure whether it is good enough."""

import pytest

from bench.table import FIGURES, missed, written


@pytest.mark.parametrize(("name", "good", "enough", "bad"), [("two", 1.8, 1.4, 1.39), ("ack_p99", 1.9, 3.0, 3.01)])
def test_a_figure_reaches_its_aim_or_its_gate_or_is_missed(name: str, good: float, enough: float, bad: float) -> None:
    told = []
    for value in (good, enough, bad):
        figures = {"postgres": {name: value}}
        told.append(written(figures))
        assert missed(figures) == ([f"postgres {name}"] if value == bad else [])
    assert [", aim |" in told[0], ", gate |" in told[1], ", missed** |" in told[2]] == [True] * 3
    assert [text.splitlines()[-1] for text in told] == ["1 gates measured, 0 missed"] * 2 + [
        "1 gates measured, 1 missed"
    ]


def test_sqlite_has_no_gate_for_claiming_and_settling() -> None:
    slow = {engine: {"settle": 14_999.0} for engine in ("sqlite", "postgres")}
    assert missed(slow) == ["postgres settle"]
    assert "| 14,999/s | **14,999/s, missed** |" in written(slow)


def test_what_was_not_measured_is_not_in_the_table() -> None:
    text = written({"sqlite": {"memory": 103.4}, "postgres": {}})
    assert [line for line in text.splitlines() if line.startswith("| ")] == [
        "| what | gate | aim | SQLite | PostgreSQL |",
        "| memory with a backlog of 1,000,000 | 150 MB | 100 MB | 103 MB, gate | – |",
    ]


def test_no_aim_is_easier_than_its_gate() -> None:
    assert all(figure.reaches(figure.aim, figure.gate) for figure in FIGURES.values())
