"""Kills a collector at random moments under load, and compares what was acknowledged with what arrived.

    python -m tests.integration.campaign [--kills 200] [--engine sqlite|postgres] [--seed N]

The list of acknowledged events is kept by a process of its own, the arrivals by the sandbox, in another. The seed chooses the moments: the same
seed kills after the same spans of serving.
"""

import argparse
import asyncio
import io
import json
import random
import secrets
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, redirect_stderr
from pathlib import Path
from typing import NamedTuple

import asyncpg
import click

from tests.integration.house import House, eventually
from tests.integration.outage import lapse_leases
from tests.integration.sandbox import Sandbox
from tests.postgres import running_server
from tests.processes import collector, free_port, running

LEAST_SECONDS, MOST_SECONDS = 0.05, 0.9
"""How long a collector lives, counted from its first connection."""
ENDLESS = 10_000_000
DRAIN_SECONDS = 180.0
"""A lease of a dead process lasts a minute, where another process could hold it."""
SLOW_MS = 40
"""Meta's answer takes so long: requests are on their way at most moments."""


class Verdict(NamedTuple):
    """What a campaign came to. The promise is kept where `lost`, `two_ids` and `unexplained` are empty."""

    acknowledged: int
    arrived: int
    lost: list[str]
    two_ids: list[str]
    doubles: int
    unexplained: list[str]
    kills_at: list[float]


def campaign(
    house: House, kills: int, seed: int, directory: Path, say: Callable[[str], None] = click.echo, hurry: bool = False
) -> Verdict:
    """Serve, kill, serve again, so many times, while orders are reported; then let everything arrive, and compare.

    `hurry`: leases of the dead end at once, as if their minute had passed.
    """
    chance = random.Random(seed)
    house.start()
    shop, kept = house.shop(), directory / "acknowledged"
    kept.touch()
    shop.fault("slow", delay_ms=SLOW_MS)
    arguments = (house.url + shop.path, shop.key, str(kept), json.dumps(shop.order()), str(ENDLESS))
    began, kills_at = time.monotonic(), []
    with running(sys.executable, "-m", "tests.integration.acknowledger", *arguments) as caller:
        eventually(lambda: kept.stat().st_size or None, "the first acknowledgement")
        for number in range(1, kills + 1):
            time.sleep(chance.uniform(LEAST_SECONDS, MOST_SECONDS))  # the campaign's own pace: nothing waits for it
            house.kill()
            kills_at.append(round(time.monotonic() - began, 3))
            assert caller.popen.poll() is None, caller.output
            house.start()
            if number % 20 == 0:
                say(f"  {number} kills, {len(kept.read_text().split())} acknowledged")
        caller.kill()
    if hurry and not house.database_url.startswith("sqlite"):
        lapse_leases(house.database_url)
    acknowledged = [line for line in kept.read_text().split("\n")[:-1] if line]
    arrived = _arrived(house, shop.dataset, set(acknowledged))
    doubles = {event_id for event_id, count in arrived.items() if count > 1}
    unknown = {row[0] for row in _ask(house.database_url, UNKNOWN)}
    twice = [row[0] for row in _ask(house.database_url, TWICE)]
    return Verdict(
        acknowledged=len(acknowledged),
        arrived=len(arrived),
        lost=sorted(set(acknowledged) - arrived.keys()),
        two_ids=twice,
        doubles=len(doubles),
        unexplained=sorted(doubles - unknown),
        kills_at=kills_at,
    )


def _arrived(house: House, dataset: str, wanted: set[str]) -> dict[str, int]:
    """How often each order arrived, when nothing is on its way any more, or no more comes in time."""
    house.sandbox.heal()

    def settled() -> bool | None:
        return house.client.get("/readyz").json()["oldest_pending_ms"] is None or None

    eventually(settled, "the end of what is pending", DRAIN_SECONDS)
    times = house.sandbox.times(dataset)
    assert {name for name, _ in times} <= {"Purchase"}
    return {event_id: count for (_, event_id), count in times.items()}


UNKNOWN = """
SELECT DISTINCT e.event_id FROM attempts AS a JOIN events AS e ON e.business_id = a.business_id AND e.id = a.delivery_id
WHERE a.outcome = 'unknown'
"""
TWICE = "SELECT order_id FROM events GROUP BY business_id, order_id HAVING count(*) > 1"


def _ask(database_url: str, query: str) -> Sequence[Sequence[str]]:
    if database_url.startswith("sqlite"):
        with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as file:
            return file.execute(query).fetchall()

    async def fetch() -> Sequence[Sequence[str]]:
        server = await asyncpg.connect(database_url)
        try:
            found = [tuple(row) for row in await server.fetch(query)]
        finally:
            await server.close()
        return found

    return asyncio.run(fetch())


def run(engine: str, kills: int, seed: int) -> bool:
    """One campaign with everything that it needs; prints it. True where the promise was kept."""
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crash-")))
        url = ""
        if engine == "postgres":
            server = stack.enter_context(running_server())
            if server is None:
                raise SystemExit("no PostgreSQL found")
            url = stack.enter_context(server.database())
        port = free_port()
        stack.enter_context(collector("sandbox", "--port", str(port), listens_on=port))
        sandbox = Sandbox(f"http://127.0.0.1:{port}")
        stack.callback(sandbox.close)
        # Little patience: else all callers wait for what the dead had in hand.
        house = House(directory, sandbox, database_url=url, wait_seconds="0.2")
        stack.callback(house.kill)
        click.echo(f"{engine}: {kills} kills, seed {seed}")
        began = time.monotonic()
        with redirect_stderr(io.StringIO()):  # each killed process would show its log
            verdict = campaign(house, kills, seed, directory)
    kept = not (verdict.lost or verdict.two_ids or verdict.unexplained)
    click.echo(f"  killed at (s): {' '.join(map(str, verdict.kills_at))}")
    click.echo(
        f"  acknowledged {verdict.acknowledged}, arrived {verdict.arrived}, LOST {len(verdict.lost)}, with two ids "
        f"{len(verdict.two_ids)}, sent twice {verdict.doubles}, of these without an `unknown` {len(verdict.unexplained)}; "
        f"{time.monotonic() - began:.0f} s: {'kept' if kept else 'BROKEN'}"
    )
    for name in ("lost", "two_ids", "unexplained"):
        if found := getattr(verdict, name):
            click.echo(f"  {name}: {found[:20]}")
    return kept


def main() -> None:
    """Run the campaigns that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--engine", choices=("sqlite", "postgres"))
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    given = parser.parse_args()
    engines = (given.engine,) if given.engine else ("sqlite", "postgres")
    kept = [run(engine, given.kills, given.seed) for engine in engines]
    raise SystemExit(0 if all(kept) else 1)


if __name__ == "__main__":
    main()
