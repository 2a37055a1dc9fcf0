"""The housekeeping goes on whatever happens in one of its rounds."""

import asyncio
import logging
from types import SimpleNamespace
from typing import Any, cast

import pytest

from collector import app
from collector.errors import Unavailable

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("trouble", "level"), [(Unavailable("away"), "WARNING"), (KeyError("a fault of ours"), "ERROR")]
)
async def test_a_round_that_fails_is_told_and_followed_by_the_next(
    trouble: Exception, level: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    troubles, swept = [trouble], asyncio.Event()

    async def refresh() -> None:
        if troubles:
            raise troubles.pop()

    async def sweep() -> None:
        swept.set()

    async def forget(before: int, limit: int) -> int:
        return 0

    async def refresh_denials(now_ms: int) -> None:
        pass

    house: Any = SimpleNamespace(
        directory=SimpleNamespace(refresh=refresh),
        denials=SimpleNamespace(refresh=refresh_denials),
        linker=SimpleNamespace(sweep=sweep),
        store=SimpleNamespace(ledger=SimpleNamespace(forget_landings=forget)),
        settings=SimpleNamespace(landing_days=90),
        clock=lambda: 0,
        held=list,
        dispatcher=SimpleNamespace(learn=lambda held: None),
    )
    monkeypatch.setattr(app, "SWEEP_SECONDS", 0)
    with caplog.at_level(logging.WARNING):
        keeper = asyncio.create_task(app.House.keep(cast(app.House, house)))
        await asyncio.wait_for(swept.wait(), 5)
        keeper.cancel()
    assert [record.levelname for record in caplog.records] == [level]
