"""What a call does that finds its key (business, event name, event id) taken. Pure."""

from typing import Literal

import msgspec

from collector.event import Event
from collector.store.face import StoredEvent

Repeat = Literal["delivered", "match", "correct", "refused", "dead", "join"]


def repeat(standing: StoredEvent, same: bool, resolves: bool) -> Repeat:
    """What a call is to do that found its key taken. Rows of the contract's table, top down.

    `correct` still needs that no attempt was accepted or is unknown, which the attempts tell. A repeat whose own click cannot be found
    (`resolves`) corrects nothing: the first one's click would be lost.
    """
    state, reason = standing.delivery.state, standing.delivery.reason
    if state == "delivered":
        return "delivered"
    if state == "unmatched" and resolves:
        return "match"
    if not same and resolves and (state == "held" or (state, reason) == ("dead", "rejected")):
        return "correct"
    if (state, reason) in (("dead", "rejected"), ("dead", "expired")):
        return "refused"
    return "dead" if state == "dead" else "join"


def revision(standing: Event, given: Event) -> Event:
    """The event that goes on under its first id, with the body of its correction. A body that names no time is about the same moment as before."""
    event_at = given.event_at if ":" in given.digest else standing.event_at
    return msgspec.structs.replace(given, id=standing.id, event_at=event_at, revision=standing.revision + 1)
