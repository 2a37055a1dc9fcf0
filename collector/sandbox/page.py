"""The page on which a person watches events arrive."""

import itertools
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
from jinja2 import Environment, FileSystemLoader
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from .control import Control, bad, number
from .journal import Received, RefusedRequest
from .wire import UNREADABLE

ROWS = 100
KEYS_SHOWN = 12
_HERE = Path(__file__).parent
_SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


class Page:
    """`/`, and the rows it asks for while it is open."""

    def __init__(self, control: Control) -> None:
        self.control = control
        self.templates = Environment(loader=FileSystemLoader(_HERE / "templates"), autoescape=True)
        self.templates.filters |= {"short": short, "utc": utc, "amount": amount}

    def routes(self) -> list[BaseRoute]:
        """The page, its feed and its files."""
        return [
            Route("/", self.page, methods=["GET"]),
            Route("/sandbox/feed", self.feed, methods=["GET"]),
            Mount("/sandbox/static", StaticFiles(directory=_HERE / "static")),
        ]

    async def page(self, request: Request) -> Response:
        """The whole page."""
        html = self.templates.get_template("page.html").render(
            rows=self.rows(0), last=self.control.stand.journal.last_id, **self._head()
        )
        return HTMLResponse(html, headers=_SECURITY)

    async def feed(self, request: Request) -> Response:
        """Rows newer than `after`, with the counters, for the page's script."""
        try:
            after = number(request.query_params, "after", 0)
        except ValueError as error:
            return bad(str(error))
        body = {
            "last": self.control.stand.journal.last_id,
            "rows": self.templates.get_template("rows.html").render(rows=self.rows(after)),
            "head": self.templates.get_template("head.html").render(**self._head()),
        }
        return Response(msgspec.json.encode(body), media_type="application/json", headers=_SECURITY)

    def rows(self, after: int) -> list[dict[str, Any]]:
        """The newest events and refusals, newest first."""
        journal = self.control.stand.journal
        newest: list[Received | RefusedRequest] = []
        for kept in (journal.events, journal.refusals):
            newest += itertools.takewhile(lambda entry: entry.id > after, itertools.islice(reversed(kept), ROWS))
        newest.sort(key=lambda entry: entry.id, reverse=True)
        return [row(entry) for entry in newest[:ROWS]]

    def _head(self) -> dict[str, Any]:
        stand = self.control.stand
        return {
            "counts": self.control.counts(),
            "faults": stand.faults.ordered,
            "state": stand.state,
            "now": stand.clock(),
            "thin": stand.thin,
        }


def row(entry: Received | RefusedRequest) -> dict[str, Any]:
    """What the page shows of one event or refusal."""
    if isinstance(entry, RefusedRequest):
        return {"refused": True, "entry": entry, "raw": _readable(entry.body)}
    event: dict[str, Any] = msgspec.json.decode(entry.event)
    user, custom = _part(event, "user_data"), _part(event, "custom_data") or _part(event, "payload")
    click = _part(_part(event, "attribution"), "meta_ctwa").get("ctwa_clid") or user.get("ctwa_clid")
    person = user.get("page_scoped_user_id") or user.get("ig_sid") or user.get("fbc")
    return {
        "refused": False,
        "entry": entry,
        "name": event.get("event_name"),
        "event_id": event.get("event_id") or custom.get("order_id"),
        "channel": event.get("messaging_channel") or event.get("action_source") or "whatsapp",
        "value": custom.get("value"),
        "currency": custom.get("currency"),
        "click": click,
        "person": person,
        "known_by": [key for key in sorted(user) if user[key]][:KEYS_SHOWN],
        "raw": _readable(bytes(entry.event).decode()),
    }


def short(value: Any) -> str:
    """A long id by its two ends: enough to recognise, little to copy."""
    text = str(value)
    return text if len(text) <= 20 else f"{text[:8]}…{text[-6:]}"


def utc(received_at: int) -> datetime:
    """Milliseconds as a time."""
    return datetime.fromtimestamp(received_at / 1000, UTC)


def amount(value: Any) -> str:
    """A number as money reads, without inventing digits."""
    return f"{value:,.2f}" if isinstance(value, int | float) else str(value)


def _readable(text: str) -> str:
    """JSON with line breaks; anything else as it came."""
    try:
        return msgspec.json.format(text, indent=2)
    except UNREADABLE:
        return text


def _part(whole: dict[str, Any], key: str) -> dict[str, Any]:
    part = whole.get(key)
    return part if isinstance(part, dict) else {}
