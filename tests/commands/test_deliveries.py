"""`collector deliveries`."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from collector.attribution import Click
from collector.delivery import LaneName
from collector.event import Event
from collector.store import face
from collector.store.opening import Store, open_store
from tests.commands.conftest import Run, Tell

NOW = 1_790_000_000_000
CLICK_ID = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a"


def with_store(tmp_path: Path, work: Callable[[Store], Awaitable[None]]) -> None:
    async def run() -> None:
        async with open_store(f"sqlite:///{tmp_path}/data/collector.db", clock=lambda: NOW, serving=False) as store:
            await work(store)

    asyncio.run(run())


async def take(store: Store, business_id: str, number: int) -> None:
    row_id = f"{number:032x}"
    event = Event(
        business_id=business_id,
        id=row_id,
        event_name="Purchase" if number % 2 else "ViewContent",
        event_id=f"ORD-{number}",
        event_at=NOW,
        received_at=NOW + number,
        click=Click(ctwa_clid=CLICK_ID),
        custom_data='{"currency":"USD","value":9.5}',
    )
    delivery = face.Delivery(
        business_id=business_id,
        id=row_id,
        destination="meta",
        lane=str(LaneName("meta", business_id, "whatsapp", "server")),
        state="pending",
        due_at=NOW,
        deadline_at=NOW + 1000,
    )
    record = face.Record(business_id=business_id, id=f"{number + 1000:032x}", received_at=NOW, event_row=row_id)
    taken = await store.ledger.take(event, delivery, record, (), await store.directory.version())
    assert taken.won


@pytest.fixture
def events(shop: str, tmp_path: Path) -> str:
    """A business with five events; the first of them was refused."""

    async def work(store: Store) -> None:
        for number in range(1, 6):
            await take(store, shop, number)
        (claimed,) = await store.outbox.claim(str(LaneName("meta", shop, "whatsapp", "server")), 1, 60_000)
        attempt = face.Attempt(
            business_id=shop,
            delivery_id=claimed.event.id,
            number=1,
            trigger="first",
            at=NOW,
            outcome="rejected",
            http_status=400,
            code=100,
            subcode=2804008,
            answer='{"error":{}}',
        )
        settlement = face.Settlement(
            attempt=attempt, state="dead", reason="rejected", due_at=NOW, error="Invalid Ctwa Clid"
        )
        assert await store.outbox.settle([settlement]) == [True]

    with_store(tmp_path, work)
    return shop


def test_deliveries_are_listed_newest_first(tell: Tell, events: str) -> None:
    told = tell("deliveries", "list", events)
    assert [row["event_id"] for row in told["deliveries"]] == ["ORD-5", "ORD-4", "ORD-3", "ORD-2", "ORD-1"]
    assert told["next_cursor"] is None
    assert told["deliveries"][-1]["state"] == "dead"
    assert told["deliveries"][-1]["reason"] == "rejected"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--state", "dead"), ["ORD-1"]),
        (("--state", "delivered"), []),
        (("--event-name", "ViewContent"), ["ORD-4", "ORD-2"]),
        (("--event-id", "ORD-3"), ["ORD-3"]),
        (("--event-name", "Purchase", "--state", "pending"), ["ORD-5", "ORD-3"]),
    ],
)
def test_the_list_can_be_narrowed(tell: Tell, events: str, options: tuple[str, ...], found: list[str]) -> None:
    assert [row["event_id"] for row in tell("deliveries", "list", events, *options)["deliveries"]] == found


def test_pages_follow_each_other_without_gap_or_double(tell: Tell, run: Run, events: str) -> None:
    seen: list[str] = []
    cursor: list[str] = []
    for _ in range(3):
        told = tell("deliveries", "list", events, "--limit", "2", *cursor)
        seen += [row["event_id"] for row in told["deliveries"]]
        cursor = ["--cursor", told["next_cursor"]] if told["next_cursor"] else []
    assert seen == ["ORD-5", "ORD-4", "ORD-3", "ORD-2", "ORD-1"]
    assert cursor == []
    assert "more: --cursor " in run("deliveries", "list", events, "--limit", "2").stdout


def test_people_read_a_table(run: Run, events: str) -> None:
    head, *rows = run("deliveries", "list", events).stdout.splitlines()
    assert head.split("  ")[0] == "ID"
    assert len(rows) == 5
    assert "dead (rejected)" in rows[-1]


def test_one_delivery_is_told_with_its_tries(run: Run, tell: Tell, events: str) -> None:
    told = tell("deliveries", "show", events, f"{1:032x}")
    assert (told["state"], told["reason"], told["error"]) == ("dead", "rejected", "Invalid Ctwa Clid")
    assert told["custom_data"] == {"currency": "USD", "value": 9.5}
    (attempt,) = told["attempts"]
    assert (attempt["number"], attempt["outcome"], attempt["subcode"]) == (1, "rejected", 2804008)
    result = run("deliveries", "show", events, f"{1:032x}")
    assert "Purchase ORD-1" in result.stdout
    assert "Invalid Ctwa Clid" in result.stdout
    assert "Deadline" not in result.stdout
    assert "Not tried yet." in run("deliveries", "show", events, f"{2:032x}").stdout


def test_no_click_id_is_shown_whole(run: Run, events: str) -> None:
    for arguments in (["list", events], ["show", events, f"{1:032x}"]):
        for json_too in ([], ["--json"]):
            assert CLICK_ID not in run("deliveries", *arguments, *json_too).output


@pytest.mark.parametrize("id", ["", "x", "0" * 32, "'; DROP TABLE events; --"])
def test_an_unknown_delivery_is_said(run: Run, events: str, id: str) -> None:
    result = run("deliveries", "show", events, id)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "has no event" in result.stderr


def test_a_business_that_is_not_there_is_said(run: Run, shop: str) -> None:
    result = run("deliveries", "list", "nope")
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "Error: no business nope\n")


def test_another_business_sees_nothing(run: Run, tell: Tell, events: str) -> None:
    other = tell("business", "create", "B", "--origin", "https://b.example")["business_id"]
    assert tell("deliveries", "list", other)["deliveries"] == []
    assert run("deliveries", "show", other, f"{1:032x}").exit_code == 1


def test_a_resumed_channel_says_how_many_it_released(run: Run, tell: Tell, events: str, tmp_path: Path) -> None:
    tell(
        "channel",
        "set",
        events,
        "whatsapp",
        "--waba-id",
        "100000000000001",
        "--dataset-id",
        "200000000000001",
        stdin="t",
    )

    async def hold(store: Store) -> None:
        await store.outbox.hold(events, "whatsapp", f"meta:{events}:whatsapp:", "token")

    with_store(tmp_path, hold)
    assert len(tell("deliveries", "list", events, "--state", "held")["deliveries"]) == 4
    assert tell("channel", "resume", events, "whatsapp") == {"released": 4}
    assert tell("deliveries", "list", events, "--state", "held")["deliveries"] == []
