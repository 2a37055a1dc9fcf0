"""Rows that somebody edited by hand, met again by a link, a repeat or a replay: each has an answer, and its neighbours go on."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Build
from tests.integration.house import House, eventually
from tests.integration.shop import Shop

EDITS = [
    ("options", '{"lookups":'),
    ("options", '{"wire": []}'),
    ("options", '{"wire": {"a":' * 20_000),
    ("user_data", "[]"),
    ("user_data", '{"em":' * 20_000),
]


@pytest.fixture
def house(build: Build) -> Iterator[House]:
    one = build(wait_seconds="20")
    one.start()
    yield one
    one.stop()


def edit(house: House, event_row: str, column: str, value: str) -> None:
    path = Path(house.database_url.removeprefix("sqlite:///"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        assert other.execute(f"UPDATE events SET {column} = ? WHERE id = ?", (value, event_row)).rowcount == 1


def waiting_and_edited(house: House, shop: Shop, letter: str, checkout_id: str) -> list[str]:
    """Events that wait for their click, each edited in another way, and a last one that is not; gives their rows."""
    rows = [
        shop.post(shop.pointed(f"{letter}-{number}", checkout_id=checkout_id)).headers["X-Event-Id"]
        for number in range(len(EDITS) + 1)
    ]
    for row, (column, value) in zip(rows, EDITS, strict=False):
        edit(house, row, column, value)
    return rows


def state(shop: Shop, event_row: str) -> str:
    told: Any = shop.tale(event_row)["deliveries"][0]
    return f"{told['state']}({told['reason']})" if told["reason"] else str(told["state"])


def linked(house: House, shop: Shop, letter: str, checkout_id: str) -> list[str]:
    """The rows of such events, whose click came late."""
    rows = waiting_and_edited(house, shop, letter, checkout_id)
    link = {"cnct_tracking_id": shop.click.cnct_tracking_id, "sendout_id": shop.click.sendout_id}
    whole = shop.order()["attribution"]
    assert shop.link("checkout_id", checkout_id, attribution=whole, **link).status_code == 200
    ended = eventually(
        lambda: ((found := [state(shop, row) for row in rows])[-1] == "delivered" and found) or None, "the good one"
    )
    assert ended == ["dead(rejected)"] * len(EDITS) + ["delivered"]
    return rows


def test_a_click_that_comes_late_frees_all_who_wait_for_it(house: House) -> None:
    shop = house.shop()
    linked(house, shop, "L", "ck-1")
    assert [event["event_id"] for event in shop.sent()] == [f"L-{len(EDITS)}"]


def test_a_repeat_of_them_puts_its_whole_body_in_their_place(house: House) -> None:
    shop = house.shop()
    rows = waiting_and_edited(house, shop, "R", "ck-2")
    told = [shop.post(shop.order(f"R-{number}")).status_code for number in range(len(EDITS) + 1)]
    assert told == [200] * (len(EDITS) + 1)
    assert [state(shop, row) for row in rows] == ["delivered"] * len(rows)


def test_a_replay_of_them_is_answered(house: House) -> None:
    shop = house.shop()
    rows = linked(house, shop, "P", "ck-3")
    done = house.command("replay", shop.business_id, *rows[:-1])
    assert (done["replayed"], done["refused"]) == (len(EDITS), 0)
    eventually(lambda: [state(shop, row) for row in rows[:-1]] == ["dead(rejected)"] * len(EDITS) or None, "their end")
