"""A call of many events: what becomes of the whole where one of them fails, and by what each is known again."""

import asyncio
import gc
import json
from collections.abc import Sequence
from typing import Any, cast

import pytest

from collector.edge.api import Gate
from collector.edge.conversions import GIVE_WAY_SECONDS, IN_HAND, TOGETHER, TOGETHER_ALONE, Conversions
from collector.errors import Unavailable
from collector.event import Event
from collector.intake import Intake
from collector.match import Match, Matcher
from collector.receipt import Candidate, Receipt
from collector.store.face import BusinessRow, Delivery, Record
from tests.unit.samples import BUSINESS, NOW_MS, business

pytestmark = pytest.mark.anyio

ITEM = {"event_name": "Lead", "channel": "website", "user_data": {"em": "a@b.example"}, "event_time": NOW_MS // 1000}


class Around:
    """Directory, matcher and intake in one; it stores `room` events."""

    version = 1

    def __init__(self, room: int, quiet: bool = False) -> None:
        self.room = room
        self.quiet = quiet
        self.groups: list[int] = []
        self.taken: list[str] = []
        self.tried = 0
        self.stood_aside = 0.0

    async def authenticate(self, _plaintext: str, _now: int) -> str:
        return BUSINESS

    def business(self, _business_id: str) -> BusinessRow:
        return business()

    def asset_id(self, *_of: object) -> None:
        return None

    async def conversion(self, *_of: object) -> Match:
        return Match(None)

    async def lull(self, seconds: float) -> float:
        """Others are never done."""
        self.stood_aside += max(seconds, 0.0)
        return seconds

    def is_quiet(self) -> bool:
        return self.quiet

    async def note(self, *_record: object) -> None:
        return None

    async def take_all(self, calls: Sequence[tuple[Candidate, Record]], _version: int) -> list[Receipt | None]:
        self.tried += len(calls)
        self.groups.append(len(calls))
        await asyncio.sleep(0)
        if len(self.taken) + len(calls) > self.room:
            raise Unavailable("the line is full")
        return [self._receipt(candidate.event) for candidate, _ in calls]

    def _receipt(self, event: Event) -> Receipt:
        self.taken.append(event.event_id)
        delivery = Delivery(
            business_id=BUSINESS, id=event.id, destination="meta", lane="", state="pending", due_at=0, deadline_at=0
        )
        return Receipt(event_row=event.id, event_id=event.event_id, delivery=delivery)


async def post(around: Around, body: bytes) -> int:
    """Report; gives the status."""
    anything = cast("Any", around)
    gate = Gate(anything, lambda: NOW_MS)
    conversions = Conversions(gate, cast("Intake", anything), cast("Matcher", anything), lambda _now: "0" * 32, 2**22)
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"x-api-key", b"k"), (b"content-type", b"application/json")]
    await conversions({"type": "http", "headers": headers, "path_params": {"business_id": BUSINESS}}, receive, send)
    status: int = sent[0]["status"]
    return status


async def test_a_call_that_cannot_be_stored_is_one_503_ends_soon_and_fills_no_log() -> None:
    lost: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: lost.append(context["message"]))
    around = Around(room=3)
    assert await post(around, json.dumps({"events": [ITEM] * 1000}).encode()) == 503
    gc.collect()
    assert lost == []
    assert around.tried < 3 * IN_HAND * TOGETHER


@pytest.mark.parametrize(("quiet", "most"), [(True, TOGETHER_ALONE), (False, TOGETHER)])
async def test_a_call_shares_longer_commits_only_while_there_are_no_others(quiet: bool, most: int) -> None:
    around = Around(1000, quiet)
    assert await post(around, json.dumps({"events": [ITEM] * 100}).encode()) == 200
    assert around.groups == [most] * (100 // most) + [100 % most]


async def test_a_group_stands_aside_for_others_so_long_and_no_longer() -> None:
    around = Around(room=1000)
    assert await post(around, json.dumps({"events": [ITEM] * (2 * TOGETHER)}).encode()) == 200
    assert around.stood_aside == 2 * GIVE_WAY_SECONDS


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5000])
async def test_a_number_that_nobody_can_read_refuses_its_item_alone(number: str) -> None:
    around = Around(room=9)
    item = json.dumps(ITEM)
    assert await post(around, f'{{"events":[{item},{item[:-1]},"x":{number}}}]}}'.encode()) == 200
    assert len(around.taken) == 1


async def test_an_item_without_id_is_known_by_what_it_says_beside_whatever_else_the_call_holds() -> None:
    around = Around(room=9)
    item, neighbour = json.dumps(ITEM), json.dumps(ITEM | {"event_name": "Search"})
    turned = json.dumps(dict(reversed(ITEM.items())), indent=1)
    for events in (item, f"{turned},{neighbour}", f'{item},{{"value":NaN}}'):
        assert await post(around, f'{{"events":[{events}]}}'.encode()) == 200
    first, second, other, third = around.taken
    assert first == second == third != other
