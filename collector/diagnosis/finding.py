"""What a check comes to, and the facts that checks look at."""

from typing import Final, Literal

import msgspec

from collector.delivery import Outcome
from collector.destinations.graph import App, Problem, Served, Token
from collector.diagnosis.trouble import is_about_token
from collector.settings import Settings
from collector.store.face import BusinessRow, ChannelRow, KeyRow

Status = Literal["ok", "warning", "fault", "skipped"]


class Finding(msgspec.Struct, frozen=True):
    """One check: of what (`part`), called how, what was found, and what to do. `skipped` says that it could not be made."""

    part: str
    check: str
    status: Status
    what: str
    remedy: str | None = None


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """What a GET of a page came to: a status, with the address that a redirect names, or why there was none."""

    url: str
    status: int = 0
    location: str | None = None
    error: str | None = None


class Hearing(msgspec.Struct, frozen=True, kw_only=True):
    """What the destination said to a request without a token, at `at` by our clock (UTC milliseconds, the middle of the exchange)."""

    at: int
    served: Served
    error: str | None = None


NOT_ASKED: Final = Problem(words="not asked", lost=True)


class ChannelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One channel, and what Graph says about it, as far as it was asked: not without a usable token.

    `sealed`: why its token does not open. `told`: what the token may do. `named`: what the dataset is called. `linked`: the datasets of its
    asset. `apps`: who gets the asset's webhooks.
    """

    row: ChannelRow
    sealed: str | None = None
    told: Token | Problem | None = None
    named: str | Problem = NOT_ASKED
    linked: tuple[str, ...] | Problem = NOT_ASKED
    apps: tuple[App, ...] | Problem = NOT_ASKED

    @property
    def usable(self) -> bool:
        """Whether there is a token, and Graph does not refuse it."""
        if isinstance(self.told, Problem):
            return not (self.told.lost or is_about_token(self.told))
        return self.told is not None and self.told.valid


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """A test event to a channel: how it went, or what it would have needed."""

    row: ChannelRow
    outcome: Outcome | None = None
    lacks: str | None = None


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found out about a business, at `now` (UTC milliseconds).

    `unwritten`: why the store cannot be written. `channels` are those of the business's destination.
    """

    now: int
    settings: Settings
    business: BusinessRow
    keys: tuple[KeyRow, ...]
    unwritten: str | None
    hearing: Hearing
    shop: tuple[Visit, ...]
    snippet: Visit
    channels: tuple[ChannelFacts, ...]
    trials: tuple[Trial, ...] = ()
