"""What the events API refuses, and how it says so: field and rule, one record, nothing else harmed."""

import json
import time
from typing import Any

import pytest

from tests.integration.conversing import (
    EMAIL_HASH,
    IGSID,
    PSID,
    fault,
    post,
    purchase,
)
from tests.integration.house import House
from tests.integration.shop import Shop


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


@pytest.fixture
def whole(house: House, shop: Shop) -> Shop:
    """A shop with all four channels."""
    house.channels(shop)
    return shop


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ({"event_name": "Purchase"}, "channel"),
        (purchase("sms", "1"), "channel"),
        (purchase("whatsapp", "1", event_name="Schedule", user_data={"ctwa_clid": "c"}), "event_name"),
        (purchase("whatsapp", "1", event_name="Lead", user_data={"ctwa_clid": "c"}), "event_name"),
        (purchase("website", "1", event_name=" "), "event_name"),
        (purchase("whatsapp", "1", user_data={"page_scoped_user_id": PSID}), "user_data.page_scoped_user_id"),
        (
            purchase("whatsapp", "1", user_data={"ctwa_clid": "c", "client_ip_address": "203.0.114.7"}),
            "user_data.client_ip_address",
        ),
        (purchase("messenger", "1", user_data={"ig_sid": IGSID}), "user_data.ig_sid"),
        (
            purchase("messenger", "1", user_data={"page_scoped_user_id": PSID, "instagram_business_account_id": "1"}),
            "user_data.instagram_business_account_id",
        ),
        (purchase("messenger", "1"), "user_data.page_scoped_user_id"),
        (purchase("messenger", "1", user_data={"page_scoped_user_id": PSID, "page_id": "99999"}), "user_data.page_id"),
        (purchase("whatsapp", "1", custom_data={"value": 1}), "custom_data.currency"),
        (purchase("whatsapp", "1", custom_data={"currency": "USD"}), "custom_data.value"),
        (purchase("whatsapp", "1", custom_data={"currency": "XBT", "value": 1}), "custom_data.currency"),
        (purchase("whatsapp", "1", custom_data={"currency": "MRU", "value": 1}), "custom_data.currency"),
        (purchase("website", "1", custom_data={"currency": "xau", "value": 1}), "custom_data.currency"),
        (
            purchase("whatsapp", "1", custom_data={"currency": "USD", "value": 1, "contents": [{}]}),
            "custom_data.contents[0].id",
        ),
        (purchase("website", "1", custom_data={"currency": "USD", "value": 1, "x": {"a": 1}}), "custom_data.x"),
        (purchase("website", "1", custom_data=[]), "custom_data"),
        (
            {"event_name": "Search", "channel": "website", "custom_data": {"search_string": "to jane@x.example"}},
            "custom_data.search_string",
        ),
        (
            {"event_name": "X", "channel": "website", "custom_data": {"contact": ["a", "jane@x.example"]}},
            "custom_data.contact[1]",
        ),
        (purchase("website", "1", event_id="jane@x.example"), "event_id"),
        ({"event_name": "jane@x.example", "channel": "website"}, "event_name"),
        (
            purchase("website", "1", original_event_data={"order_id": "jane@x.example"}),
            "original_event_data.order_id",
        ),
        (
            purchase("website", "1", custom_data={"currency": "USD", "value": 1, "event_time": 1_700_000_000}),
            "custom_data.event_time",
        ),
        (purchase("website", "1", data_processing_options_country=1), "data_processing_options"),
        (purchase("website", "1", data_processing_options_state=1000), "data_processing_options"),
        (purchase("whatsapp", "1", user_data={"mobile_number": "987 654 321"}), "user_data.mobile_number"),
        (purchase("website", "1", user_data={"em": EMAIL_HASH[:-1]}), "user_data.em"),
        ({"event_name": "Lead", "channel": "website", "user_data": {"country": "br"}}, "user_data"),
        (purchase("website", "1", event_time=int(time.time()) + 86_400), "event_time"),
        (purchase("website", "1", event_time=1_700_000_000_000), "event_time"),
        (purchase("website", "1", data_processing_options=["CCPA"]), "data_processing_options"),
        (purchase("website", "1", page_url="javascript:alert(1)"), "page_url"),
        (purchase("website", "1", consent="yes"), "consent"),
        (purchase("whatsapp", "1", touch="middle"), "touch"),
        (purchase("website", "1", event_id="\n"), "event_id"),
        (7, "body"),
    ],
)
def test_a_bad_item_is_told_field_and_rule_and_leaves_one_record(whole: Shop, item: Any, field: str) -> None:
    answer = post(whole, item)
    assert answer.json()["events_received"] == 0
    assert fault(answer.json()["results"][0])[0] == field
    (record,) = whole.records()
    assert (record["success"], record["failure_stage"], record["payload"]) == (False, "payload_mapping", None)


def test_a_name_that_conversations_do_not_take_is_answered_with_those_they_do(whole: Shop) -> None:
    item = purchase("whatsapp", "1", event_name="Schedule", user_data={"ctwa_clid": "c"})
    _, rule = fault(post(whole, item).json()["results"][0])
    assert "Purchase, LeadSubmitted, InitiateCheckout" in rule


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{}", "events"),
        (b'{"events": []}', "events"),
        (b'{"events": {}}', "events"),
        (b'{"events": [1', "body"),
        (json.dumps({"events": [{}] * 1001}).encode(), "events"),
        (b'{"events": [{}], "test_event_code": "no spaces"}', "test_event_code"),
        (b'{"events": [{}], "partner_agent": "a-name-that-is-much-too-long"}', "partner_agent"),
    ],
)
def test_a_bad_call_is_a_400_and_one_record(whole: Shop, body: bytes, field: str) -> None:
    headers = {"X-API-KEY": whole.key, "content-type": "application/json"}
    answer = whole.client.post(f"/v1/businesses/{whole.business_id}/events", content=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, field)
    assert [record["failure_stage"] for record in whole.records()] == ["payload_mapping"]


def raw(shop: Shop, *items: str) -> list[dict[str, Any]]:
    """The results of items as they are written here: no client would spell them so."""
    headers = {"X-API-KEY": shop.key, "content-type": "application/json"}
    body = f'{{"events": [{", ".join(items)}]}}'.encode()
    answer = shop.client.post(f"/v1/businesses/{shop.business_id}/events", content=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["results"])


@pytest.mark.parametrize(
    ("member", "field"),
    [
        (f'"custom_data": {{"x": {"9" * 400}}}', "custom_data.x"),
        (f'"custom_data": {{"predicted_ltv": -{"9" * 400}}}', "custom_data.predicted_ltv"),
        (f'"custom_data": {{"x": {"9" * 5000}}}', "custom_data"),
        ('"custom_data": {"x": NaN}', "custom_data.x"),
        ('"custom_data": {"x": "\\ud83d"}', "custom_data.x"),
        ('"page_url": "https://x.example/\\udc00"', "page_url"),
        (f'"more": {"[" * 500}{"]" * 500}', "body"),
        (f'"original_event_data": {{"event_time": {2**70}}}', "original_event_data.event_time"),
    ],
)
def test_what_no_number_or_text_can_be_costs_the_other_items_nothing(whole: Shop, member: str, field: str) -> None:
    who = '"event_name": "X", "channel": "website", "user_data": {"em": "a@b.example"}'
    bad, good = raw(whole, f'{{{who}, "event_id": "bad", {member}}}', f'{{{who}, "event_id": "good"}}')
    assert fault(bad)[0] == field
    assert (bad["event_id"], good["event_id"], good["state"]) == ("bad", "good", "pending")


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (purchase("website", "1", user_data={"em": "a@b.example"}), "channel"),
        (purchase("whatsapp", "1", event_name="AddToCart", user_data={"ctwa_clid": "c"}), "event_name"),
    ],
)
def test_what_connectly_does_not_take_is_told_by_the_field_that_is_wrong(
    house: House, item: dict[str, Any], field: str
) -> None:
    assert fault(post(house.shop(destination="connectly"), item).json()["results"][0])[0] == field
