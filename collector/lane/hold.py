"""Channels that stand still because of their token, a permission or their dataset, and how they run again."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from collector.delivery import HoldReason, LaneName
from collector.errors import Unavailable
from collector.lane.circuit import Mode
from collector.lane.kit import Directory
from collector.store.face import Outbox

LOG = logging.getLogger(__name__)

PROBE_SECONDS: Final = 60.0
PROBE_SECONDS_MAX: Final = 3600.0

WRITES_AT_ONCE: Final = 32
"""Holds that one review writes or tries: a token that thousands of channels share must not keep the other lanes waiting."""


class _Hold:
    """A channel that is held (`standing`), or was since `lifted_at` and has not `proved` itself since.

    `name` is any of its lanes'. `committed`: the store knows, so that a directory read from now on tells whether it was resumed.
    """

    def __init__(self, name: LaneName) -> None:
        self.name = name
        self.reason: HoldReason = "channel"
        self.standing = False
        self.committed = False
        self.proved = False
        self.lifted_at = 0.0
        self.probes = 0
        self.probe_at = 0.0


class Holds:
    """The held channels of this process. Each is held in the store too: there its deliveries wait, and there it is resumed.

    A hold ends when the store says that the channel runs again (a new token, the command `channel resume`), or by a probe: after a minute, then
    ever more rarely up to once an hour, a single event is tried; when it goes well the others follow.
    """

    def __init__(
        self, outbox: Outbox, directory: Directory, monotonic: Callable[[], float], wake: Callable[[], None]
    ) -> None:
        self._outbox = outbox
        self._directory = directory
        self._monotonic = monotonic
        self._wake = wake
        self._holds: dict[str, _Hold] = {}

    def __len__(self) -> int:
        return sum(hold.standing for hold in self._holds.values())

    def _of(self, name: LaneName) -> _Hold | None:
        # Asked with every event, and nearly always there is none.
        return self._holds.get(name.prefix) if self._holds else None

    def reason(self, name: LaneName) -> HoldReason | None:
        """Why nothing may be sent on this lane; None where something may."""
        hold = self._of(name)
        return hold.reason if hold and hold.standing else None

    def mode(self, name: LaneName) -> Mode:
        """What may be sent on this lane: nothing while the channel is held, one event at a time until it has proved itself."""
        hold = self._of(name)
        if hold is None:
            return "flow"
        if hold.standing:
            return "stop"
        return "flow" if hold.proved else "probe"

    def forgotten(self, name: LaneName) -> bool:
        """Whether nobody here holds the channel or is trying it: what the store still keeps back was left so by a process that ended."""
        hold = self._of(name)
        return hold is None or (not hold.standing and self._monotonic() - hold.lifted_at > PROBE_SECONDS)

    def place(self, name: LaneName, reason: HoldReason, committed: bool = False) -> None:
        """Hold the channel, at once for this process; `commit` tells the store, unless it is the store that says so."""
        hold = self._holds.setdefault(name.prefix, _Hold(name))
        if hold.standing:
            return
        hold.standing, hold.committed, hold.proved, hold.reason = True, committed, False, reason
        hold.probe_at = self._monotonic() + min(PROBE_SECONDS * 2**hold.probes, PROBE_SECONDS_MAX)
        LOG.warning("channel held", extra={"business_id": name.business_id, "channel": name.channel, "reason": reason})
        self._wake()

    def prove(self, name: LaneName) -> None:
        """An event of the channel was accepted, or refused for what it is."""
        hold = self._of(name)
        if hold is not None and not hold.standing and not hold.proved:
            hold.proved = True
            LOG.warning("channel runs again", extra={"business_id": name.business_id, "channel": name.channel})
            self._wake()

    async def commit(self, name: LaneName) -> None:
        """Hold the channel in the store, with all that waits on it. May be repeated."""
        hold = self._of(name)
        if hold is not None and hold.standing:
            await self._outbox.hold(name.business_id, name.channel, name.prefix, hold.reason)
            hold.committed = True

    async def review(self) -> float:
        """Write what is not written, release what has proved itself, lift what was resumed, probe what is due.

        Returns the seconds until there is more to do: none, where it was too much for one review.
        """
        unwritten = [hold for hold in self._holds.values() if hold.proved or (hold.standing and not hold.committed)]
        for hold in unwritten[:WRITES_AT_ONCE]:
            if hold.proved:
                await self._outbox.resume(hold.name.business_id, hold.name.channel, hold.name.prefix)
                if hold.proved:  # and was not held again meanwhile
                    del self._holds[hold.name.prefix]
            else:
                await self.commit(hold.name)
        committed = [hold for hold in self._holds.values() if hold.standing and hold.committed]
        await self._directory.refresh()
        for hold in committed:
            account = self._directory.channel(hold.name.business_id, hold.name.channel)
            if account is not None and not account.held:
                hold.standing, hold.lifted_at = False, self._monotonic()
        now = self._monotonic()
        await self._probe(
            [each for each in self._holds.values() if each.standing and each.probe_at <= now][:WRITES_AT_ONCE]
        )
        if len(unwritten) > WRITES_AT_ONCE:
            return 0.0
        return max(
            0.0, min((each.probe_at - now for each in self._holds.values() if each.standing), default=PROBE_SECONDS_MAX)
        )

    async def _probe(self, holds: Sequence[_Hold]) -> None:
        if not holds:
            return
        try:
            for hold in holds:
                hold.probes += 1
                await self._outbox.probe(hold.name.business_id, hold.name.channel, hold.name.prefix)
            await self._directory.refresh()
        except Unavailable:
            for hold in holds:
                hold.probe_at = self._monotonic() + PROBE_SECONDS
            raise
        for hold in holds:
            hold.standing, hold.lifted_at = False, self._monotonic()
