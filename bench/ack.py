"""Durable acknowledgement over a bare Starlette JSON endpoint, in one interleaved run.

    python -m bench.ack [--rounds 5] [--seconds 4] [--connections 32] [--postgres DSN] [--no-postgres]

Each 202 of the collector means: key checked, body validated, record + event + delivery committed and fsynced. `null` is the same way over a
store that forgets at once: the rest of the cost. The fdatasync calls of a short run are counted with strace.
"""

import argparse
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.seasoned import seasoned_server
from tests.processes import free_port

HERE = Path(__file__).parent


@contextmanager
def serving(kind: str, *more: str) -> Iterator[tuple[int, int]]:
    """Run a server; gives its port and process id. `more` are the database's URL and Graph's."""
    port = free_port()
    command = [sys.executable, "-m", "bench.server", kind, str(port), *more]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line.startswith("listening"):
            raise SystemExit(f"the {kind} server did not start")
        try:
            yield port, process.pid
        finally:
            process.terminate()


def load(port: int, pid: int, connections: int, seconds: float) -> tuple[float, float, float, float]:
    """Requests a second, p50 and p99 in ms, and the server's own CPU in µs a request: the figure that other work on the machine moves least."""
    before = cpu_seconds(pid)
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(HERE / "purchase.lua")]
    text = subprocess.run([*command, f"http://127.0.0.1:{port}"], capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise SystemExit(text)
    found = re.search(r"(\d+) requests in .*?Requests/sec:\s+([\d.]+)", text, re.DOTALL)
    if found is None:
        raise SystemExit(text)
    cpu = (cpu_seconds(pid) - before) / int(found[1]) * 1e6
    return float(found[2]), _latency(text, "50%"), _latency(text, "99%"), cpu


def p99s(servers: Sequence[tuple[int, int]], rounds: int, seconds: int, connections: int) -> list[float]:
    """The 99th percentile of each server in ms, the median of rounds in which they take turns."""
    found = [[load(*each, connections, seconds)[2] for each in servers] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*found, strict=True)]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _latency(text: str, which: str) -> float:
    found = re.search(rf"{which}\s+([\d.]+)(us|ms|s)", text)
    if found is None:
        raise SystemExit(text)
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def syncs(port: int, pid: int, connections: int) -> str:
    """Count the fdatasync calls of a run of one second."""
    if shutil.which("strace") is None:
        return "not counted (no strace)"
    with tempfile.NamedTemporaryFile("r") as out:
        command = ["strace", "-f", "-c", "-e", "trace=fdatasync,fsync", "-p", str(pid), "-o", out.name]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as tracer:
            rate, *_ = load(port, pid, connections, 1)
            tracer.terminate()
        lines = [line.split() for line in out.read().splitlines()]
    calls = sum(int(line[3]) for line in lines if line and line[-1] in ("fdatasync", "fsync"))
    return f"{calls} syncs for about {rate:.0f} acknowledged events"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--no-postgres", action="store_true")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    with ExitStack() as stack:
        servers = {kind: stack.enter_context(serving(kind)) for kind in ("bare", "null")}
        servers["sqlite"] = stack.enter_context(serving("web"))
        if not given.no_postgres:
            server = stack.enter_context(seasoned_server())
            if server is None:
                raise SystemExit("no PostgreSQL found")
            dsn = stack.enter_context(server.database())
            servers["postgres"] = stack.enter_context(serving("web", dsn))
        figures: dict[str, list[tuple[float, float, float, float]]] = {name: [] for name in servers}
        for _ in range(given.rounds):
            for name, (port, pid) in servers.items():
                figures[name].append(load(port, pid, given.connections, given.seconds))
        base = statistics.median(rate for rate, *_ in figures["bare"])
        print(f"{given.rounds} interleaved rounds of {given.seconds} s, {given.connections} connections, medians")
        still = statistics.median(p99 for _, _, p99, _ in figures["bare"])
        print(f"{'':10}{'events/s':>10}{'ratio':>8}{'p50 ms':>9}{'p99 ms':>9}{'p99 ratio':>11}{'CPU µs':>9}")
        for name, rows in figures.items():
            rate, p50, p99, cpu = (statistics.median(column) for column in zip(*rows, strict=True))
            print(f"{name:10}{rate:10.0f}{rate / base:8.2f}{p50:9.1f}{p99:9.1f}{p99 / still:11.1f}{cpu:9.0f}")
        print("sqlite:", syncs(*servers["sqlite"], given.connections))


if __name__ == "__main__":
    main()
