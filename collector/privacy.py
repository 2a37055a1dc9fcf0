"""What is kept about visitors, and for how long."""

from typing import Final

from collector.store.face import Ledger

DAY_MS: Final = 24 * 3600 * 1000
CHUNK: Final = 500
OVERLAP_MS: Final = 60_000
"""Clocks of processes differ, and a commit takes its time."""


class Denials:
    """The landings whose visitors denied consent, in memory: an order that comes with its own ids obeys them without a look-up.

    What this process hears counts at once; what others hear counts after the next `refresh`. Who agreed later may still stand here: whoever
    finds a landing here asks the store.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._landings: set[tuple[str, str]] = set()
        self._clicks: dict[tuple[str, str], str] = {}
        self._since = 0

    def __len__(self) -> int:
        """How many landings are known to be denied."""
        return len(self._landings)

    def __contains__(self, landing: object) -> bool:
        """Whether the visitor of this landing, (business id, ref), has denied."""
        return landing in self._landings

    def of_click(self, business_id: str, ctwa_clid: str) -> str | None:
        """The ref of a landing of this click id whose visitor has denied, or None: what happens in the chat knows no more of it."""
        return self._clicks.get((business_id, ctwa_clid))

    def add(self, business_id: str, ref: str, ctwa_clid: str | None) -> None:
        """A visitor denied here."""
        self._landings.add((business_id, ref))
        if ctwa_clid is not None:
            self._clicks[business_id, ctwa_clid] = ref

    async def refresh(self, now_ms: int) -> None:
        """Load all at first, then what was written since."""
        for denied in await self._ledger.denied(self._since):
            self.add(*denied)
        self._since = now_ms - OVERLAP_MS


async def retain(ledger: Ledger, now_ms: int, landing_days: int) -> int:
    """Delete landings and conversations that are older than `landing_days`, in short transactions; returns how many.

    A landing resolves refs and tells consent; its click is credited for 90 days at most. What began a conversation is kept as long.
    """
    gone = 0
    before = now_ms - landing_days * DAY_MS
    while (deleted := await ledger.forget_landings(before, CHUNK)) > 0:
        gone += deleted
    while (deleted := await ledger.forget_conversations(before, CHUNK)) > 0:
        gone += deleted
    return gone
