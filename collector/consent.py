"""What a visitor said about being measured, and what follows from it. Pure."""

from typing import Literal, TypeVar, get_args

Consent = Literal["granted", "denied", "pending", "unknown"]
CONSENTS: frozenset[str] = frozenset(get_args(Consent))

_Said = TypeVar("_Said", Consent, Consent | None)

Ruling = Literal["send", "hold", "bury"]


def ruling(consent: Consent, required: bool) -> Ruling:
    """Say what consent does to an event.

    Denied is never sent. Pending waits for a grant. Unknown is sent unless the business requires consent (`required`).
    """
    if consent == "denied":
        return "bury"
    if consent == "pending" or (consent == "unknown" and required):
        return "hold"
    return "send"


def renewed(earlier: _Said, later: _Said) -> _Said:
    """What counts of two words on the same event: a denial always, else the later one, if it says anything."""
    return earlier if earlier == "denied" or later in (None, "unknown") else later


def joined(said: Consent | None, known: Consent) -> Consent:
    """What counts where the caller says one thing of an event and the visitor's landing another: a denial always, else the caller's word."""
    return known if said is None or known == "denied" else said
