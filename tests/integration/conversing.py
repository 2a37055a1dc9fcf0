"""Calls of the events API, and what can be seen of them."""

from typing import Any

import httpx2

from tests.integration.house import eventually
from tests.integration.shop import Shop

PSID, IGSID = "300000000000002", "300000000000003"
PAGE, PAGE_DATASET = "100000000000002", "200000000000002"
ACCOUNT, ACCOUNT_DATASET = "100000000000003", "200000000000003"
WEBSITE_DATASET = "200000000000004"
EMAIL_HASH = "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"


def post(shop: Shop, *events: dict[str, Any], **call: Any) -> httpx2.Response:
    return shop.client.post(
        f"/v1/businesses/{shop.business_id}/events",
        json={"events": list(events), **call},
        headers={"X-API-KEY": shop.key},
    )


def result(shop: Shop, **item: Any) -> dict[str, Any]:
    """What became of the only item of a call."""
    answer = post(shop, item)
    assert answer.status_code == 200, answer.text
    (found,) = answer.json()["results"]
    assert answer.json()["events_received"] == (found["state"] != "refused")
    return dict(found)


def purchase(channel: str, order_id: str, **more: Any) -> dict[str, Any]:
    return {
        "event_name": "Purchase",
        "channel": channel,
        "custom_data": {"currency": "BRL", "value": 99.9, "order_id": order_id},
        **more,
    }


def fault(found: dict[str, Any]) -> tuple[str, str]:
    """Field and rule of a refusal."""
    assert found["state"] == "refused"
    assert (found["error"]["code"], found["error"]["failure_stage"]) == (400, "payload_mapping")
    (detail,) = found["error"]["details"]
    return detail["field"], detail["rule"]


def own(shop: Shop, dataset: str, event_id: str) -> dict[str, Any]:
    """The event as a dataset, which other shops share, took it."""

    def look() -> dict[str, Any] | None:
        return next((each for each in shop.sandbox.events(dataset) if each["event_id"] == event_id), None)

    return eventually(look, f"{event_id} in {dataset}")
