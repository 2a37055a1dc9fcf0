"""Delivery, measured: the table of what happens between the acknowledgement and Meta, in one run.

    python -m bench.delivery [--seconds 1] [--rounds 16] [--backlog 100000] [--million 1000000] [--engine sqlite|postgres] [ROW …]

Rows: delivered, ack, arrival, sync, send, drain, two, memory, store (see `--help`). At the end the table, with what each figure must reach; where one
does not, the command fails. The destination is `bench.sink`: it counts and answers after a set time.
"""

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench.ack import cpu_seconds, load, p99s, serving
from bench.callers import callers, paced
from bench.seasoned import seasoned_server
from bench.server import SECRET, set_up
from bench.sinking import ask, quiet, reach, sinking
from bench.store import claims, drain, fill, make, takes
from bench.table import missed, written
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.policy import MESSAGING_NAMES
from collector.settings import load as load_settings
from collector.store.opening import open_store
from tests.postgres import PostgresServer

FIRST = 1_000_000_000
CONNECTIONS = (32, 128)
LONG_SECONDS = 6
"""A backlog that grew by a twentieth of what comes would be seen after so long."""
ROWS = {
    "delivered": "acknowledged and delivered, Graph answering after 150 ms, over bare Starlette JSON",
    "ack": "the 99th percentile of acknowledgements over a bare server's, 32 connections",
    "arrival": "from the acknowledgement to the arrival at Graph, 200 events a second",
    "sync": "a synchronous caller over Graph's 200 ms, 50 callers",
    "send": "CPU of the way out alone: check, build, post, read",
    "drain": "a backlog drained into a thin sink: rate, requests, CPU",
    "two": "two delivering collectors over one (PostgreSQL)",
    "memory": "resident memory while a great backlog is drained",
    "store": "claim and settle, and what a claim costs at a great backlog",
}


class Account(NamedTuple):
    """A channel as the directory opens it."""

    asset_id: str | None = "100000000000001"
    dataset_id: str | None = "200000000000001"
    token: str = "EAA" + "x" * 180
    held: str | None = None
    messaging_names: tuple[str, ...] = MESSAGING_NAMES


class Pair(NamedTuple):
    """One load of ours beside one of the bare server."""

    rate: float
    ratio: float
    p99: float
    plain_p99: float
    behind: float


class Bench:
    """The measurements of one engine."""

    def __init__(self, engine: str, postgres: PostgresServer | None, given: argparse.Namespace) -> None:
        self.engine = engine
        self._postgres = postgres
        self._given = given
        self.figures: dict[str, float] = {}
        """For the table, by the names that bench.table knows."""

    @contextmanager
    def database(self) -> Iterator[str]:
        """An empty database with the bench's business."""
        with ExitStack() as stack:
            directory = stack.enter_context(tempfile.TemporaryDirectory())
            url = f"sqlite:///{directory}/collector.db"
            if self._postgres is not None:
                url = stack.enter_context(self._postgres.database())
            given = {"DATA_DIR": directory, "DATABASE_URL": url, "SECRET_KEYS": SECRET}
            asyncio.run(set_up(load_settings({f"COLLECTOR_{name}": value for name, value in given.items()})))
            yield url

    def say(self, row: str, text: str, **figures: float) -> None:
        """What was measured: a line at once, the figures in the table at the end."""
        print(f"{self.engine:9}{row:11}{text}", flush=True)
        self.figures |= figures

    def delivered(self) -> None:
        """See ROWS."""
        with (
            self.database() as url,
            sinking(150) as sink,
            serving("bare") as bare,
            serving("all", url, sink) as (port, pid),
        ):
            load(port, pid, 32, 1)
            pairs: dict[int, list[Pair]] = {each: [] for each in CONNECTIONS}
            for _ in range(self._given.rounds):  # one after the other: a shared machine is not equally fast for long
                for connections, found in pairs.items():
                    rate, p99, behind = self._followed(sink, port, pid, connections, self._given.seconds)
                    plain, _, plain_p99, _ = load(*bare, connections, self._given.seconds)
                    found.append(Pair(rate, rate / plain, p99, plain_p99, behind))
            *_, behind = self._followed(sink, port, pid, 32, LONG_SECONDS)
            doubles = ask(sink, "stats")["doubles"]
            for connections, found in pairs.items():
                middle = Pair(*map(statistics.median, zip(*found, strict=True)))
                ratios = _of([each.ratio for each in found])
                text = f"{middle.rate:.0f}/s, {ratios} of bare, {connections} connections; p99 {middle.p99:.1f} ms over {middle.plain_p99:.1f}"
                text = f"{text}; behind by {middle.behind:.2f} s of traffic at the end; {doubles} doubles"
                told = {"delivered": middle.ratio, "delivered_p99": middle.p99 / middle.plain_p99}
                self.say("delivered", text, **{f"{name}_{connections}": figure for name, figure in told.items()})
            text = f"behind by {behind:.2f} s of traffic after {LONG_SECONDS} s"
            self.say("delivered", text, delivered_behind=behind)

    def _followed(self, sink: str, port: int, pid: int, connections: int, seconds: int) -> tuple[float, float, float]:
        """Events acknowledged a second, the 99th percentile of that in ms, and what had not arrived at the end, in seconds of traffic."""
        before = quiet(sink)
        rate, _, p99, _ = load(port, pid, connections, seconds)
        at_end = ask(sink, "stats")["events"]
        total = quiet(sink)
        assert total - before >= rate * seconds * 0.95, "acknowledged events did not arrive"
        return rate, p99, (total - at_end) / rate

    def ack(self) -> None:
        """See ROWS."""
        with self.database() as url, serving("bare") as bare, serving("web", url) as ours:
            base, own = p99s((bare, ours), 4, 3, 32)
            self.say("ack", f"p99 {own:.1f} ms over {base:.1f} ms, 32 connections", ack_p99=own / base)

    def arrival(self) -> None:
        """See ROWS."""
        with self.database() as url, sinking(150) as sink, serving("all", url, sink) as (port, _):
            uvloop.run(paced(port, 200, 2, 8))
            acknowledged = uvloop.run(paced(port, 200, 10, 16))
            quiet(sink)
            arrived = ask(sink, "arrivals")
            p50, p99 = _percentiles((arrived[name] - at) / 1e6 for name, at in acknowledged.items())
            text = f"p50 {p50:+.1f} ms, p99 {p99:+.1f} ms ({len(acknowledged)} events)"
            self.say("arrival", text, arrival_p50=p50, arrival_p99=p99)

    def sync(self) -> None:
        """See ROWS."""
        with self.database() as url, sinking(200) as sink, serving("all", url, sink) as (port, _):
            uvloop.run(callers(port, 50, 1.0))
            for apart_seconds, told in ((0.2, "spread"), (0.0, "step")):
                took = uvloop.run(callers(port, 50, 6.0, apart_seconds))
                p50, p99 = (each - 200 for each in _percentiles(took))
                text = f"p50 {p50:+.1f} ms, p99 {p99:+.1f} ms ({len(took)} calls, {told})"
                self.say("sync", text, **{f"{told}_p50": p50, f"{told}_p99": p99})

    def send(self) -> None:
        """See ROWS."""
        if self._postgres is not None:  # no store takes part
            return

        async def measure(sink: str, batch: int) -> float:
            account, requests = Account(), 4000 // batch
            async with Outbound() as outbound:
                meta = Meta(outbound, sink, "v25.0", "collector")
                events = [make("send", number, "pending")[0] for number in range(batch)]
                await meta.send(meta.to_wire(events, account, None))
                began = time.process_time()
                for _ in range(requests):
                    assert [meta.check(each, account) for each in events] == [None] * batch
                    answer = await meta.send(meta.to_wire(events, account, None))
                    assert meta.read(answer, batch).kind == "accepted"
                return (time.process_time() - began) / requests / batch

        with sinking(0) as sink:
            for batch in (50, 500):
                seconds = statistics.median(uvloop.run(measure(sink, batch)) for _ in range(5))
                cpu = seconds * 1e6
                self.say("send", f"{cpu:.1f} µs CPU an event, {batch} a request", **{f"send_{batch}": cpu})

    def drain(self) -> None:
        """See ROWS."""
        count = self._given.backlog
        with self.database() as url, sinking(0) as sink:
            uvloop.run(fill(url, FIRST, FIRST + count - 1))
            rate, cpu = self._drained(url, sink, count, 1)
            stats = ask(sink, "stats")
            batch = count / stats["requests"]
            text = f"{rate:.0f}/s, {batch:.0f} events a request, {cpu:.0f} µs CPU an event, {stats['doubles']} doubles"
            self.say("drain", text, drain_rate=rate, drain_batch=batch, drain_cpu=cpu)

    def _drained(self, url: str, sink: str, count: int, processes: int) -> tuple[float, float]:
        """Events a second and the collectors' CPU of each in µs, from when all of them run: what the first sent before is not counted."""
        have = ask(sink, "stats")["events"]
        with ExitStack() as stack:
            kind = "all" if self._postgres is None else "deliver"
            pids = [stack.enter_context(serving(kind, url, sink))[1] for _ in range(processes)]
            began, first = reach(sink, have + 1)
            before = sum(map(cpu_seconds, pids))
            end, last = reach(sink, have + count)
            return (last - first) / (end - began), (sum(map(cpu_seconds, pids)) - before) / (last - first) * 1e6

    def two(self) -> None:
        """See ROWS."""
        if self._postgres is None:
            return
        count = self._given.backlog
        figures: dict[int, list[float]] = {1: [], 2: []}
        with self.database() as url, sinking(0) as sink:
            for turn, processes in enumerate((1, 2, 2, 1) * 3):  # neither always has the longer table
                first = FIRST + turn * count
                uvloop.run(fill(url, first, first + count - 1))
                figures[processes].append(self._drained(url, sink, count, processes)[0])
            one, both = (statistics.median(figures[processes]) for processes in (1, 2))
            ratios = [two / one for one, two in zip(*figures.values(), strict=True)]
            self.say("two", f"{both:.0f}/s over {one:.0f}/s: {_of(ratios)}", two=statistics.median(ratios))

    def memory(self) -> None:
        """See ROWS."""
        count = self._given.million
        with self.database() as url, sinking(0) as sink:
            uvloop.run(fill(url, FIRST, FIRST + count - 1))
            with serving("all", url, sink) as (_, pid):
                reach(sink, count // 2)
                status = Path(f"/proc/{pid}/status").read_text()
                peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
                self.say("memory", f"{peak:.0f} MB at most, backlog {count:,}", memory=peak)

    def store(self) -> None:
        """See ROWS."""

        async def settle(url: str) -> float:
            async with open_store(url, serving=True) as store:
                await takes(store, 64, 4, "pending")
                rate, _ = [await drain(store, batch, 2, 8_000) for batch in (50, 500)]
                await drain(store, 500, 2, 1_000_000)
                return rate

        async def claim(few: str, many: str) -> float:
            await fill(few, FIRST, FIRST + 999)
            await fill(many, FIRST, FIRST + self._given.million - 1)
            async with open_store(few, serving=True) as small, open_store(many, serving=True) as large:
                return await claims(small, large)

        self.say("store", f"claims at a backlog of 1,000 and of {self._given.million:,}")
        with self.database() as url:
            self.figures["settle"] = uvloop.run(settle(url))
        with self.database() as few, self.database() as many:
            self.figures["claim"] = uvloop.run(claim(few, many))


def _of(ratios: Sequence[float]) -> str:
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def _percentiles(values: Iterable[float]) -> tuple[float, float]:
    """The median and the 99th."""
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100]


def main() -> None:
    """Measure."""
    told = "\n".join(f"  {name:10} {text}" for name, text in ROWS.items())
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=told, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", choices=[*ROWS, []])
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=16)
    parser.add_argument("--backlog", type=int, default=100_000)
    parser.add_argument("--million", type=int, default=1_000_000)
    parser.add_argument("--engine", choices=("sqlite", "postgres"))
    given = parser.parse_args()
    print(f"load average {os.getloadavg()[0]:.1f} at the start")
    figures = {}
    with ExitStack() as stack:
        for engine in (given.engine,) if given.engine else ("sqlite", "postgres"):
            server = stack.enter_context(seasoned_server()) if engine == "postgres" else None
            if server is None and engine == "postgres":
                raise SystemExit("no PostgreSQL found")
            bench = Bench(engine, server, given)
            for row in given.rows or ROWS:
                getattr(bench, row)()
            figures[engine] = bench.figures
    print(written(figures))
    sys.exit(bool(missed(figures)))


if __name__ == "__main__":
    main()
