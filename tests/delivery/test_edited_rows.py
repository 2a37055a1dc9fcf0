"""A row that somebody edited by hand: whatever becomes of it, its neighbours arrive, once, and the service goes on."""

import logging
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from collector.destinations.outbound import Outbound
from tests.delivery.house import House

EVENTS = 10
FAR = 2**62

EDITS = {
    "a body cut off": ("events", "custom_data", '{"value":'),
    "an empty body": ("events", "custom_data", ""),
    "a body that is a list": ("events", "custom_data", "[]"),
    "a body that breaks out": ("events", "custom_data", '{}}, {"event_name": "Purchase"'),
    "a body with a NUL": ("events", "custom_data", '{"value": "\0"}'),
    "a body without end": ("events", "custom_data", '{"a":' * 20_000),
    "no name": ("events", "event_name", ""),
    "no currency": ("events", "currency", None),
    "before all times": ("events", "event_at", -FAR),
    "after all times": ("events", "event_at", FAR),
    "no click": ("events", "ctwa_clid", None),
    "an endless click": ("events", "ctwa_clid", "x" * 100_000),
    "a channel that is none": ("events", "channel", "carrier pigeon"),
    "a source that is none": ("events", "source", "carrier pigeon"),
    "a word for a test": ("events", "test", 7),
    "a lane that is none": ("deliveries", "lane", "nonsense"),
    "a lane to nowhere": ("deliveries", "lane", "mars:shop:whatsapp:server"),
    "a lane of nobody": ("deliveries", "lane", "meta:nobody:whatsapp:server"),
    "a destination that is none": ("deliveries", "destination", "mars"),
    "a state that is none": ("deliveries", "state", "gone"),
    "a reason that is none": ("deliveries", "reason", "because"),
    "a trigger that is none": ("deliveries", "trigger", "happy"),
    "fewer attempts than none": ("deliveries", "attempts", -5),
    "more attempts than anybody makes": ("deliveries", "attempts", 10**9),
    "due before all times": ("deliveries", "due_at", -FAR),
    "due after all times": ("deliveries", "due_at", FAR),
    "a deadline before all times": ("deliveries", "deadline_at", -FAR),
    "a deadline after all times": ("deliveries", "deadline_at", FAR),
    "a lease without end": ("deliveries", "state = 'sending', lease_until", FAR),
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
async def test_it_harms_nobody_else(
    house: House, outbound: Outbound, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    table, column, value = EDITS[name]
    house.employ(Outbound())  # takes without sending
    await house.take_many(EVENTS)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        assert (
            other.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (value, f"{4:032x}")).rowcount == 1
        )  # ours
    dispatcher = house.employ(outbound)
    with caplog.at_level(logging.ERROR):
        await dispatcher.start()
        await house.live_through(60, 30)
        verdict = await (await house.take()).wait(20)
    assert verdict is not None
    assert verdict.state == "delivered"
    others = {name for name in await house.deliveries() if name not in ("order-4", "")}
    arrived = await house.sandbox.accepted()
    assert len(others) == EVENTS
    assert {name: arrived.count(name) for name in others} == dict.fromkeys(others, 1)
    assert [record.message for record in caplog.records if record.exc_info] == []
    assert dispatcher.facts()["events_in_hand"] == 0
    await dispatcher.stop(5)
