"""What a call does that finds its key (business, event name, event id) taken. Pure."""

from typing import Literal

from collector.store.face import StoredEvent

Repeat = Literal["delivered", "match", "correct", "refused", "dead", "join"]


def repeat(standing: StoredEvent, same: bool, resolves: bool) -> Repeat:
    """What a call is to do that found its key taken. Rows of the contract's table, top down.

    `correct` still needs that no attempt was accepted or is unknown, which the attempts tell.
    """
    state, reason = standing.delivery.state, standing.delivery.reason
    if state == "delivered":
        return "delivered"
    if state == "unmatched" and resolves:
        return "match"
    if not same and (state == "held" or (state, reason) == ("dead", "rejected")):
        return "correct"
    if (state, reason) in (("dead", "rejected"), ("dead", "expired")):
        return "refused"
    return "dead" if state == "dead" else "join"
