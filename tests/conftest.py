"""What every test may ask for: a clean environment, a PostgreSQL database of its own, a free port."""

import os
from collections.abc import Iterator

import pytest

from tests import postgres, processes


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Asynchronous tests run on asyncio's own loop: uvloop's close hangs on a connection that a failed test left open.

    Production's loop is met where applications are really served: in processes, and under uvicorn in a thread.
    """
    return "asyncio", {"use_uvloop": False}


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's own reaches a test, nor a process that it starts."""
    for name in list(os.environ):
        if name.startswith("COLLECTOR_") and not name.startswith("COLLECTOR_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.PostgresServer]:
    """A PostgreSQL server. Where there is none the test fails: a skipped engine is an untested one."""
    if os.environ.get(postgres.OPT_OUT_VARIABLE) and not os.environ.get("CI"):
        pytest.skip(f"PostgreSQL is left out: {postgres.OPT_OUT_VARIABLE} is set")
    with postgres.running_server() as server:
        if server is None:
            pytest.fail(postgres.MISSING)
        yield server


@pytest.fixture
def postgres_dsn(postgres_server: postgres.PostgresServer) -> Iterator[str]:
    """The DSN of an empty PostgreSQL database that this test has for itself."""
    with postgres_server.database() as dsn:
        yield dsn


@pytest.fixture
def free_port() -> int:
    """A port of the loopback address that nothing listens on."""
    return processes.free_port()
