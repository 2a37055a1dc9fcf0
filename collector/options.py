"""What the collector's own events API can say of an event beyond who, when and what. Pure."""

from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import msgspec

from collector.consent import Consent
from collector.event import Event
from collector.identity import LookupKind

NONE: Final = "{}"
LIMITS: Final = (
    ("opt_out",),
    ("data_processing_options", "data_processing_options_country", "data_processing_options_state"),
)
"""What limits the use of an event, as Meta names it, each with what is told beside it."""


class Options(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Kept as JSON text in `Event.options`.

    - `wire`: fields of the event as Meta names them: action_source, opt_out, data_processing_options, referrer_url, …
    - `touch`: which of a conversation's clicks counts, the last one before the event or the first.
    - `lookups`: (kind, value) pairs that may name the conversation or customer whose click it is.
    - `consent`: what the caller said of it; None where that is left to the landing.
    - `click_id`: the click id goes along with a conversion of the website.
    - `test_event_code`, `partner_agent`: of the request that takes the event to Meta; None: the business's, the collector's.
    """

    wire: dict[str, Any] = {}
    touch: Literal["last", "first"] = "last"
    lookups: tuple[tuple[LookupKind, str], ...] = ()
    consent: Consent | None = None
    click_id: bool = False
    test_event_code: str | None = None
    partner_agent: str | None = None

    def __bool__(self) -> bool:
        """Whether anything was asked for."""
        return self != _PLAIN

    @property
    def limit(self) -> str | None:
        """The field that limits what may be done with the event, if one does."""
        return next((name for name, *_ in LIMITS if self.wire.get(name)), None)

    def text(self) -> str:
        """As `Event.options` keeps it."""
        return msgspec.json.encode(self).decode()


_PLAIN: Final = Options()
_decoder = msgspec.json.Decoder(Options)


class Envelope(NamedTuple):
    """What the events of one request must share: a request is a test or it is not, and it has one sender."""

    test: bool
    test_event_code: str | None = None
    partner_agent: str | None = None


_ENVELOPES: Final = {test: Envelope(test) for test in (False, True)}


@lru_cache(maxsize=256)
def _read(text: str) -> Options:
    try:
        return _decoder.decode(text)
    except RecursionError as error:
        raise ValueError("options without end") from error


def read(event: Event) -> Options:
    """The event's options. Raises ValueError where somebody edited them by hand."""
    return _PLAIN if event.options == NONE else _read(event.options)


def said(event: Event) -> Options:
    """What the caller said, for finding the event's click. Nothing where somebody edited it by hand: such an event is refused when it is sent."""
    try:
        return read(event)
    except ValueError:
        return _PLAIN


def limited(event: Event, by: Event, consent: Consent | None) -> Event:
    """The event with its caller's word on consent, and with the limits that `by` asks for and it does not ask for itself."""
    own, asked = said(event), said(by).wire
    more = {
        key: asked[key]
        for name, *beside in LIMITS
        if asked.get(name) and not own.wire.get(name)
        for key in (name, *beside)
        if key in asked
    }
    known = msgspec.structs.replace(own, wire=own.wire | more, consent=consent)
    return event if known == own else msgspec.structs.replace(event, options=known.text())


def envelope(event: Event) -> Envelope:
    """What the request that takes the event must say about all of its events. Never raises: an edited row is refused later, by itself."""
    if event.options == NONE:
        return _ENVELOPES[event.test]
    try:
        options = read(event)
    except ValueError:
        return _ENVELOPES[event.test]
    return Envelope(event.test, options.test_event_code, options.partner_agent)
