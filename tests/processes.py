"""Real servers for the tests: ``collector`` commands as processes, and ASGI applications under uvicorn in a thread."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import uvicorn

HOST = "127.0.0.1"
START_SECONDS = 30.0
STOP_SECONDS = 15.0


def free_port() -> int:
    """A port that nothing listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@dataclass
class Process:
    """A command that runs in a process group of its own, with everything that it prints."""

    arguments: tuple[str, ...]
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        """What the process has printed so far, on both streams."""
        return self.log.read_text(errors="replace")

    def wait(self, seconds: float = STOP_SECONDS) -> int:
        """Wait for the process to end by itself and return its exit code; negative where a signal ended it."""
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self} still runs after {seconds} s:\n{self.output}") from None

    def terminate(self, seconds: float = STOP_SECONDS) -> int:
        """Ask the process to stop, as an operator does, and return its exit code."""
        self.popen.send_signal(signal.SIGTERM)
        return self.wait(seconds)

    def kill(self) -> None:
        """End the process and its children at once, as a crash does."""
        with suppress(ProcessLookupError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait()

    def wait_for_listener(self, port: int, seconds: float = START_SECONDS) -> None:
        """Return when the port accepts connections; fail at once, with the output, when the process ends before."""
        deadline = time.monotonic() + seconds
        while True:
            with suppress(OSError), socket.create_connection((HOST, port), timeout=1):
                return
            with suppress(subprocess.TimeoutExpired):  # wakes early when the process ends
                code = self.popen.wait(0.02)
                raise AssertionError(f"{self} ended with {code} before it listened on {port}:\n{self.output}")
            if time.monotonic() > deadline:
                raise AssertionError(f"{self} does not listen on {port} after {seconds} s:\n{self.output}")

    def __str__(self) -> str:
        return " ".join(self.arguments)


@contextmanager
def running(*arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Iterator[Process]:
    """Run a command until the block ends; ``env`` is added to the environment. Its output shows where a test fails."""
    with tempfile.TemporaryDirectory(prefix="collector-process-") as directory:
        log = Path(directory) / "output"
        with log.open("wb") as output:
            popen = subprocess.Popen(
                arguments,
                env={**os.environ, **(env or {})},
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = Process(arguments, popen, log)
        try:
            yield process
        finally:
            process.kill()
            sys.stderr.write(f"--- {process}\n{process.output}")


@contextmanager
def collector(
    *arguments: str, listens_on: int | None = None, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Iterator[Process]:
    """Run ``collector …`` as a process; with ``listens_on``, the block starts when that port accepts connections."""
    with running(sys.executable, "-m", "collector", *arguments, env=env, cwd=cwd) as process:
        if listens_on is not None:
            process.wait_for_listener(listens_on)
        yield process


class _Server(uvicorn.Server):
    """uvicorn that says when its start is over, for better or worse."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.start_is_over = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        try:
            await super().startup(sockets)
        finally:
            self.start_is_over.set()


def _run(server: _Server, listener: socket.socket) -> None:
    with suppress(SystemExit):  # uvicorn's way to say that the start failed
        server.run([listener])


@contextmanager
def serving(
    app: Any, *, port: int = 0, lifespan: Literal["on", "off", "auto"] = "auto", **options: Any
) -> Iterator[str]:
    """Serve an ASGI application under a real uvicorn in a thread; gives the base URL, without a slash at its end.

    ``options`` go to ``uvicorn.Config``: with ``ssl_certfile`` and ``ssl_keyfile`` the URL is an https one.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        settings = {"log_config": None, "access_log": False, "timeout_graceful_shutdown": 5, **options}
        server = _Server(uvicorn.Config(app, lifespan=lifespan, **settings))
        thread = threading.Thread(target=_run, args=(server, listener), name="uvicorn")
        thread.start()
        try:
            assert server.start_is_over.wait(START_SECONDS), "uvicorn does not finish its start"
            assert server.started, "the application refused to start; its log says why"
            scheme = "https" if server.config.is_ssl else "http"
            yield f"{scheme}://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(STOP_SECONDS)
            assert not thread.is_alive(), "uvicorn does not stop"
