"""What a hung Graph costs those who are acknowledged: the 99th percentile over that with a healthy one, in one interleaved run.

    python -m bench.hung [--rounds 5] [--seconds 4] [--connections 32] [--postgres]

Two collectors take and deliver, one into a Graph that answers after 150 ms, one into a Graph that takes requests and never answers. The gate is 1.5.
Sockets are those of the collector towards Graph, counted after each round.
"""

import argparse
import shutil
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from bench.ack import load, serving
from bench.seasoned import seasoned_server
from bench.sinking import sinking

GATE = 1.5
HEALTHY_MS = 150
NEVER_MS = 24 * 3_600_000
WARM_SECONDS = 12
"""Longer than a request may take: by then the first ones have been given up."""


def sockets(pid: int, url: str) -> int:
    """Connections of a process to that port which are open now."""
    port = f":{urlsplit(url).port:04X}"
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(port) and row[3] == "01" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    with ExitStack() as stack:
        server = stack.enter_context(seasoned_server()) if given.postgres else None
        sinks = {"healthy": stack.enter_context(sinking(HEALTHY_MS)), "hung": stack.enter_context(sinking(NEVER_MS))}
        servers = {}
        for name, sink in sinks.items():
            url = stack.enter_context(server.database()) if server else ""
            servers[name] = stack.enter_context(serving("all", url, sink))
        p99s: dict[str, list[float]] = {name: [] for name in servers}
        rates: dict[str, list[float]] = {name: [] for name in servers}
        most = dict.fromkeys(servers, 0)
        for turn in range(given.rounds + 1):  # the first is to warm up
            for name, (port, pid) in servers.items():
                rate, _, p99, _ = load(port, pid, given.connections, given.seconds if turn else WARM_SECONDS)
                if turn:
                    p99s[name].append(p99)
                    rates[name].append(rate)
                most[name] = max(most[name], sockets(pid, sinks[name]))
    for name in servers:
        print(
            f"{name:8} {statistics.median(rates[name]):6.0f}/s, p99 {statistics.median(p99s[name]):5.1f} ms, at most {most[name]} sockets"
        )
    ratio = statistics.median(p99s["hung"]) / statistics.median(p99s["healthy"])
    print(f"acknowledgement p99 with a hung Graph over a healthy one: {ratio:.2f} (gate {GATE})")
    sys.exit(ratio > GATE)


if __name__ == "__main__":
    main()
