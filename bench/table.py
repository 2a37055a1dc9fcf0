"""The table of delivery: what each figure must reach and is meant to reach, and whether it does."""

from collections.abc import Mapping
from typing import NamedTuple


class Figure(NamedTuple):
    """One figure. Its gate and its aim are bounds: from below where more is better."""

    what: str
    gate: float
    aim: float
    more: bool = False
    told: str = "{:.1f} ms"

    def reaches(self, value: float, bound: float) -> bool:
        """Whether a value is as good as a bound."""
        return value >= bound if self.more else value <= bound


FIGURES = {
    "delivered_32": Figure(
        "acknowledged and delivered, Graph answering after 150 ms, over bare, 32 connections",
        0.35,
        0.50,
        True,
        "{:.2f}",
    ),
    "delivered_128": Figure("the same, 128 connections", 0.35, 0.50, True, "{:.2f}"),
    "delivered_behind": Figure(
        "what has not arrived after six seconds of it, in seconds of what comes", 0.5, 0.3, told="{:.2f} s"
    ),
    "ack_p99": Figure(
        "acknowledgement p99 over bare p99, 32 connections (nothing is sent meanwhile)", 3, 2, told="{:.1f}×"
    ),
    "delivered_p99_32": Figure("the same while all of it is delivered", 3, 2, told="{:.1f}×"),
    "arrival_p50": Figure("arrival at Graph after the acknowledgement, 200 events/s, p50", 20, 10),
    "arrival_p99": Figure("the same, p99", 100, 50),
    "drain_rate": Figure("backlog of 100,000 into a thin sink", 3000, 5000, True, "{:,.0f}/s"),
    "drain_batch": Figure("the same, events a request", 500, 500, True, "{:,.0f}"),
    "claim": Figure("a claim at a backlog of 1,000,000 over 1,000", 1.3, 1.1, told="{:.2f}×"),
    "settle": Figure("claim + settle, batches of 50 (the gate is PostgreSQL's)", 15_000, 20_000, True, "{:,.0f}/s"),
    "two": Figure("two collectors on PostgreSQL over one", 1.4, 1.7, True, "{:.2f}×"),
    "spread_p50": Figure("synchronous caller over 200 ms, 50 callers evenly spread, p50", 10, 5),
    "spread_p99": Figure("the same, p99", 60, 30),
    "step_p50": Figure("the same callers all in step, p50", 10, 5),
    "step_p99": Figure("the same, p99", 60, 30),
    "send_50": Figure("CPU an event sent in batches of 50 (no store takes part)", 40, 20, told="{:.0f} µs"),
    "drain_cpu": Figure(
        "the same claimed, sent and settled, batches of 1,000 (SQLite's work is in it)", 40, 20, told="{:.0f} µs"
    ),
    "memory": Figure("memory with a backlog of 1,000,000", 150, 100, told="{:.0f} MB"),
}
ENGINES = {"sqlite": "SQLite", "postgres": "PostgreSQL"}
_WITHOUT_GATE = {
    ("sqlite", "settle"),
    *((engine, name) for engine in ENGINES for name in ("delivered_p99_32", "step_p50", "step_p99")),
}
"""Told, and held to nothing: their gates are meant for other circumstances, or for the other engine."""

Figures = Mapping[str, Mapping[str, float]]


def missed(figures: Figures) -> list[str]:
    """Which gates were measured and missed, as `engine figure`."""
    return [
        f"{engine} {name}"
        for engine, name in _gates(figures)
        if not FIGURES[name].reaches(figures[engine][name], FIGURES[name].gate)
    ]


def _gates(figures: Figures) -> list[tuple[str, str]]:
    """What was measured and has a gate: engine and figure."""
    measured = [(engine, name) for name in FIGURES for engine, found in figures.items() if name in found]
    return [each for each in measured if each not in _WITHOUT_GATE]


def written(figures: Figures) -> str:
    """The table of what was measured, in Markdown, and how many gates were missed."""
    lines = [
        "",
        f"| what | gate | aim | {' | '.join(ENGINES[engine] for engine in figures)} |",
        f"|{'---|' * (3 + len(figures))}",
    ]
    for name, figure in FIGURES.items():
        cells = [_cell(engine, name, found) for engine, found in figures.items()]
        if any(cells):
            bounds = (figure.told.format(bound) for bound in (figure.gate, figure.aim))
            lines.append(f"| {' | '.join([figure.what, *bounds, *(cell or '–' for cell in cells)])} |")
    return "\n".join([*lines, "", f"{len(_gates(figures))} gates measured, {len(missed(figures))} missed"])


def _cell(engine: str, name: str, found: Mapping[str, float]) -> str:
    if name not in found:
        return ""
    figure, value = FIGURES[name], found[name]
    text = figure.told.format(value)
    if (engine, name) in _WITHOUT_GATE:
        return text
    if figure.reaches(value, figure.aim):
        return f"{text}, aim"
    return f"{text}, gate" if figure.reaches(value, figure.gate) else f"**{text}, missed**"
