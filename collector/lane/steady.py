"""What time it is, for burying what is too old to be sent: a clock that leaps ahead is not believed at once."""

from typing import Final

LEAP_MS: Final = 60_000
"""Between two looks no clock that is kept in time moves so far by itself."""
DOUBT_MS: Final = 3_600_000
"""So long a leap must stand. What waits for nothing but a wrong clock is still there when that is set right; what is sent too late, Meta refuses."""


class SteadyClock:
    """The store's clock, as far as it can be believed. Instants are UTC ms; `elapsed` is in ms, by a clock that nobody sets."""

    def __init__(self, now: int, elapsed: int) -> None:
        self._began = now - elapsed
        self._doubted_since: int | None = None

    def look(self, now: int, elapsed: int) -> None:
        """The store's clock shows `now`. Backwards it is believed at once: nothing is buried too early by that."""
        began, since = now - elapsed, self._doubted_since
        if began <= self._began + LEAP_MS or (since is not None and elapsed - since >= DOUBT_MS):
            self._began, self._doubted_since = began, None
        elif since is None:
            self._doubted_since = elapsed

    def now(self, elapsed: int) -> int:
        """The time by which deadlines have passed."""
        return self._began + elapsed
