"""Meta's Conversions API: conversions of conversations (WhatsApp, Messenger, Instagram) and of the website.

Sources: Meta's Conversions API reference and its guide for business messaging; where field and guide differ, what Graph was seen to accept.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from collector.delivery import HOUR_MS, Outcome, classify
from collector.destinations import Account
from collector.destinations.answer import Answer, Wire, integer, read_lost, retry_after_ms, words
from collector.destinations.outbound import Outbound, require_tls
from collector.event import Event
from collector.identity import is_enough_for_web
from collector.options import Options, envelope, read

USAGE_HEADERS: Final = ("x-app-usage", "x-business-use-case-usage", "x-ad-account-usage")
USED_UP_PERCENT: Final = 100
USED_UP_WAIT_MS: Final = 300_000
"""How long to wait when a usage header says that the limit is reached and none says for how long."""

REDACTED_FROM: Final = 8
"""Characters of a value that names a person: shorter ones stand in every answer by chance."""


class Meta:
    """Sends to `{graph_url}/{version}/{dataset}/events`, up to 1000 events a request; one bad event makes Graph refuse them all."""

    batch_max = 1000
    requests_max = 64
    takes_tests = True

    def __init__(self, outbound: Outbound, graph_url: str, version: str, partner_agent: str) -> None:
        self._outbound = outbound
        self.seconds = outbound.seconds
        self._root = f"{require_tls(graph_url)}/{version}"
        self._partner_agent = partner_agent

    def lacks(self, event: Event) -> str | None:
        """What names the person there: WhatsApp's click id, or the id that Page or account gave the sender."""
        needed = _NEEDED.get(event.channel)
        if needed is None or (needed == "ctwa_clid" and event.click.ctwa_clid):
            return None
        try:
            return None if needed in _user_data(event) else needed
        except ValueError:
            return None  # a row that somebody edited: no request can be made of it, which says so

    def check(self, event: Event, account: Account) -> Outcome | None:
        """What Graph refuses for certain, under the subcode that it would give."""
        website = event.channel == "website"
        if not website and event.channel not in _ASSETS:
            return _refused(None, "there is no such channel")
        if not account.asset_id and not website:
            return Outcome(kind="held", scope="channel", hold="channel", message=f"{event.channel} has no account set")
        if not account.dataset_id:
            return Outcome(kind="held", scope="channel", hold="dataset", message="the channel has no dataset")
        try:
            options, user_data = read(event), _user_data(event)
        except ValueError:
            return None  # a row that somebody edited: no request can be made of it, which says so
        if not (website or "action_source" in options.wire or event.event_name in account.messaging_names):
            return _refused(2804066, "Meta takes no conversion of this name from a conversation")
        if event.event_name == "Purchase" and (event.currency is None or event.value_micros is None):
            return _refused(2804010, "a Purchase needs currency and value")
        if lacking := self.lacks(event):
            return _refused(_MISSING[lacking], f"no {lacking}")
        if website and not is_enough_for_web(user_data | _website_click(event, options)):
            return _refused(2804050, "too little is known of who it was")
        return None

    def to_wire(self, events: Sequence[Event], account: Account, test_event_code: str | None) -> Wire:
        """The request for these events. The token travels in a header, never in the URL."""
        body: dict[str, Any] = {
            "data": [_event(event, account.asset_id) for event in events],
            "partner_agent": envelope(events[0]).partner_agent or self._partner_agent,
        }
        if test_event_code is not None:
            body["test_event_code"] = test_event_code
        return Wire(
            url=f"{self._root}/{quote(account.dataset_id or '', safe='')}/events",
            headers={"authorization": f"Bearer {account.token}", "content-type": "application/json"},
            body=msgspec.json.encode(body),
            secrets=(account.token, *{clid for event in events for clid in _click_ids(event)}),
        )

    async def send(self, wire: Wire) -> Answer:
        """One POST."""
        return await self._outbound.send(wire)

    def read(self, answer: Answer, sent: int) -> Outcome:
        """An error object is believed whatever the status; a 200 that does not count exactly the events sent is unknown."""
        if lost := read_lost(answer):
            return lost
        body = answer.json()
        error = body.get("error") if body else None
        if isinstance(error, dict):
            return _error(answer, error)
        if answer.status == 200 and body:
            received = body.get("events_received")
            if received is not True and received == sent:
                return Outcome(
                    kind="accepted",
                    scope="event",
                    http_status=200,
                    reference=words(body.get("fbtrace_id")),
                    message=_warnings(body.get("messages")),
                )
        if answer.cut and answer.status >= 400:  # half an error: nothing was processed, and why is not known
            return Outcome(kind="unavailable", scope="app", http_status=answer.status, message="half an answer")
        return _error(answer, {})


_NEEDED: Final[Mapping[str, str]] = {
    "whatsapp": "ctwa_clid",
    "messenger": "page_scoped_user_id",
    "instagram": "ig_sid",
}
_MISSING: Final[Mapping[str, int | None]] = {"ctwa_clid": 2804087, "page_scoped_user_id": None, "ig_sid": None}
"""The subcode under which Meta refuses an event that lacks it, where one is known."""
_ASSETS: Final[Mapping[str, str]] = {
    "whatsapp": "whatsapp_business_account_id",
    "messenger": "page_id",
    "instagram": "ig_account_id",
}


def _event(event: Event, asset_id: str | None) -> dict[str, Any]:
    """One element of `data`. Of the click only its id leaves: ad, sendout and tracking id are not Meta's to have.

    Raises ValueError where somebody edited the row by hand.
    """
    options = read(event)
    wire: dict[str, Any] = {
        "event_name": event.event_name,
        "event_time": event.event_at // 1000,
        "event_id": event.event_id,
    }
    if event.channel == "website":
        wire["action_source"] = "website"
        if event.page_url is not None:
            wire["event_source_url"] = event.page_url
        user_data = _website_click(event, options)
    else:
        wire["action_source"] = "business_messaging"
        wire["messaging_channel"] = event.channel
        user_data = {_ASSETS[event.channel]: asset_id}
        if event.channel == "whatsapp":
            user_data["ctwa_clid"] = event.click.ctwa_clid
    wire["user_data"] = user_data | _user_data(event)
    if event.custom_data != "{}":
        wire["custom_data"] = msgspec.Raw(event.custom_data.encode())
    wire |= options.wire
    if wire["action_source"] == "system_generated":
        wire.pop("messaging_channel", None)
    return wire


def _website_click(event: Event, options: Options) -> dict[str, Any]:
    """The click id beside what identifies a visitor of the website, where the business wants it there."""
    clid = event.click.ctwa_clid
    return {"ctwa_clid": clid} if clid and options.click_id else {}


def _user_data(event: Event) -> dict[str, Any]:
    """Who it was. Raises ValueError where somebody edited the row by hand."""
    try:
        return {} if event.user_data == "{}" else _object.decode(event.user_data)
    except RecursionError as error:
        raise ValueError("user data without end") from error


_object: Final = msgspec.json.Decoder(dict[str, Any])


def _click_ids(event: Event) -> list[str]:
    """What must not be repeated from an answer: the click id and the ids of a person."""
    ids = [event.click.ctwa_clid]
    if event.user_data != "{}":
        ids += [value for value in _user_data(event).values() if isinstance(value, str)]
    return [value for value in ids if value and len(value) >= REDACTED_FROM]


def _refused(subcode: int | None, message: str) -> Outcome:
    return Outcome(kind="rejected", scope="event", code=100, subcode=subcode, message=message)


def _error(answer: Answer, error: Mapping[str, Any]) -> Outcome:
    code, subcode = integer(error.get("code")), integer(error.get("error_subcode"))
    transient = error.get("is_transient")
    ruling = classify(
        answer.status,
        code,
        subcode,
        transient if isinstance(transient, bool) else None,
        error.get("type") == "OAuthException",
    )
    return Outcome(
        kind=ruling.kind,
        scope=ruling.scope,
        hold=ruling.hold,
        http_status=answer.status,
        code=code,
        subcode=subcode,
        reference=words(error.get("fbtrace_id")),
        message=_said(error),
        retry_after_ms=_hint_ms(answer.headers),
    )


def _said(error: Mapping[str, Any]) -> str | None:
    """Meta's own words: title and text for people where it gives them, else the technical message, often just "Invalid parameter"."""
    title, text = words(error.get("error_user_title")), words(error.get("error_user_msg"))
    if title and text and title not in text:
        return words(f"{title}: {text}")
    return text or title or words(error.get("message"))


def _warnings(messages: object) -> str | None:
    if not isinstance(messages, list) or not messages:
        return None
    return words("; ".join(each if isinstance(each, str) else msgspec.json.encode(each).decode() for each in messages))


def _hint_ms(headers: Mapping[str, str]) -> int | None:
    """How long Graph asks us to stay away: `Retry-After` or the time in a usage header, the longest of them.

    Where none names a time and a usage header says that the limit is reached, `USED_UP_WAIT_MS`; else None.
    """
    usage = [each for name in USAGE_HEADERS for each in _usage(headers.get(name))]
    named = [retry_after_ms(headers), *map(_regain_ms, usage)]
    hints = [hint for hint in named if hint]
    if not hints and any(map(_used_up, usage)):
        return USED_UP_WAIT_MS
    return max(hints, default=named[0])


def _usage(header: str | None) -> list[dict[str, Any]]:
    """The usage objects of a header: itself, or a list of them for each business."""
    try:
        usage = msgspec.json.decode(header or "null")
    except (msgspec.DecodeError, RecursionError):
        return []
    if not isinstance(usage, dict):
        return []
    lists = [each for each in usage.values() if isinstance(each, list)]
    return [usage, *(item for each in lists for item in each if isinstance(item, dict))]


def _regain_ms(usage: Mapping[str, Any]) -> int:
    minutes = integer(usage.get("estimated_time_to_regain_access")) or 0  # by business
    seconds = integer(usage.get("reset_time_duration")) or 0  # by ad account
    return min(max(minutes * 60_000, seconds * 1000, 0), 24 * HOUR_MS)


def _used_up(usage: Mapping[str, Any]) -> bool:
    shares = [usage.get(name) for name in ("call_count", "total_cputime", "total_time", "acc_id_util_pct")]
    return any(isinstance(share, int | float) and share >= USED_UP_PERCENT for share in shares)
