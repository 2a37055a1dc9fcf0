"""What a call does that finds its key (business, event name, event id) taken. Pure."""

from typing import Final, Literal

import msgspec

from collector.consent import renewed
from collector.event import Event, about, same_body
from collector.match import Match, met
from collector.options import limited, said
from collector.receipt import Candidate
from collector.store.face import StoredEvent

Repeat = Literal["delivered", "deny", "match", "correct", "refused", "dead", "join"]

_STOPPABLE: Final = ("unmatched", "pending", "retrying", "held")


def repeat(standing: StoredEvent, same: bool, resolves: bool, denied: bool) -> Repeat:
    """What a call is to do that found its key taken. Rows of the contract's table, top down.

    `correct` still needs that no attempt was accepted or is unknown, which the attempts tell. A repeat whose own click cannot be found
    (`resolves`) corrects nothing that has one: the first one's click would be lost. `denied`: the visitor denies, by now or before.
    """
    state, reason = standing.delivery.state, standing.delivery.reason
    if state == "delivered":
        return "delivered"
    if denied and state in _STOPPABLE:
        return "deny"
    if state == "unmatched" and not same:
        return "correct"
    if state == "unmatched" and resolves:
        return "match"
    if not same and resolves and (state == "held" or (state, reason) == ("dead", "rejected")):
        return "correct"
    if (state, reason) in (("dead", "rejected"), ("dead", "expired")):
        return "refused"
    return "dead" if state == "dead" else "join"


def denies(standing: StoredEvent, given: Event) -> bool:
    """Whether the visitor denies, by the word of the first call or of the repeat."""
    return "denied" in (standing.event.consent, given.consent)


def same(standing: StoredEvent, given: Candidate) -> bool:
    """Whether a repeat says what the first said. A click that only one of them knows is no difference."""
    first, later = standing.event, given.event
    if given.match.click is None:
        later = about(later, first.click, later.consent)
    elif standing.delivery.state == "unmatched":
        first = about(first, later.click, first.consent)
    return same_body(first.digest, later.digest)


def revision(standing: Event, given: Event) -> Event:
    """The event that goes on under its first id, with the body of its correction. A body that names no time is about the same moment as before.

    What the first said of consent and limits stands where the correction says nothing of it; a denial and a limit stand always.
    """
    bound = limited(given, standing, renewed(said(standing).consent, said(given).consent))
    event_at = given.event_at if ":" in given.digest else standing.event_at
    consent = renewed(standing.consent, given.consent)
    return msgspec.structs.replace(
        bound, id=standing.id, event_at=event_at, consent=consent, revision=standing.revision + 1
    )


def restricted(standing: StoredEvent, given: Event) -> StoredEvent:
    """What stands, under the denial and the limits that a repeat says. What is being sent cannot be called back: its next try obeys, and so
    does a replay of what is over."""
    delivery = standing.delivery
    denied = denies(standing, given)
    event = limited(standing.event, given, "denied" if denied else said(standing.event).consent)
    if not denied:
        return StoredEvent(event=event, delivery=delivery)
    if delivery.state in _STOPPABLE:
        delivery = msgspec.structs.replace(delivery, state="dead", reason="consent")
    return StoredEvent(event=met(event, Match(event.click, "denied")), delivery=delivery)
