"""Connectly's conversion endpoint: one event a call; Connectly forwards to Meta and answers with Meta's verdict.

Source: Connectly's contract. It leaves the error body open, so everything that its words allow is read: the HTTP status decides, the words are
found wherever they stand.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from collector.delivery import Outcome, Ruling
from collector.destinations import Account
from collector.destinations.answer import UNREADABLE, Answer, Wire, read_lost, retry_after_ms, words
from collector.destinations.outbound import Outbound, require_tls
from collector.event import Event

EVENT_NAMES: Final = ("Purchase", "ViewContent")
IDS: Final = ("cnct_tracking_id", "sendout_id", "ctwa_clid", "ad_id")
DEPTH_MAX: Final = 16

_TOKEN: Final = Ruling("held", "channel", "token")
_BY_STATUS: Final[dict[int, Ruling]] = {
    401: _TOKEN,
    403: _TOKEN,
    404: Ruling("held", "channel", "channel"),  # the business, or its WhatsApp channel, is not there
    408: Ruling("unavailable", "app"),
    429: Ruling("throttled", "app"),
    504: Ruling("unknown", "unknown"),
}


class Connectly:
    """Posts to `{url}/external/v1/businesses/{business}/conversion_events` with `X-API-KEY`."""

    batch_max = 1
    requests_max = 16
    takes_tests = False

    def __init__(self, outbound: Outbound, url: str) -> None:
        self._outbound = outbound
        self.seconds = outbound.seconds
        self._root = f"{require_tls(url)}/external/v1/businesses"

    def lacks(self, event: Event) -> str | None:
        """Connectly asks for all four ids."""
        return ", ".join(name for name in IDS if not getattr(event.click, name)) or None

    def check(self, event: Event, account: Account) -> Outcome | None:
        """What the contract refuses for certain."""
        if not account.asset_id:
            return Outcome(kind="held", scope="channel", hold="channel", message="no Connectly business id is set")
        if event.event_name not in EVENT_NAMES:
            return _refused("event_name must be Purchase or ViewContent")
        if event.event_name == "Purchase" and (event.currency is None or event.value_micros is None):
            return _refused("a Purchase needs currency and value")
        if lacking := self.lacks(event):
            return _refused(f"missing: {lacking}")
        return None

    def to_wire(self, events: Sequence[Event], account: Account, test_event_code: str | None) -> Wire:
        """The request for one event. Raises ValueError for several, for a test event, and for custom data that is no JSON object."""
        (event,) = events
        if test_event_code is not None:
            raise ValueError("Connectly knows no test events")
        click = event.click
        payload = _members(event.custom_data)
        payload["event_time"] = msgspec.Raw(b"%d" % (event.event_at // 1000))
        body = {
            "cnct_tracking_id": click.cnct_tracking_id,
            "sendout_id": click.sendout_id,
            "event_name": event.event_name,
            "attribution": {"meta_ctwa": {"ctwa_clid": click.ctwa_clid, "ad_id": click.ad_id}},
            "payload": payload,
        }
        return Wire(
            url=f"{self._root}/{quote(account.asset_id or '', safe='')}/conversion_events",
            headers={"x-api-key": account.token, "content-type": "application/json"},
            body=msgspec.json.encode(body),
            secrets=(account.token, *([click.ctwa_clid] if click.ctwa_clid else [])),
        )

    async def send(self, wire: Wire) -> Answer:
        """One POST."""
        return await self._outbound.send(wire)

    def read(self, answer: Answer, sent: int) -> Outcome:
        """By HTTP status. A refusal carries Meta's words (`meta_error`) where Meta refused."""
        if lost := read_lost(answer):
            return lost
        body = answer.json()
        if answer.status == 200 and body:
            received = body.get("events_received")
            if received is not True and received == sent:
                return Outcome(
                    kind="accepted", scope="event", http_status=200, reference=_find(body, ("fbtrace_id", "cntTraceId"))
                )
        ruling = _ruling(answer)
        return Outcome(
            kind=ruling.kind,
            scope=ruling.scope,
            hold=ruling.hold,
            http_status=answer.status,
            message=_find(body, ("meta_error",)) or _message(body),
            reference=_find(body, ("fbtrace_id", "cntTraceId")),
            retry_after_ms=retry_after_ms(answer.headers),
        )


def _ruling(answer: Answer) -> Ruling:
    status = answer.status
    if ruling := _BY_STATUS.get(status):
        return ruling
    if 400 <= status < 500:
        return Ruling("unavailable", "app") if answer.cut else Ruling("rejected", "event")
    return Ruling("unknown", "unknown") if 200 <= status < 300 else Ruling("unavailable", "app")


def _refused(message: str) -> Outcome:
    return Outcome(kind="rejected", scope="event", message=message)


def _members(custom_data: str) -> dict[str, msgspec.Raw]:
    """The members of the custom data, each as it was written: a price keeps its digits."""
    try:
        return msgspec.json.decode(custom_data, type=dict[str, msgspec.Raw])
    except UNREADABLE as error:
        raise ValueError("custom data is no JSON object") from error


def _message(body: dict[str, Any] | None) -> str | None:
    if body is None:
        return None
    error = body.get("error")
    inner = error.get("message") if isinstance(error, dict) else error
    return words(body.get("userMessage")) or words(body.get("message")) or words(inner)


def _find(body: object, names: Sequence[str]) -> str | None:
    """The first text under one of these names, wherever it stands; of an object its message."""
    for name in names:
        for value in _under(body, name, DEPTH_MAX):
            found = words(value) or (_message(value) if isinstance(value, dict) else None)
            if found:
                return found
    return None


def _under(value: object, name: str, depth: int) -> Iterator[object]:
    if depth == 0:
        return
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        for each in value.values():
            yield from _under(each, name, depth - 1)
    elif isinstance(value, list):
        for each in value:
            yield from _under(each, name, depth - 1)
