"""What is kept about visitors, and for how long."""

from typing import Final

from collector.store.face import Ledger

DAY_MS: Final = 24 * 3600 * 1000
CHUNK: Final = 500


async def retain(ledger: Ledger, now_ms: int, landing_days: int) -> int:
    """Delete landings that nobody has used for `landing_days`, in short transactions; returns how many.

    A landing resolves refs and tells consent; its click is credited for 90 days at most.
    """
    gone = 0
    while (deleted := await ledger.forget_landings(now_ms - landing_days * DAY_MS, CHUNK)) > 0:
        gone += deleted
    return gone
