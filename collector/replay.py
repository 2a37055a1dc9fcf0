"""What a replay does with a delivery that came to its end: begin again with it under the same id, or say why not."""

from collections.abc import Container
from typing import Final, Literal

import msgspec

from collector import options
from collector.attribution import Click, ref as make_ref
from collector.consent import joined
from collector.event import Event
from collector.match import Match, Matcher, met
from collector.outset import Outset
from collector.receipt import Candidate
from collector.store.face import Delivery, Found, Outbox, Wait

Refusal = Literal[
    "under_way", "held", "consent", "unmatched", "no_click_id", "test", "expired", "in_time", "delivered", "unknown", "changed"
]  # fmt: skip

WHY: Final[dict[Refusal, str]] = {
    "under_way": "not at their end; they are sent without a replay",
    "held": "their channel stands still; mend it, then `collector channel resume`",
    "consent": "the visitor did not consent; never sent",
    "unmatched": "their click is still not known",
    "no_click_id": "their click lacks an id that the destination needs",
    "test": "test events, and no test code to send them with, or a destination that takes none",
    "expired": "older than Meta takes; --as-test sends them as test events",
    "in_time": "not expired, so --as-test leaves them alone; they can be sent live",
    "delivered": "they arrived; --allow-double sends them again",
    "unknown": "they may have arrived; --allow-double sends them again",
    "changed": "somebody else moved them meanwhile",
}
"""What to say to people."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the person asks for.

    `as_test`: what expired goes out as a test event. `allow_double`: what arrived, or may have, goes out again. `dry_run`: nothing is written.
    """

    as_test: bool = False
    allow_double: bool = False
    dry_run: bool = False


def refusal(found: Found, fresh: Delivery, expired: bool, terms: Terms) -> Refusal | None:
    """Say why an event is not to be replayed; None where it is. Pure.

    `fresh` is its delivery as it would set out now, on these terms; `expired` says that its deadline has passed.
    """
    old = found.standing.delivery
    if old.state in ("pending", "sending", "retrying"):
        return "under_way"
    if old.reason == "consent" or (fresh.reason == "consent" and fresh.state in ("dead", "held")):
        return "consent"
    if old.state == "held" and old.reason != "unknown":
        return "held"
    match fresh.state, fresh.reason:
        case "unmatched", _:
            return "unmatched"
        case "dead", ("no_click_id" | "test" | "expired") as reason:
            return reason
    if terms.as_test and not expired:
        return "in_time"
    if terms.allow_double:
        return None
    if old.state == "delivered" or found.sent == "accepted":
        return "delivered"
    return "unknown" if found.sent == "unknown" or old.reason == "unknown" else None


class Replay:
    """Replays deliveries on the same terms. `denials` are loaded; `now` is the store's clock (UTC ms), `outset` has it too."""

    def __init__(
        self,
        outbox: Outbox,
        matcher: Matcher,
        outset: Outset,
        denials: Container[tuple[str, str]],
        ref_key: bytes,
        terms: Terms,
        now: int,
    ) -> None:
        self._outbox = outbox
        self._matcher = matcher
        self._outset = outset
        self._denials = denials
        self._ref_key = ref_key
        self._terms = terms
        self._now = now

    async def again(self, found: Found) -> Delivery | Refusal:
        """Begin again with one event; its delivery as it sets out, or why it does not. Raises Unavailable."""
        standing, terms = found.standing, self._terms
        match = await self._match(standing.event)
        event = msgspec.structs.replace(
            standing.event, consent=joined(options.said(standing.event).consent, match.consent)
        )
        if match.click is not None and match.click != event.click:
            event = met(event, match)
        expired = standing.delivery.deadline_at <= self._now
        if expired and terms.as_test:
            event = msgspec.structs.replace(event, test=True, event_at=self._now)
        candidate = Candidate(event=event, match=match, expired=expired and not terms.as_test)
        fresh = self._outset.delivery(candidate)
        fresh = msgspec.structs.replace(fresh, attempts=standing.delivery.attempts, trigger="manual")
        if why := refusal(found, fresh, expired, terms):
            return why
        return fresh if terms.dry_run or await self._outbox.replay(standing, event, fresh) else "changed"

    async def _match(self, event: Event) -> Match:
        """The event's click, or the one that its order has been tied to by now, and what the visitor says by now."""
        if event.click == Click():
            match = await self._matcher.again(event)
            return match if match.click else Match(match.click, event.consent)
        ref = make_ref(event.click, event.business_id, self._ref_key)
        if (event.business_id, ref) not in self._denials:
            return Match(event.click, event.consent)
        return await self._matcher.wait(event, Wait(kind="ref", id=ref))
