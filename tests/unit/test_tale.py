"""What may be asked of events and records: a question that no store could answer is refused before it is asked."""

from typing import Any, cast
from urllib.parse import quote

import pytest
from starlette.requests import Request

from collector.edge.ledger import Tale
from collector.errors import InvalidField, NotFound
from tests.unit.samples import business


class Unasked:
    """A ledger that nobody may ask."""

    def __getattr__(self, question: str) -> Any:
        async def answer(*_: object) -> None:
            pytest.fail(f"the store was asked for {question}")

        return answer


TALE = Tale(cast("Any", Unasked()))


def request(query: str = "", **path: str) -> Request:
    return Request({"type": "http", "query_string": query.encode(), "path_params": path, "headers": []})


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field in ("event_name", "event_id") for value in ("\0", "a\0b", "a\n", "a" * 513)]
    + [("event_id", "é")],  # a name of the caller's own may be in any script
)
async def test_a_filter_that_no_event_can_match_is_refused_by_name(field: str, value: str) -> None:
    """PostgreSQL refuses a NUL in any text."""
    with pytest.raises(InvalidField) as caught:
        await TALE.events(request(f"{field}={quote(value)}"), business())
    assert caught.value.field == field


@pytest.mark.parametrize("state", ["x", "DEAD", "dead,held", "\0"])
async def test_a_state_that_there_is_not_is_refused(state: str) -> None:
    with pytest.raises(InvalidField, match=r"^state: must be one of "):
        await TALE.events(request(f"state={quote(state)}"), business())


@pytest.mark.parametrize("cursor", ["x", "0" * 31, "0" * 33, "\0" * 32, "é" * 32, "-" * 32, "٣" * 32])
async def test_a_cursor_that_was_never_given_is_refused(cursor: str) -> None:
    for ask in (TALE.events, TALE.records):
        with pytest.raises(InvalidField, match=r"^cursor: must be the next_cursor of an earlier answer$"):
            await ask(request(f"cursor={quote(cursor)}"), business())


@pytest.mark.parametrize("event_row", ["\0", "a\0", "a/b", "../x", " ", "-"])
async def test_an_event_that_cannot_be_is_not_found(event_row: str) -> None:
    with pytest.raises(NotFound):
        await TALE.event(request(event_row=event_row), business())
