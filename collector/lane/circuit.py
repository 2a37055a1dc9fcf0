"""Whether a lane may send: a circuit that opens when its destination is in trouble and lets one probe through."""

from collections.abc import Callable
from typing import Final, Literal

from collector.delivery import Kind, Outcome, delay

Mode = Literal["flow", "probe", "stop"]

FAILURES_MAX: Final = 3
"""So many requests in a row without an answer that counts open the circuit; a throttle opens it at once."""


class Circuit:
    """Closed: requests flow. Open: none until `opens_at` (monotonic seconds). Then one probe; its outcome closes or opens it again."""

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0
        self._trips = 0
        self.opens_at: float | None = None

    def mode(self, now: float) -> Mode:
        """What may be sent at this instant."""
        if self.opens_at is None:
            return "flow"
        return "stop" if now < self.opens_at else "probe"

    def hear(self, outcome: Outcome, now: float) -> None:
        """Learn from an outcome. Any answer that is about events or about the channel shows that the destination works."""
        if outcome.kind not in ("throttled", "unavailable", "unknown"):
            self._failures = self._trips = 0
            self.opens_at = None
            return
        self._failures += 1
        mode = self.mode(now)
        if mode == "flow" and outcome.kind != "throttled" and self._failures < FAILURES_MAX:
            return
        if mode == "stop" and not outcome.retry_after_ms:
            return  # it was on its way when the circuit opened
        if mode != "stop":
            self._trips += 1
        kind: Kind = "throttled" if outcome.kind == "throttled" else "unavailable"
        wait = delay(kind, self._trips, self._random(), outcome.retry_after_ms) / 1000
        self.opens_at = max(self.opens_at or 0.0, now + wait)
