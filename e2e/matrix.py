"""The delivery-and-cookie matrix: three engines, three set-ups, four ways to leave a landing page, a slow network before a real collector.

    python -m e2e.matrix [--same-tick N] [--others N] [--engine NAME]… [--write]

One trial: a fresh profile lands from a campaign and leaves. Counted are clicks that the collector acknowledged and stored (with nothing to
rescue them: the page left for has no tag), and profiles whose cookies reach the shop's server afterwards. Ends with 1 where one was lost.
"""

import argparse
import math
import sys
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from e2e.conftest import FAR, NEAR, SHOP
from e2e.crossing import DELAY_SECONDS, LEAVES, SETUPS, Crossing, crossing
from e2e.engines import ENGINES, Engine, MissingEngine

HOSTS = (SHOP, NEAR, FAR)
README = Path(__file__).resolve().parents[1] / "snippet" / "README.md"
BEGIN, END = "<!-- matrix: written by `make matrix` -->\n", "<!-- end of matrix -->"
WAIT_SECONDS = 6.0
TRIES = 20
WORKERS = 3
VIEW_SECONDS = 30.0


@dataclass(frozen=True)
class Trial:
    """One visitor of one cell."""

    engine: str
    setup: str
    leave: str
    click: str


@dataclass(frozen=True)
class Outcome:
    """What became of a trial."""

    trial: Trial
    delivered: bool
    cookie: bool


def attempt(trial: Trial, engine: Engine, stage: Crossing) -> Outcome:
    """Land, leave, and look what is left."""
    with engine.profile() as profile:
        profile.visit(stage.landing(trial.setup, trial.leave, trial.click))
        if trial.leave == "tab closed":
            profile.close_tab()
        delivered = stage.sightings.wait("delivered", trial.click, WAIT_SECONDS)
        if trial.setup == "foreign":  # the answer found no page that could write it down; the next one asks again
            profile.visit(stage.next_page(trial.setup, trial.click))
            return Outcome(trial, delivered, stage.sightings.wait("cookie", trial.click, WAIT_SECONDS))
        for _ in range(TRIES):
            profile.visit(stage.cookies(trial.click))
            if stage.sightings.wait("cookie", trial.click, 0.1):
                return Outcome(trial, delivered, cookie=True)
    return Outcome(trial, delivered, cookie=False)


def run(name: str, trials: list[Trial], stage: Crossing) -> tuple[str, list[Outcome]]:
    """Make the trials in a few browsers at once: most of each is waiting. Gives the engine's version too."""
    waiting: SimpleQueue[Trial] = SimpleQueue()
    for trial in trials:
        waiting.put(trial)

    def work(_: int) -> tuple[str, list[Outcome]]:
        outcomes = []
        with ENGINES[name](HOSTS) as engine:
            with suppress(Empty):
                while True:
                    outcomes.append(attempt(waiting.get_nowait(), engine, stage))
            return engine.version, outcomes

    with ThreadPoolExecutor(WORKERS) as pool:
        done = list(pool.map(work, range(WORKERS)))
    return done[0][0], [outcome for _, outcomes in done for outcome in outcomes]


# ------------------------------------------------------------------ the table


def proven(trials: int) -> float:
    """The share that is kept at least, at 95 % confidence, where none of so many trials failed (in percent)."""
    return 100 * math.pow(0.05, 1 / trials)


def table(versions: dict[str, str], outcomes: list[Outcome], views: dict[str, int]) -> str:
    """The results as Markdown."""
    names = list(versions)
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d} by `make matrix`: real collector, TLS, "
        f"{DELAY_SECONDS * 1000:.0f} ms in each direction, a fresh profile for each trial; nothing rescues a lost post.",
        "Each cell: landings delivered / cookies kept, of the trials made. A foreign collector's cookies are written by the shop's next page.",
        "",
        "| set-up | page left | " + " | ".join(f"{name} {versions[name]}" for name in names) + " |",
        "|---|---|" + "---|" * len(names),
    ]
    for setup in SETUPS:
        for leave in LEAVES:
            cells = []
            for name in names:
                cell = [
                    each
                    for each in outcomes
                    if (each.trial.engine, each.trial.setup, each.trial.leave) == (name, setup, leave)
                ]
                delivered, kept = sum(each.delivered for each in cell), sum(each.cookie for each in cell)
                cells.append(f"{delivered} / {kept} of {len(cell)}")
            lines.append(f"| {setup} | {leave} | " + " | ".join(cells) + " |")
    lines += ["", *(_sentence(name, outcomes) for name in names)]
    doubled = sum(count > 1 for count in views.values())
    missing = sum(each.delivered and not views.get(each.trial.click) for each in outcomes)
    lines.append(
        f"- Of {len(outcomes)} clicks, {doubled} had their view counted twice at the ad platform, and {missing} delivered landings came without it."
    )
    return "\n".join(lines) + "\n"


def _sentence(name: str, outcomes: list[Outcome]) -> str:
    row = [each for each in outcomes if each.trial.engine == name and each.trial.leave == "same tick"]
    failed = sum(not (each.delivered and each.cookie) for each in row)
    if failed:
        return f"- {name}, left in the same tick: {failed} failures of {len(row)}."
    return (
        f"- {name}, left in the same tick: 0 failures of {len(row)} proves {proven(len(row)):.1f} % at 95 % confidence."
    )


# ------------------------------------------------------------------ the command


def main(arguments: list[str]) -> int:
    """Run the matrix; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m e2e.matrix", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--same-tick", type=int, default=67, help="trials of each engine and set-up (default: 67, 201 an engine)"
    )
    parser.add_argument("--others", type=int, default=20, help="trials of each other cell (default: 20)")
    parser.add_argument("--engine", action="append", choices=list(ENGINES), help="only this one; repeatable")
    parser.add_argument("--write", action="store_true", help="put the table into snippet/README.md")
    asked = parser.parse_args(arguments)
    versions: dict[str, str] = {}
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="collector-matrix-") as directory, crossing(Path(directory)) as stage:
        for name in asked.engine or ENGINES:
            begun = time.monotonic()
            trials = [
                Trial(name, setup, leave, f"AR{uuid.uuid4().hex}")
                for leave in LEAVES
                for setup in SETUPS
                for _ in range(asked.same_tick if leave == "same tick" else asked.others)
            ]
            versions[name], made = run(name, trials, stage)
            outcomes += made
            sys.stderr.write(f"{name} {versions[name]}: {len(made)} trials in {time.monotonic() - begun:.0f} s\n")
        views = stage.wait_for_views({each.trial.click for each in outcomes if each.delivered}, VIEW_SECONDS)
    text = table(versions, outcomes, views)
    sys.stdout.write(text)
    if asked.write:
        before, rest = README.read_text().split(BEGIN)
        README.write_text(before + BEGIN + text + END + rest.split(END)[1])
    return int(any(not (each.delivered and each.cookie) for each in outcomes))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except MissingEngine as problem:
        sys.exit(f"matrix: {problem}")
