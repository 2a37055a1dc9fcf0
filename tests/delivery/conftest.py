"""A house for each test, a sandbox behind HTTP for each test, and a dispatcher where a test asks for one."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from collector.destinations.outbound import Outbound
from collector.dispatcher import Dispatcher
from collector.sandbox import create_sandbox
from tests.delivery.clocks import START_MS
from tests.delivery.house import House, open_house
from tests.processes import serving


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    """A sandbox that knows every click but those a test makes unknown, at the time of the test."""
    with serving(create_sandbox(any_click=True, clock=lambda: START_MS / 1000)) as url:
        yield url


@pytest.fixture
async def house(tmp_path: Path, sandbox_url: str) -> AsyncIterator[House]:
    async with open_house(tmp_path / "store.db", sandbox_url) as opened:
        yield opened


@pytest.fixture
async def outbound() -> AsyncIterator[Outbound]:
    async with Outbound(seconds=5) as door:
        yield door


@pytest.fixture
async def dispatcher(house: House, outbound: Outbound) -> AsyncIterator[Dispatcher]:
    employed = house.employ(outbound)
    await employed.start()
    yield employed
    house.time.advance(3600)
    await employed.stop(0)
