"""docs/delivery.md tells the numbers that the code has."""

from pathlib import Path

import pytest

from collector.delivery import NAMING_SUBCODES, PACES, REFUSALS_ALIKE_MAX, Kind, State, classify
from collector.destinations.answer import WORDS_MAX
from collector.destinations.connectly import Connectly
from collector.destinations.meta import Meta
from collector.dispatcher import LOOK_SECONDS
from collector.lane import FEWER, Limits
from collector.lane.batch import SETTLED_AT_ONCE
from collector.replay import WHY
from collector.store.outbox import HEADS_MAX
from collector.verdict import WAITERS_MAX

PAGE = (Path(__file__).resolve().parent.parent.parent / "docs" / "delivery.md").read_text()


def test_every_state_has_its_row() -> None:
    assert all(f"\n| `{state}` |" in PAGE for state in State.__args__)  # type: ignore[attr-defined]  # a Literal's members


def test_every_naming_subcode_is_listed() -> None:
    paragraph = next(line for line in PAGE.split("\n- ") if line.startswith("**Twenty alike.**"))
    assert {int(word.strip(",.")) for word in paragraph.split() if word.startswith("2804")} == NAMING_SUBCODES
    assert REFUSALS_ALIKE_MAX == 20


def span(ms: int) -> str:
    if ms % 3_600_000 == 0:
        return f"{ms // 3_600_000} h"
    return f"{ms // 60_000} min" if ms % 60_000 == 0 and ms > 60_000 else f"{ms / 1000:g} s"


@pytest.mark.parametrize("kind", PACES)
def test_the_schedule_is_as_told(kind: str) -> None:
    assert f"| `{kind}` | {' | '.join(map(span, PACES[kind]))} |" in PAGE


def test_every_limit_is_as_told() -> None:
    limits = Limits()
    for name in limits.__struct_fields__:
        assert f"`Limits.{name}`" in PAGE or f"`{name}`" in PAGE
    told = [
        f"| {limits.lane_events}; {limits.claimed_events} |",
        f"| {limits.events:,} |",
        f"| {limits.sockets} | `Limits.sockets`",
        f"| Meta {Meta.requests_max} ({Meta.requests_max // FEWER} while they carry many events), Connectly {Connectly.requests_max};",
        f"| Meta {Meta.batch_max}, Connectly {Connectly.batch_max} |",
        f"| {limits.lease_ms // 1000} s | `Limits.lease_ms`",
        f"| {limits.linger_seconds * 1000:g} ms |",
        f"| {limits.poll_seconds:g} s | `Limits.poll_seconds`",
        f"| {LOOK_SECONDS:g} s | `LOOK_SECONDS`",
        f"| {HEADS_MAX} | `HEADS_MAX`",
        f"| {limits.chores_seconds:g} s |",
        f"| {limits.refused_clicks:,} |",
        f"| {WORDS_MAX} characters |",
        f"| {WAITERS_MAX} | `WAITERS_MAX`",
        f"| {SETTLED_AT_ONCE} |",
    ]
    assert [line for line in told if line not in PAGE] == []


@pytest.mark.parametrize(
    ("kind", "hold", "codes"),
    [
        ("held", "permission", (3, 10, 33, 102, 200, 299)),
        ("held", "token", (190, 104)),
        ("throttled", None, (4, 17, 32, 341, 368, 613, 80000, 80014)),
        ("unavailable", None, (1, 2, 5000, 21009, 2635)),
    ],
)
def test_the_table_of_codes_is_as_told(kind: Kind, hold: str | None, codes: tuple[int, ...]) -> None:
    row = next(
        line
        for line in PAGE.splitlines()
        if (f"| `{kind}` |" in line and f"held({hold})" in line) or (not hold and f"| `{kind}` | app" in line)
    )
    for code in codes:
        assert (classify(400, code).kind, classify(400, code).hold) == (kind, hold)
        assert str(code) in row


def test_every_refusal_of_a_replay_is_told() -> None:
    told = PAGE.split("\n## Replay\n")[1].split("\n## ")[0]
    assert [why for why in WHY if f"`{why}`" not in told] == []
