"""Seconds from the start of `collector serve` to its first answer, and the memory that it holds when idle.

python -m bench.idle
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.processes import free_port

STARTS = 5


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        seconds: list[float] = []
        megabytes = 0.0
        for _ in range(STARTS):
            port = free_port()
            began = time.perf_counter()
            command = [sys.executable, "-m", "collector", "serve", "--port", str(port)]
            environ = os.environ | {"COLLECTOR_DATA_DIR": directory}
            with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as process:
                while not answers(port):
                    if process.poll() is not None:
                        raise SystemExit("the collector did not start")
                seconds.append(time.perf_counter() - began)
                status = Path(f"/proc/{process.pid}/status").read_text()
                megabytes = int(status.split("VmRSS:")[1].split()[0]) / 1024
                process.terminate()
    listed = ", ".join(f"{each:.2f}" for each in sorted(seconds))
    print(f"start to first answer, {STARTS} starts: {listed} s; idle memory {megabytes:.0f} MB")


if __name__ == "__main__":
    main()
