"""Bodies that keep the contract, to be broken in one place; ids as long as real ones."""

import json
import re
from typing import Any

from collector.attribution import Click
from collector.store.face import BusinessRow

NOW = 1_800_000_000
"""The clock of these tests, in Unix seconds."""
NOW_MS = NOW * 1000

BUSINESS = "5f2c8f5e-0d3b-4c0a-9a53-6a7f8e1b2c3d"
OTHER = "5f2c8f5e-0d3b-4c0a-9a53-6a7f8e1b2c3e"
KEY, NEXT_KEY = b"k" * 32, b"n" * 32

CLICK_ID = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a"
CLICK = Click(
    "8c2a1d34-9b7e-4f55-8a1c-2f3b4c5d6e7f", "0f9e8d7c-6b5a-4c3d-9e8f-7a6b5c4d3e2f", CLICK_ID, "120210000000000001"
)

Json = dict[str, Any]


def business(**changes: Any) -> BusinessRow:
    row: Json = {
        "business_id": BUSINESS,
        "name": "Shop",
        "origins": ("https://shop.example",),
        "cookie_domain": "shop.example",
        "created_at": 0,
    }
    return BusinessRow(**row | changes)


def report() -> Json:
    """Every field of the contract, in use."""
    return {
        "cnct_tracking_id": CLICK.cnct_tracking_id,
        "event_name": "Purchase",
        "sendout_id": CLICK.sendout_id,
        "attribution": {"meta_ctwa": {"ctwa_clid": CLICK.ctwa_clid, "ad_id": CLICK.ad_id}},
        "payload": {
            "currency": "USD",
            "value": 99.97,
            "order_id": "ORD-7821",
            "content_type": "product",
            "content_ids": ["data-pass-30d", "phone-case-blk"],
            "num_items": 2,
            "contents": [
                {"id": "data-pass-30d", "quantity": 1, "item_price": 49.99},
                {"id": "phone-case-blk", "quantity": 1, "item_price": 49.98},
            ],
            "event_time": NOW,
        },
    }


def with_raw(document: Json, path: str, raw: str) -> bytes:
    """The document with `raw` JSON text (which need not be valid) at a path such as `payload.contents[0].id`."""
    copy = json.loads(json.dumps(document))
    *parents, last = steps(path)
    place = copy
    for step in parents:
        place = place[step] if isinstance(step, int) else place.setdefault(step, {})
    place[last] = "@@"
    return json.dumps(copy).replace('"@@"', raw).encode()


def without(document: Json, path: str) -> bytes:
    """The document without the value at a path."""
    copy = json.loads(json.dumps(document))
    *parents, last = steps(path)
    place = copy
    for step in parents:
        place = place[step]
    del place[last]
    return json.dumps(copy).encode()


def steps(path: str) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.findall(r"[^.\[\]]+", path)]
