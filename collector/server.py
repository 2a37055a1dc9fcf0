"""Serving: HTTP servers that share a process, until a signal asks them to stop."""

import asyncio
import gc
import math
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from collector.edge.connection import Connection

STOP_SECONDS: Final = 10.0
BACKLOG: Final = 2048
SWITCH_SECONDS: Final = 0.00005
GARBAGE_AFTER: Final = 20_000
"""Objects more than at the last search. (Python's own number is 700.)"""


class Server(uvicorn.Server):
    """One HTTP server, as measured: uvloop, httptools, no line a request. Signals are `run`'s business: several may share a process.

    Who is being answered when it stops has `grace_seconds`.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        trusted_proxies: tuple[str, ...] = (),
        grace_seconds: float = STOP_SECONDS,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=Connection,
                ws="none",
                access_log=False,
                log_config=None,
                server_header=False,
                date_header=False,
                backlog=BACKLOG,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies) or None,
                timeout_graceful_shutdown=math.ceil(grace_seconds),
            )
        )

        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def run(servers: Sequence[Server]) -> bool:
    """Serve until SIGINT or SIGTERM, or until one server ends; the rest end softly then. False when one could not start."""

    def stop() -> None:
        for each in servers:
            each.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [asyncio.create_task(each.serve()) for each in servers]
    for task in tasks:
        task.add_done_callback(lambda _: stop())
    await asyncio.gather(*tasks)
    return all(each.started for each in servers)


def hurry() -> None:
    """Set the interpreter up for a process that serves, once all of it is loaded.

    The thread that writes to SQLite waits less for the interpreter, which it asks for again after each statement: all callers wait for
    its commit. (At Python's own 5 ms a commit takes 20, at 0.5 ms 5, at this 3.) And the search for circles of garbage, of which serving
    leaves next to none, comes when many objects have piled up, not once in every sixty events, and passes over what was there before.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)
