"""What a page's post left behind: landings, cookies, reasons."""

import sqlite3
import time
from contextlib import closing

import httpx2

from collector import attribution
from tests.integration.house import House
from tests.integration.sandbox import Json
from tests.integration.shop import Shop, told

DAY = 86_400
AGE = 90 * DAY
EVENT: Json = {"event_name": "ViewContent", "event_id": "view-1"}


def landings(house: House, shop: Shop) -> list[tuple[str, int, str]]:
    """Click id, visits and consent of each stored landing."""
    with closing(sqlite3.connect(house.database_url.removeprefix("sqlite:///"), timeout=10)) as connection:
        rows = connection.execute(
            "SELECT ctwa_clid, hits, consent FROM landings WHERE business_id = ? ORDER BY first_at", (shop.business_id,)
        )
        return [tuple(row) for row in rows]


def cookies(answer: httpx2.Response) -> dict[str, tuple[str, set[str]]]:
    """Each cookie that is set: its value, and its attributes."""
    found = {}
    for line in answer.headers.get_list("set-cookie"):
        pair, *attributes = line.split("; ")
        name, _, value = pair.partition("=")
        found[name] = (value, set(attributes))
    return found


def reason(answer: httpx2.Response) -> str | None:
    return told(answer).get("X-Collector-Reason")


def opened(house: House, shop: Shop, token: str) -> attribution.Attribution:
    """What a token says."""
    return attribution.verify(token, shop.business_id, house.vault.signing_keys(), int(time.time()))
