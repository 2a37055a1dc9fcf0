"""What is stored of a webhook, and for whom."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Sequence
from typing import Any

import pytest

from collector.edge.webhooks import AT_ONCE, Webhooks
from collector.store.face import Conversation, Wait

pytestmark = pytest.mark.anyio

NOW = 1_800_000_000_000
SECRET = "the app's secret"


class Around:
    """Ledger, directory and line of arrivals in one; some accounts are known only after a fresh look."""

    def __init__(self, *later: str, **known: tuple[str, ...]) -> None:
        self.known = known
        self.later = later
        self.looks = 0
        self.kept: list[Conversation] = []
        self.commits = 0
        self.line: list[tuple[str, Wait]] = []

    def owners(self, channel: str, asset_id: str) -> Sequence[str]:
        assert channel == "messenger"
        return self.known.get(asset_id, ())

    async def fresh(self) -> None:
        self.looks += 1
        self.known |= dict.fromkeys(self.later, ("late",))

    async def converse(self, rows: Sequence[Conversation]) -> None:
        assert not self.line, "nothing is released before the commit"
        self.kept += rows
        self.commits += 1

    def add(self, business_id: str, wait: Wait) -> None:
        self.line.append((business_id, wait))


def update(person: str = "p", timestamp: Any = NOW - 5, **place: Any) -> dict[str, Any]:
    return {"sender": {"id": person}, "timestamp": timestamp, **(place or {"referral": {"ad_id": "1"}})}


async def post(around: Any, *entries: dict[str, Any]) -> dict[str, str]:
    """Deliver a call about Pages; gives the answer's headers."""
    body = json.dumps({"object": "page", "entry": entries}).encode()
    webhooks = Webhooks(around, around, around, [SECRET], None, 2**22, lambda: NOW)
    shown = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"x-hub-signature-256", shown.encode())]}
    await webhooks(scope, receive, send)
    assert sent[0]["status"] == 200
    assert json.loads(sent[1]["body"]) == {"conversations": len(around.kept)}
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


async def test_a_call_is_one_commit_and_then_everybody_in_it_is_looked_for() -> None:
    around = Around(A=("one", "two"), B=("one",))
    await post(around, {"id": "A", "messaging": [update("p")]}, {"id": "B", "messaging": [update("q")]})
    assert around.commits == 1
    wanted = [("one", "p"), ("two", "p"), ("one", "q")]
    assert [(row.business_id, row.id) for row in around.kept] == wanted
    assert around.line == [(business_id, Wait(kind="page_scoped_user_id", id=person)) for business_id, person in wanted]


@pytest.mark.parametrize(
    ("timestamp", "at"),
    [
        (NOW - 5, NOW - 5),
        (str(NOW - 5), NOW - 5),
        (NOW + 5, NOW),
        ("9" * 13, NOW),
        (None, NOW),
        ("soon", NOW),
        (-1, NOW),
    ],
)
async def test_no_message_is_of_the_future_and_one_without_a_time_came_now(timestamp: Any, at: int) -> None:
    around = Around(A=("one",))
    await post(around, {"id": "A", "messaging": [update(timestamp=timestamp)]})
    assert [row.at for row in around.kept] == [at]


async def test_what_another_app_is_told_first_counts_as_well() -> None:
    around = Around(A=("one",))
    await post(around, {"id": "A", "standby": [update(message={"mid": "m", "referral": {"ad_id": "1"}})]})
    assert len(around.kept) == 1


async def test_a_channel_that_was_set_a_moment_ago_is_found_by_one_look() -> None:
    around = Around("new", A=("one",))
    entries = [{"id": account, "messaging": [update(account)]} for account in ("nobody's", "new", "none's", "A")]
    headers = await post(around, *entries)
    assert around.looks == 1
    assert [(row.business_id, row.id) for row in around.kept] == [("late", "new"), ("one", "A")]
    assert headers["x-collector-reason"] == "unknown-asset"


async def test_known_accounts_and_calls_without_an_ad_cost_no_look_and_no_commit() -> None:
    around = Around()
    headers = await post(around, {"id": "nobody's", "messaging": [update(message={"mid": "m", "text": "referral"})]})
    assert (around.looks, around.commits, headers.get("x-collector-reason")) == (0, 0, None)
    around = Around(A=("one",))
    await post(around, {"id": "A", "messaging": [update()]})
    assert around.looks == 0


async def test_others_have_their_turn_while_a_long_call_is_read() -> None:
    around, turns = Around(A=("one",)), 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += not around.kept

    task = asyncio.create_task(others())
    await post(around, {"id": "A", "messaging": [update(f"p-{number}") for number in range(10 * AT_ONCE)]})
    task.cancel()
    assert turns >= 9
