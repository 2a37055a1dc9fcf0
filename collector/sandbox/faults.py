"""Faults on order: what goes wrong between a sender and its destination, for the next so many requests."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

Via = Literal["graph", "connectly"]
Kind = Literal["status", "hang", "reset_after_accept", "html500", "wrong_count", "slow", "throttle", "messages"]
Edge = Literal["events", "dataset", "subscribed_apps", "debug_token", "node"]
OF_EVENTS = frozenset({"reset_after_accept", "wrong_count", "messages"})
"""Kinds that only make sense where events are taken."""
Count = Annotated[int, msgspec.Meta(ge=0)]


class Fault(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """One fault. Without `times` it stays until replaced; without `via` it strikes both destinations.

    - `status`: an error answer; `code` and `subcode` choose Meta's words, else they follow from the status. `is_transient`
      says what usually follows from the code: Graph also sends code 1 with `false`.
    - `throttle`: 400 with code 4 or 80004 (Connectly: 429), usage headers, `Retry-After` when `retry_after` is given.
    - `html500`: an HTML page, as a proxy would answer.
    - `hang`: no answer until the faults are replaced; then the request goes on, unless its sender has left.
    - `slow`: `delay_ms` (default 1000) more; the next matching fault strikes too.
    - `reset_after_accept`: the events count, the connection is reset.
    - `wrong_count`: 200 with `events_received` (default 0); exactly so many of the events count.
    - `messages`: accepted, with a warning in `messages`.

    Any kind may have a `delay_ms`. `dataset_id` and `business_id` narrow a fault to one dataset (or asset) or one Connectly
    business, `edge` to one of Graph's edges; else it strikes reads as well as events.
    """

    kind: Kind
    via: Via | None = None
    status: Annotated[int, msgspec.Meta(ge=200, le=599)] | None = None
    code: int | None = None
    subcode: int | None = None
    is_transient: bool | None = None
    delay_ms: Count | None = None
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    times: Count | None = None
    retry_after: Count | None = None
    regain_minutes: Count = 1
    events_received: Count = 0
    dataset_id: str | None = None
    business_id: str | None = None
    edge: Edge | None = None

    def meets(self, via: Via, target: str, edge: Edge) -> bool:
        """Whether this fault is meant for a request to that dataset or business."""
        if self.edge not in (None, edge) or (edge != "events" and self.kind in OF_EVENTS):
            return False
        named = self.dataset_id if via == "graph" else self.business_id
        other = self.business_id if via == "graph" else self.dataset_id
        return self.via in (None, via) and self.times != 0 and named in (None, target) and other is None


class Faults:
    """The faults on order, in order. `chance` draws from [0, 1)."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._ordered: list[Fault] = []
        self._replaced = asyncio.Event()

    @property
    def ordered(self) -> list[Fault]:
        """What is still to strike."""
        return [fault for fault in self._ordered if fault.times != 0]

    def replace(self, faults: list[Fault]) -> None:
        """Takes a new list; requests that hang go on."""
        self._ordered = faults
        self._replaced.set()
        self._replaced = asyncio.Event()

    async def released(self) -> None:
        """Returns when the faults of this moment are replaced."""
        await self._replaced.wait()

    def draw(self, via: Via, target: str, edge: Edge = "events") -> tuple[int, Fault | None]:
        """The delay in ms and the fault that strike a request now, counted down."""
        delay_ms = 0
        for fault in self._ordered:
            if not fault.meets(via, target, edge) or self._chance() >= fault.probability:
                continue
            if fault.times is not None:
                fault.times -= 1
            if fault.kind != "slow":
                return delay_ms + (fault.delay_ms or 0), fault
            delay_ms += 1000 if fault.delay_ms is None else fault.delay_ms
        return delay_ms, None
