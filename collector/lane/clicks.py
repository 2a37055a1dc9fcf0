"""Click ids that Meta did not know: remembered for a day, so that the same one does not spoil another batch."""

from typing import Final

from collector.delivery import Outcome

REMEMBERED_MS: Final = 24 * 3_600_000


class RefusedClicks:
    """At most `most` click ids with the outcome that each was refused with; the oldest is forgotten first. Lost with the process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._refused: dict[tuple[str, str], tuple[int, Outcome]] = {}

    def remember(self, where: str, click_id: str | None, outcome: Outcome, now: int) -> None:
        """`where` names the dataset: another one may know the click. `now` is in ms, by a clock that nobody sets."""
        if click_id is None:
            return
        self._refused.pop((where, click_id), None)
        self._refused[where, click_id] = (now + REMEMBERED_MS, outcome)
        if len(self._refused) > self._most:
            del self._refused[next(iter(self._refused))]

    def recall(self, where: str, click_id: str | None, now: int) -> Outcome | None:
        """The refusal of this click id, if it is still remembered at `now`."""
        until, outcome = self._refused.get((where, click_id or ""), (0, None))
        return outcome if now < until else None
