"""What has to be done now and then, whatever lane it is about: the clock's leaps, the leases of the dead, deadlines, forgotten holds."""

import logging
from collections.abc import Callable
from typing import Final

from collector.delivery import HINT_MAX_MS
from collector.lane import Lane
from collector.lane.hold import Holds
from collector.lane.kit import Kit

LOG = logging.getLogger(__name__)

CHORE_ROWS: Final = 1000
WAIT_MAX_MS: Final = HINT_MAX_MS + 300_000
"""No retry is put off for so long: whatever is due later was written before the clock went back."""


class Chores:
    """What the dispatcher sees to beside its lanes. `find` gives the lane of a name, where it has one of ours."""

    def __init__(self, kit: Kit, holds: Holds, find: Callable[[str], Lane | None]) -> None:
        self._kit = kit
        self._holds = holds
        self._find = find

    async def see_to(self, everything: bool) -> None:
        """All of them. `everything` is for `rescue`."""
        if count := await self._kit.outbox.rewind(WAIT_MAX_MS, self._kit.limits.lease_ms):
            LOG.warning("the clock went back", extra={"count": count})
        await self.rescue(everything)
        while (count := await self._kit.outbox.expire(self._kit.steady_ms(), CHORE_ROWS)) > 0:
            self._kit.counters.expired += count
            if count < CHORE_ROWS:
                break
        await self._release_forgotten()

    async def rescue(self, everything: bool) -> None:
        """Take what a dead process had in hand: leases that are over or, where no other process can be sending, `everything` that is leased."""
        hold = self._kit.on_unknown == "hold"
        count = CHORE_ROWS
        while count == CHORE_ROWS:
            now = await self._kit.now_ms()
            count = await self._kit.outbox.rescue(
                everything, "held" if hold else "retrying", "unknown" if hold else None, now, CHORE_ROWS
            )
            self._kit.counters.rescued += count
        if self._kit.counters.rescued and everything:
            LOG.warning("deliveries of unknown fate were found", extra={"count": self._kit.counters.rescued})

    async def _release_forgotten(self) -> None:
        """Release what is held though its channel runs: a process ended between the two."""
        held = await self._kit.outbox.held_lanes()
        if held:
            await self._kit.directory.refresh()  # newer than what was just read
        for text in held:
            lane = self._find(text)
            if lane is None or not self._holds.forgotten(lane.name):
                continue
            account = self._kit.directory.channel(lane.name.business_id, lane.name.channel)
            if account is not None and not account.held:
                await self._kit.outbox.resume(lane.name.business_id, lane.name.channel, lane.name.prefix)
