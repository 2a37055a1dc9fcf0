"""The journey of one event to its destination: states, outcomes, decisions, schedule. Pure.

    unmatched ──match──► pending ──claim──► sending ──accepted──────────► delivered
        │                   ▲ ▲               │ ├──rejected, too late────► dead(rejected | expired | …)
        │                   │ └──release──────┤ ├──throttled, unavailable,
        │                   │                 │ │  unknown───────────────► retrying ──claim──► sending
        │                   └──resume── held ◄┘ └──token, permission, dataset, channel──► held
        └──deadline──► dead(unmatched)        (everything else that passes its deadline: dead(expired))

Who moves a delivery, and what a crash leaves behind:

- `unmatched`: its click is not known yet. A link, a landing or a repeat that names it moves it on. Nothing is lost in a crash.
- `pending`: due, in nobody's hands. A lane's claim takes it. Nothing is lost in a crash.
- `sending`: leased to one process under an attempt number. Only the holder of that number may settle it. A crash leaves it here; the rescue
  writes an attempt with outcome `unknown` (the request may have arrived) and moves it to `retrying`, or to `held(unknown)` on request.
- `retrying`: an attempt failed in a way that passes; due again at `due_at`.
- `held`: it waits for a person or for the channel: a token, a permission, a dataset, consent. It keeps its place until its deadline.
- `delivered`: the destination said so. Nothing is sent again, except by a replay that allows the double.
- `dead`: nothing more happens by itself; a replay or a corrected repeat may revive it.
"""

from typing import Final, Literal, NamedTuple, get_args

import msgspec

State = Literal["unmatched", "pending", "sending", "retrying", "held", "delivered", "dead"]
Reason = Literal[
    "rejected",
    "expired",
    "unmatched",
    "consent",
    "no_click_id",
    "test",
    "unknown",
    "token",
    "permission",
    "dataset",
    "channel",
]
Trigger = Literal["first", "scheduled", "rescue", "manual", "corrected"]

Kind = Literal["accepted", "rejected", "held", "throttled", "unavailable", "unknown"]
Scope = Literal["event", "channel", "app", "unknown"]
HoldReason = Literal["token", "permission", "dataset", "channel"]
OnUnknown = Literal["retry", "hold"]

HOUR_MS: Final = 3_600_000
AGE_MAX_MS: Final = 7 * 24 * HOUR_MS
"""Meta refuses a request that holds an event older than this (code 100, subcode 2804003)."""

DEADLINE_MARGIN_MS: Final = 300_000
"""Room for clocks that differ and for the request itself."""

HINT_MAX_MS: Final = HOUR_MS
"""The longest wait that a destination may ask of us."""


class LaneName(NamedTuple):
    """What travels together: one destination, business, channel and source. `channel` is the key of the channel's row in the store."""

    destination: str
    business_id: str
    channel: str
    source: str

    def __str__(self) -> str:
        return ":".join(self)

    @property
    def prefix(self) -> str:
        """What the names of all lanes of this channel begin with."""
        return f"{self.destination}:{self.business_id}:{self.channel}:"

    @classmethod
    def parse(cls, text: str) -> "LaneName":
        """Read a name as `str` writes it. Raises ValueError for anything else."""
        parts = text.split(":")
        if len(parts) != len(cls._fields) or not all(parts):
            raise ValueError("a lane is named destination:business_id:channel:source")
        return cls(*parts)


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one request came to.

    - `kind`: accepted; rejected (for good); held (ours to mend); throttled and unavailable (nothing was processed, later it may be); unknown
      (it may have been processed).
    - `scope`: whom it concerns. `event`: one of the events of the request, and a request of several may be split to find it. `channel`: every
      event of the channel. `app`: everybody, for a while. `unknown`: that cannot be told.
    - `code`, `subcode`: Meta's own. `reference`: Meta's `fbtrace_id` or Connectly's trace id. `message`: the destination's own words, which Meta
      localises: for people, never to decide by.
    - `retry_after_ms`: how long the destination asked us to wait.
    - `hold`: why the channel is to be held; set when `kind` is held.
    """

    kind: Kind
    scope: Scope
    http_status: int | None = None
    code: int | None = None
    subcode: int | None = None
    reference: str | None = None
    message: str | None = None
    retry_after_ms: int | None = None
    hold: HoldReason | None = None

    @property
    def names_event(self) -> bool:
        """Whether the code says by itself that the event is at fault, however many are refused so."""
        return self.code == 100 and self.subcode in NAMING_SUBCODES


NAMING_SUBCODES: Final = frozenset(
    {2804003, 2804008, 2804010, 2804011, 2804023, 2804050, 2804066, 2804072, 2804073, 2804087}
)
UNKNOWN_CLICK: Final = (100, 2804087)
"""Meta does not know the click id."""

REFUSALS_ALIKE_MAX: Final = 20
"""So many events refused alike in a row, none accepted, by a code that does not name the event: it is the channel that is at fault."""


class Ruling(NamedTuple):
    """A row's right side in the table of errors."""

    kind: Kind
    scope: Scope
    hold: HoldReason | None = None


_REJECTED: Final = Ruling("rejected", "event")
_UNAVAILABLE: Final = Ruling("unavailable", "app")
_THROTTLED: Final = Ruling("throttled", "app")
_UNKNOWN: Final = Ruling("unknown", "unknown")
_TOKEN: Final = Ruling("held", "channel", "token")
_PERMISSION: Final = Ruling("held", "channel", "permission")
_DATASET: Final = Ruling("held", "channel", "dataset")
_CHANNEL: Final = Ruling("held", "channel", "channel")

_BY_CODE_AND_SUBCODE: Final[dict[tuple[int, int], Ruling]] = {
    (1, 1349193): _PERMISSION,  # the caller may not use more assets
    (100, 33): _PERMISSION,  # the dataset does not exist for this token: mostly its system user was not assigned to it
    (100, 2804065): _DATASET,  # linked to another Page
    (100, 2804116): _CHANNEL,  # neither Page nor WhatsApp Business Account named
    (100, 2804131): _DATASET,  # no Page linked
    (100, 2804132): _DATASET,  # no WhatsApp Business Account linked
    (100, 2804133): _DATASET,  # no Instagram account linked
}
_BY_CODE: Final[dict[int, Ruling]] = {
    **dict.fromkeys((1, 2, 5000, 21009, 2635), _UNAVAILABLE),  # 2635: our Graph version is over; an upgrade ends it
    **dict.fromkeys((4, 17, 32, 341, 368, 613, *range(80000, 80015)), _THROTTLED),
    **dict.fromkeys((190, 104), _TOKEN),
    **dict.fromkeys((3, 10, 33, 102, *range(200, 300)), _PERMISSION),
    100: _REJECTED,
}
_BY_STATUS: Final[dict[int, Ruling]] = {
    401: _TOKEN,
    403: _PERMISSION,
    404: _DATASET,
    408: _UNAVAILABLE,
    425: _UNAVAILABLE,
    429: _THROTTLED,
    504: _UNKNOWN,  # a gateway that stopped waiting: what is behind it may have finished
}


def classify(
    status: int, code: int | None = None, subcode: int | None = None, transient: bool | None = None, oauth: bool = False
) -> Ruling:
    """Say what Graph's error means: by code and subcode, then by HTTP status, never by text.

    `code`, `subcode`, `transient` are the error object's `code`, `error_subcode`, `is_transient`, None where it has none; `oauth` says that its
    `type` is OAuthException, which means something only where there is no code (throttling has that type too).
    Sources: Meta's error reference, and answers that senders saw, where the two differ.
    """
    if code is None:
        return _TOKEN if oauth and status in (400, 401) else _by_status(status)
    if subcode is not None and (ruling := _BY_CODE_AND_SUBCODE.get((code, subcode))):
        return ruling
    if code in (1, 2) and transient is False and subcode is not None:
        return _REJECTED  # "unknown error" with a cause, and said to stay
    ruling = _BY_CODE.get(code, _UNAVAILABLE if code < 0 else None)
    if transient and (ruling is None or ruling.kind == "rejected"):
        return _UNAVAILABLE
    return ruling or _by_status(status)


def _by_status(status: int) -> Ruling:
    if ruling := _BY_STATUS.get(status):
        return ruling
    if 400 <= status < 500:
        return _REJECTED
    return _UNKNOWN if 200 <= status < 300 else _UNAVAILABLE


class Pace(NamedTuple):
    """How long to wait: the first delay is drawn from `floor_ms` to `first_ms`, the upper end doubles up to `most_ms`."""

    floor_ms: int
    first_ms: int
    most_ms: int


PACES: Final[dict[str, Pace]] = {
    "unavailable": Pace(500, 2_000, 60_000),  # never longer: a recovery shall be noticed within a minute
    "throttled": Pace(5_000, 10_000, 900_000),  # the limits of Graph are windows of minutes; its own hint counts first
    "unknown": Pace(1_000, 5_000, HOUR_MS),  # each further try may be a double
}


def delay(kind: Kind, attempt_number: int, random: float, hint_ms: int | None = None) -> int:
    """Milliseconds to wait after the attempt with this number (1, 2, …): exponential with full jitter, never less than the (clamped) hint.

    `random` is drawn from [0, 1).
    """
    pace = PACES.get(kind, PACES["unavailable"])
    ceiling = min(pace.most_ms, pace.first_ms << min(max(attempt_number, 1) - 1, 24))
    wait = pace.floor_ms + int(random * (ceiling - pace.floor_ms))
    return max(wait, min(max(hint_ms or 0, 0), HINT_MAX_MS))


def deadline(event_at: int) -> int:
    """The last instant (UTC ms) at which an event that happened at `event_at` may be sent."""
    return event_at + AGE_MAX_MS - DEADLINE_MARGIN_MS


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Where a delivery goes after an attempt. `due_at` (UTC ms) matters in `retrying`."""

    state: State
    reason: Reason | None
    due_at: int


def decide(
    outcome: Outcome, attempt_number: int, now: int, deadline: int, random: float, on_unknown: OnUnknown = "retry"
) -> Decision:
    """Say what follows from an outcome. `now` and `deadline` are UTC ms, `random` is drawn from [0, 1).

    Accepted is delivered, rejected is dead. What is ours to mend is held. The rest is tried again while its deadline allows; a request whose fate
    is unknown is held instead where a lost event is preferred to a double (`on_unknown`).
    """
    match outcome.kind:
        case "accepted":
            return Decision("delivered", None, now)
        case "rejected":
            return Decision("dead", "rejected", now)
        case "held":
            return Decision("held", outcome.hold or "channel", now)
        case "unknown" if on_unknown == "hold":
            return Decision("held", "unknown", now)
    due_at = now + delay(outcome.kind, attempt_number, random, outcome.retry_after_ms)
    if due_at < deadline:
        return Decision("retrying", None, due_at)
    return Decision("dead", "unknown" if outcome.kind == "unknown" else "expired", now)


def hold_reason(text: str | None) -> HoldReason:
    """Read why a channel is held from its row; `channel` where the row says nothing that we know."""
    for reason in get_args(HoldReason):
        if reason == text:
            return reason  # type: ignore[no-any-return]  # get_args gives back the members of the Literal
    return "channel"
