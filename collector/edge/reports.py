"""Reports over the business's own rows, as JSON or CSV. A key opens them."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Final

from starlette.requests import Request

from collector.attribution import IDS
from collector.edge import answer
from collector.edge.answer import Reply
from collector.errors import InvalidField, NotFound
from collector.store.face import BusinessRow, Ledger, StoredLanding

PAGE: Final = 100
LANDING_FIELDS: Final = ("ref", *IDS, "first_at", "last_at", "hits", "consent", "page_url", "referrer", "confirmed_at")


class Reports:
    """`GET /v1/businesses/{business_id}/reports/{name}?cursor=&format=json|csv`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def __call__(self, request: Request, business: BusinessRow) -> Reply:
        """One page of one report, newest first. CSV gives the next cursor in `X-Next-Cursor`."""
        name = request.path_params["name"]
        if name != "landings":
            raise NotFound("no such report; there is: landings")
        shape = request.query_params.get("format") or "json"
        if shape not in ("json", "csv"):
            raise InvalidField("format", "must be json or csv")
        found = await self._ledger.landings(business.business_id, _cursor(request), PAGE + 1)
        rows = [_landing(*each) for each in found[:PAGE]]
        last = found[PAGE - 1][0] if len(found) > PAGE else None
        cursor = f"{last.at}-{last.ref}" if last else None
        if shape == "json":
            return answer.json({"landings": rows, "next_cursor": cursor})
        headers = [(b"content-type", b"text/csv; charset=utf-8")]
        if cursor is not None:
            headers.append((b"x-next-cursor", cursor.encode()))
        return Reply(200, _csv(LANDING_FIELDS, rows), tuple(headers))


def _landing(landing: StoredLanding, confirmed_at: int | None) -> dict[str, object]:
    """A landing, and when a message told its click: then it was a person who had written, not a link that was passed on."""
    told = {name: getattr(landing.click, name) for name in IDS}
    told |= {name: getattr(landing, name) for name in ("ref", "last_at", "hits", "consent", "page_url", "referrer")}
    return told | {"first_at": landing.at, "confirmed_at": confirmed_at}


def _csv(fields: Sequence[str], rows: Sequence[Mapping[str, object]]) -> bytes:
    """A table with a head. What a spreadsheet would take for a formula is told as text: anybody can land with any id."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow(fields)
    writer.writerows([_cell(row[field]) for field in fields] for row in rows)
    return file.getvalue().encode()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _cursor(request: Request) -> tuple[int, str] | None:
    """Where the last page ended."""
    given = request.query_params.get("cursor") or None
    if given is None:
        return None
    at, _, ref = given.partition("-")
    if not (
        at.isascii() and at.isdecimal() and len(at) <= 16 and ref.isascii() and 0 < len(ref) <= 64 and ref.isprintable()
    ):
        raise InvalidField("cursor", "must be the next_cursor of an earlier answer")
    return int(at), ref
