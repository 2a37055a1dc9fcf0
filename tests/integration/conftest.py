"""Real processes, started once: the sandbox, a collector on SQLite, one on PostgreSQL. Each test has a shop of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.house import House
from tests.integration.sandbox import Sandbox
from tests.integration.shop import Shop
from tests.postgres import PostgresServer
from tests.processes import collector, free_port

PATIENT, HURRIED = "20", "0.2"
"""Seconds that a caller waits for the verdict: longer than any answer takes, and shorter than any that hangs."""

META = {
    "meta_app_secret": "app-secret-of-the-past,app-secret-of-today-1",
    "meta_verify_token": "a-word-to-verify-by",
}
"""What Meta signs its webhooks with."""

Build = Callable[..., House]


@pytest.fixture(scope="session")
def running_sandbox() -> Iterator[Sandbox]:
    port = free_port()
    with collector("sandbox", "--port", str(port), listens_on=port):
        sandbox = Sandbox(f"http://127.0.0.1:{port}")
        yield sandbox
        sandbox.close()


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox without faults."""
    yield running_sandbox
    running_sandbox.heal()


@contextmanager
def serving(directory: Path, sandbox: Sandbox, **settings: Any) -> Iterator[House]:
    """A house that serves."""
    house = House(directory, sandbox, **settings)
    house.start()
    try:
        yield house
    finally:
        house.close()


@pytest.fixture(scope="session")
def sqlite_house(tmp_path_factory: pytest.TempPathFactory, running_sandbox: Sandbox) -> Iterator[House]:
    with serving(tmp_path_factory.mktemp("house"), running_sandbox, wait_seconds=PATIENT, **META) as house:
        yield house


@pytest.fixture(scope="session")
def postgres_house(
    tmp_path_factory: pytest.TempPathFactory, running_sandbox: Sandbox, postgres_server: PostgresServer
) -> Iterator[House]:
    with (
        postgres_server.database() as dsn,
        serving(
            tmp_path_factory.mktemp("house"), running_sandbox, database_url=dsn, wait_seconds=PATIENT, **META
        ) as house,
    ):
        yield house


@pytest.fixture(scope="session")
def postgres_web(postgres_house: House, running_sandbox: Sandbox) -> Iterator[House]:
    """A second process on the same database: it takes events and lets the first deliver them; its patience is short."""
    house = House(
        postgres_house.data_dir,
        running_sandbox,
        database_url=postgres_house.database_url,
        arguments=("--role", "web"),
        wait_seconds=HURRIED,
    )
    house.start()
    try:
        yield house
    finally:
        house.close()


@pytest.fixture
def house(sqlite_house: House) -> House:
    """The collector that tests share."""
    return sqlite_house


@pytest.fixture
def shop(house: House, sandbox: Sandbox) -> Shop:
    """A shop of the test's own."""
    return house.shop()


@pytest.fixture(scope="session")
def hurried_house(tmp_path_factory: pytest.TempPathFactory, running_sandbox: Sandbox) -> Iterator[House]:
    """A collector with little patience and low rates."""
    directory = tmp_path_factory.mktemp("hurried")
    with serving(directory, running_sandbox, wait_seconds=HURRIED, rate_ip_per_minute="12") as house:
        yield house


@pytest.fixture
def build(tmp_path: Path, sandbox: Sandbox) -> Iterator[Build]:
    """Builds collectors that share keys, to be killed."""
    built: list[House] = []

    def one(**settings: Any) -> House:
        built.append(House(tmp_path / "data", sandbox, **settings))
        return built[-1]

    (tmp_path / "data").mkdir()
    yield one
    for house in built:
        house.close()


@pytest.fixture(scope="session")
def proxied_house(tmp_path_factory: pytest.TempPathFactory, running_sandbox: Sandbox) -> Iterator[House]:
    """A collector behind a proxy that says where a visitor comes from."""
    directory = tmp_path_factory.mktemp("proxied")
    with serving(directory, running_sandbox, wait_seconds=PATIENT, forwarded_allow_ips="127.0.0.1", **META) as house:
        yield house
