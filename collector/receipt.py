"""What goes into intake, and what comes out."""

import msgspec

from collector.event import Event
from collector.match import Match
from collector.store.face import Delivery


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What became of a call about one event. `delivery` is where it stands; `notes` go into `X-Collector-Reason`."""

    event_row: str
    event_id: str
    delivery: Delivery
    duplicate: bool = False
    notes: tuple[str, ...] = ()


class Candidate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A checked event that asks to be taken. `event.click` is empty where `match.click` is None."""

    event: Event
    match: Match
    expired: bool = False
    notes: tuple[str, ...] = ()
