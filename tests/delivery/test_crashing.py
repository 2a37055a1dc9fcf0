"""Killed under load, again and again: every acknowledged event arrives, and each that arrives twice was of unknown fate."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.destinations.outbound import Outbound
from collector.sandbox import create_sandbox
from tests.delivery.clocks import WallTime
from tests.delivery.house import SHOP, open_house
from tests.processes import serving

KILLS = 3
ACKNOWLEDGED_BEFORE_A_KILL = 150
ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    with serving(create_sandbox(any_click=True)) as url:
        yield url


async def acknowledged_until_killed(store: Path, sandbox_url: str, numbered_from: int) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.delivery.crashing", str(store), sandbox_url, str(numbered_from)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    lines: list[str] = []
    async with asyncio.timeout(60):
        while len(lines) < ACKNOWLEDGED_BEFORE_A_KILL:
            line = await process.stdout.readline()
            assert line, (await process.stderr.read()).decode()
            lines.append(line.decode().strip())
        process.kill()
        lines += (await process.stdout.read()).decode().split("\n")[:-1]  # without a line that was cut
        await process.wait()
    return lines


async def test_no_kill_loses_an_acknowledged_event(tmp_path: Path, sandbox_url: str) -> None:
    store = tmp_path / "store.db"
    acknowledged: list[str] = []
    for kill in range(KILLS):
        acknowledged += await acknowledged_until_killed(store, sandbox_url, kill * 1_000_000)
    async with open_house(store, sandbox_url, WallTime()) as house, Outbound() as outbound:
        await house.sandbox.faults({"kind": "slow", "delay_ms": 100})
        dispatcher = house.employ(outbound)
        await dispatcher.start()
        await house.until(lambda states: set(states) == {"delivered"})
        arrived = Counter(await house.sandbox.accepted())
        assert set(acknowledged) <= set(arrived)
        assert len(acknowledged) >= KILLS * ACKNOWLEDGED_BEFORE_A_KILL
        for order, times in arrived.items():
            if times > 1:
                attempts = await house.attempts(int(order.removeprefix("order-")), SHOP)
                assert "unknown" in [attempt.outcome for attempt in attempts]
        await dispatcher.stop(10)
