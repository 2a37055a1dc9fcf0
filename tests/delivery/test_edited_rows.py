"""Rows that somebody edited by hand: whatever becomes of them, their neighbours arrive, once, and the service goes on."""

import logging
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from collector.destinations.outbound import Outbound
from tests.delivery.house import House

NEIGHBOURS = 5
FAR = 2**62
PARTS = 4

EDITS = {
    "a body cut off": ("events", "custom_data", '{"value":'),
    "an empty body": ("events", "custom_data", ""),
    "a body that is a list": ("events", "custom_data", "[]"),
    "a body that breaks out": ("events", "custom_data", '{}}, {"event_name": "Purchase"'),
    "a body with a NUL": ("events", "custom_data", '{"value": "\0"}'),
    "a body without end": ("events", "custom_data", '{"a":' * 20_000),
    "a person cut off": ("events", "user_data", '{"em":'),
    "a person who is a list": ("events", "user_data", "[]"),
    "a person without end": ("events", "user_data", '{"em":' * 20_000),
    "wishes cut off": ("events", "options", '{"wire":'),
    "wishes of another kind": ("events", "options", '{"wire": [], "lookups": 7}'),
    "wishes without end": ("events", "options", '{"wire": {"a":' * 20_000),
    "a wish for another source": ("events", "options", '{"wire": {"action_source": "system_generated"}}'),
    "a wish for a source that is none": ("events", "options", '{"wire": {"action_source": ["website"]}}'),
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


@pytest.mark.parametrize("part", range(PARTS))
async def test_they_harm_nobody_else(
    house: House, outbound: Outbound, tmp_path: Path, caplog: pytest.LogCaptureFixture, part: int
) -> None:
    edits = list(EDITS.values())[part::PARTS]
    house.employ(Outbound())  # takes without sending
    await house.take_many(len(edits) + NEIGHBOURS)
    with closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
        for number, (table, column, value) in enumerate(edits, 1):
            done = other.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (value, f"{number:032x}"))
            assert done.rowcount == 1
    dispatcher = house.employ(outbound)
    with caplog.at_level(logging.ERROR):
        await dispatcher.start()
        await house.live_through(60, 30)
        verdict = await (await house.take()).wait(20)
    assert verdict is not None
    assert verdict.state == "delivered"
    others = {f"order-{number}" for number in range(len(edits) + 1, house.numbered_from + 1)}
    assert len(others) == NEIGHBOURS + 1
    arrived = Counter(await house.sandbox.accepted())
    assert {name: arrived[name] for name in others} == dict.fromkeys(others, 1)
    assert set(arrived.values()) == {1}
    assert [record.message for record in caplog.records if record.exc_info] == []
    assert dispatcher.facts()["events_in_hand"] == 0
    await dispatcher.stop(5)
