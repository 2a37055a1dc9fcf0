"""Sinks in processes of their own, and what they tell (see bench.sink)."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from bench.ack import HERE
from tests.processes import free_port


@contextmanager
def sinking(delay_ms: int) -> Iterator[str]:
    """A sink of its own; gives its URL."""
    port = free_port()
    command = [sys.executable, "-m", "bench.sink", str(port), str(delay_ms)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=HERE.parent) as process:
        assert process.stdout is not None
        process.stdout.readline()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def ask(url: str, name: str) -> dict[str, int]:
    """What a sink tells."""
    with urllib.request.urlopen(f"{url}/{name}", timeout=30) as answer:
        told: dict[str, int] = json.loads(answer.read())
    return told


def reach(url: str, events: int, seconds: float = 300) -> tuple[float, int]:
    """Wait until the sink has so many events; gives when its newest came (monotonic seconds), and how many it has with it.

    It is asked ten times a second: to be asked costs it time, too.
    """
    end = time.monotonic() + seconds
    while (now := ask(url, "stats"))["events"] < events:
        if time.monotonic() > end:
            raise SystemExit(f"{events} events did not arrive in {seconds:.0f} s: {ask(url, 'stats')}")
        time.sleep(0.1)
    return now["last"] / 1e9, now["events"]


def quiet(url: str) -> int:
    """How many events a sink has when no more come."""
    last, since = -1, time.monotonic()
    while time.monotonic() - since < 0.6:
        now = ask(url, "stats")["events"]
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.05)
    return last
