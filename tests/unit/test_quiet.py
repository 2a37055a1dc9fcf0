"""Whether a list of events is alone: nobody else has brought a single event for a while."""

import asyncio
from typing import Any, cast

import pytest

from collector.errors import Unavailable
from collector.intake import QUIET_SECONDS, Intake
from collector.store.face import Record
from tests.unit.samples import BUSINESS, NOW_MS, business
from tests.unit.test_first_state import RUNNING, TARGETS, Shops, candidate

pytestmark = pytest.mark.anyio


class Full:
    """A ledger that takes nothing, and lanes without room."""

    async def take_all(self, *_of: object) -> None:
        raise Unavailable("the line is full")

    def reserve(self, lane: str) -> bool:
        return False


@pytest.mark.parametrize("single", [True, False])
async def test_a_single_event_ends_the_quiet_for_a_while_and_a_list_does_not(
    single: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    unused = cast("Any", None)
    full = cast("Any", Full())
    intake = Intake(full, Shops(business(), RUNNING), full, unused, TARGETS, unused, lambda: NOW_MS)
    late, record = candidate(expired=True), Record(business_id=BUSINESS, id="2", received_at=NOW_MS)
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: Clock(now))
    assert intake.is_quiet()
    with pytest.raises(Unavailable):
        await (intake.take(late, record, None, 1) if single else intake.take_all([(late, record)], 1))
    assert intake.is_quiet() is not single
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: Clock(now + 2 * QUIET_SECONDS))
    assert intake.is_quiet()


class Clock:
    """A loop's clock that stands still."""

    def __init__(self, now: float) -> None:
        self._now = now

    def time(self) -> float:
        return self._now
