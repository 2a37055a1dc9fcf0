"""Behind the answer to a webhook: the events that waited for its conversations go on their way."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Final

from collector.errors import Unavailable
from collector.link import Linker
from collector.store.face import Ledger, Wait

LOG = logging.getLogger(__name__)

WAITING_MAX: Final = 10_000
"""Conversations in line; what comes beyond is left to the housekeeping, which finds it within seconds."""
AT_ONCE: Final = 500
PAUSE_SECONDS: Final = 0.02
"""Between two looks, so that those who send thousands of webhooks a second share one."""


class Arrivals:
    """Conversations that were stored a moment ago. Hardly any is waited for: one read tells for many of them which are."""

    def __init__(
        self, ledger: Ledger, linker: Linker, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        self._ledger = ledger
        self._linker = linker
        self._sleep = sleep
        self._line: dict[tuple[str, Wait], None] = {}
        self._wake = asyncio.Event()

    def add(self, business_id: str, wait: Wait) -> None:
        """Put one in line. Returns at once."""
        if len(self._line) < WAITING_MAX:
            self._line[business_id, wait] = None
            self._wake.set()

    async def run(self) -> None:
        """Release, until cancelled. What is lost by then is found by the next process's housekeeping."""
        while True:
            await self._wake.wait()
            batch = list(islice(self._line, AT_ONCE))
            for each in batch:
                del self._line[each]
            if not self._line:
                self._wake.clear()
            try:
                for business_id, wait in await self._ledger.awaited(batch):
                    await self._linker.arrived(business_id, wait)
            except Unavailable as problem:
                LOG.warning("what waited for a conversation is left to the housekeeping: %s", problem)
            except Exception:  # it must go on: the next conversations have done nothing wrong
                LOG.exception("releasing what waited for a conversation failed")
            await self._sleep(PAUSE_SECONDS)
