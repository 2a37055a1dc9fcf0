"""A real PostgreSQL for the tests: the one that the environment names, else one started from the system's binaries."""

import asyncio
import itertools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

DSN_VARIABLE = "COLLECTOR_TEST_POSTGRES_DSN"
OPT_OUT_VARIABLE = "COLLECTOR_TEST_WITHOUT_POSTGRES"
MISSING = f"no PostgreSQL: install its server (make test does, through apt) or name one in {DSN_VARIABLE}"


@dataclass
class PostgresServer:
    """A running server, known by the DSN of a role that may create databases."""

    dsn: str
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The DSN of a new, empty database, dropped afterwards."""
        name = f"collector_test_{os.getpid()}_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}"))
        finally:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, statement: str) -> None:
        async def run() -> None:
            connection = await asyncpg.connect(self.dsn)
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        asyncio.run(run())


@dataclass
class OwnServer(PostgresServer):
    """A server that is ours alone: it may be stopped and started."""

    _run_program: Callable[..., None] = print
    _start: tuple[str, ...] = ()

    def stop(self, mode: str) -> None:
        """`fast` ends the sessions in good order, `immediate` is a crash."""
        self._run_program("pg_ctl", "stop", "--wait", f"--mode={mode}")

    def start(self) -> None:
        """Again, as it was started first."""
        self._run_program(*self._start)


def find_binaries() -> Path | None:
    """The directory with ``initdb`` and ``pg_ctl``: on the PATH, else the newest under /usr/lib/postgresql."""
    if on_path := shutil.which("initdb"):
        return Path(on_path).resolve().parent
    found = [initdb.parent for initdb in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    return max(found, key=lambda directory: int(directory.parent.name), default=None)


@contextmanager
def running_server() -> Iterator[PostgresServer | None]:
    """The server that the environment names, else one of our own; None where there is neither."""
    if dsn := os.environ.get(DSN_VARIABLE):
        yield PostgresServer(dsn)
    elif binaries := find_binaries():
        with own_server(binaries) as server:
            yield server
    else:
        yield None


@contextmanager
def own_server(binaries: Path) -> Iterator[OwnServer]:
    """A new server from these binaries, gone afterwards."""
    # Not pytest's tmp_path: that is closed to other users, and a socket's path must stay short.
    home = Path(tempfile.mkdtemp(prefix="collector-pg-", dir="/tmp"))
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(home, user)

    def run(program: str, *arguments: str) -> None:
        log = home / "commands.log"
        with log.open("ab") as output:
            ended = subprocess.run(
                [binaries / program, "--pgdata", home / "data", *arguments],
                cwd=home,
                user=user,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                check=False,
            )
        if ended.returncode:
            raise RuntimeError(f"{program} failed:\n{log.read_text(errors='replace')}")

    try:
        run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync")
        # fsync stays on: what the tests call durable must be.
        options = f"-k {home} -h '' -c fsync=on"
        start = ("pg_ctl", "start", "--wait", "--log", str(home / "server.log"), "--options", options)
        run(*start)
        try:
            yield OwnServer(f"postgresql://postgres@/postgres?host={home}", _run_program=run, _start=start)
        finally:
            run("pg_ctl", "stop", "--mode=immediate")
    finally:
        shutil.rmtree(home)
