"""Links and what they set free: an event that came before its click waits until a landing or a link brings it."""

from typing import Final

from collector.intake import Intake
from collector.match import Matcher
from collector.store.face import Ledger, Link, Wait

SWEEP_MAX: Final = 500


class Linker:
    """Stores links, from either edge, and releases the events that waited for them, for a landing or for consent."""

    def __init__(self, ledger: Ledger, intake: Intake, matcher: Matcher) -> None:
        self._ledger = ledger
        self._intake = intake
        self._matcher = matcher
        self._swept = (
            "",
            "",
        )  # how far: some find a message that is too old, or without a click, and would be found for ever

    async def link(self, link: Link, version: int) -> None:
        """Store one link. Raises StaleDirectory, Unavailable."""
        await self._ledger.link(link, version)
        await self.arrived(link.business_id, Wait(kind=link.kind, id=link.id))

    async def arrived(self, business_id: str, wait: Wait) -> None:
        """Send the events that waited for this landing, link or conversation."""
        for standing in await self._ledger.waiting(business_id, wait.kind, wait.id):
            await self._intake.release(standing, await self._matcher.wait(standing.event, wait))

    async def sweep(self) -> int:
        """Release what a landing or link resolves that came while its event was being stored, or just before a crash."""
        released = 0
        found = await self._ledger.resolvable(SWEEP_MAX, self._swept)
        last = found[-1][0].event if len(found) == SWEEP_MAX else None
        self._swept = (last.business_id, last.id) if last else ("", "")
        for standing, wait in found:
            match = await self._matcher.wait(standing.event, wait)
            released += await self._intake.release(standing, match)
        return released
