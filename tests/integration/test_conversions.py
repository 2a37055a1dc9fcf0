"""The collector's own events API, over HTTP on both databases, against the sandbox: each item has a result and a record of its own."""

import json
import time
from typing import Any

import pytest

from collector.policy import Policy
from tests.integration.conversing import (
    ACCOUNT,
    ACCOUNT_DATASET,
    EMAIL_HASH,
    IGSID,
    PAGE,
    PAGE_DATASET,
    PSID,
    WEBSITE_DATASET,
    fault,
    own,
    post,
    purchase,
    result,
)
from tests.integration.house import House, eventually
from tests.integration.messages import deliver, message, number
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


def test_a_sale_in_the_chat_with_its_click_id_reaches_the_wabas_dataset(whole: Shop) -> None:
    item = purchase("whatsapp", "W-1", user_data={"ctwa_clid": whole.click.ctwa_clid, "em": "John_Smith@gmail.com "})
    assert result(whole, **item)["state"] == "pending"
    (sent,) = whole.sandbox.events(whole.dataset, at_least=1)
    assert (sent["action_source"], sent["messaging_channel"]) == ("business_messaging", "whatsapp")
    assert sent["user_data"] == {
        "whatsapp_business_account_id": whole.waba,
        "ctwa_clid": whole.click.ctwa_clid,
        "em": [EMAIL_HASH],
    }
    assert sent["custom_data"] == {"currency": "BRL", "value": 99.9, "order_id": "W-1"}


@pytest.mark.parametrize(
    ("channel", "dataset", "who", "sent_as"),
    [
        ("messenger", PAGE_DATASET, {"page_scoped_user_id": PSID}, {"page_id": PAGE, "page_scoped_user_id": PSID}),
        ("instagram", ACCOUNT_DATASET, {"ig_sid": IGSID}, {"ig_account_id": ACCOUNT, "ig_sid": IGSID}),
    ],
)
def test_a_sale_in_the_other_chats_names_account_and_sender(
    whole: Shop, channel: str, dataset: str, who: dict[str, str], sent_as: dict[str, str]
) -> None:
    order = f"{channel}-{whole.business_id}"
    assert result(whole, **purchase(channel, order, user_data=who))["state"] == "pending"
    sent = own(whole, dataset, order)
    assert (sent["messaging_channel"], sent["user_data"]) == (channel, sent_as)


def test_a_custom_event_of_the_website_says_who_what_and_where(whole: Shop) -> None:
    event_id = f"web-{whole.business_id}"
    found = result(
        whole,
        event_name="Tasting booked",
        event_id=event_id,
        channel="website",
        page_url="https://shop.example/book?cnct_tracking_id=t&day=mon&mail=a@b.example&ctwa_clid=x#top",
        user_data={"em": EMAIL_HASH.upper(), "client_user_agent": "Mozilla/5.0", "client_ip_address": "203.0.114.7"},
        custom_data={"value": 12, "currency": "eur", "seats": 4, "tables": ["a", "b"], "vip": True},
        opt_out=True,
        data_processing_options=["LDU"],
    )
    assert found["state"] == "pending"
    sent = own(whole, WEBSITE_DATASET, event_id)
    assert sent["event_source_url"] == "https://shop.example/book?day=mon"
    assert sent["action_source"] == "website"
    assert "messaging_channel" not in sent
    assert sent["user_data"] == {
        "em": [EMAIL_HASH],
        "client_user_agent": "Mozilla/5.0",
        "client_ip_address": "203.0.114.7",
    }
    assert sent["custom_data"] == {"value": 12, "currency": "EUR", "seats": 4, "tables": ["a", "b"], "vip": True}
    processing = {
        name: value for name, value in sent.items() if name.startswith("data_processing") or name == "opt_out"
    }
    assert processing == {
        "opt_out": True,
        "data_processing_options": ["LDU"],
        "data_processing_options_country": 0,
        "data_processing_options_state": 0,
    }


def test_one_bad_item_fails_no_other_and_results_keep_their_order(whole: Shop) -> None:
    good = {"event_name": "ViewContent", "channel": "whatsapp", "user_data": {"ctwa_clid": whole.click.ctwa_clid}}
    answer = post(whole, good | {"event_id": "a"}, good | {"channel": "x", "event_id": "b"}, good | {"event_id": "c"})
    assert [(each["event_id"], each["state"]) for each in answer.json()["results"]] == [
        ("a", "pending"), ("b", "refused"), ("c", "pending"),
    ]  # fmt: skip
    assert answer.json()["events_received"] == 2
    assert {each["event_id"] for each in whole.sandbox.events(whole.dataset, at_least=2)} == {"a", "c"}


def test_the_same_item_again_is_the_same_event_and_a_second_record(whole: Shop) -> None:
    item = purchase("whatsapp", "W-9", user_data={"ctwa_clid": whole.click.ctwa_clid})
    first = result(whole, **item)
    whole.sandbox.events(whole.dataset, at_least=1)
    eventually(lambda: result(whole, **item)["state"] == "delivered" or None, "the verdict")
    again = result(whole, **item)
    assert (again["id"], again["event_id"], again["duplicate"]) == (first["id"], "W-9", True)
    assert len(whole.sandbox.events(whole.dataset)) == 1


def test_an_item_without_id_and_time_is_told_that_it_is_another_event_each_time(whole: Shop) -> None:
    item = {"event_name": "ViewContent", "channel": "whatsapp", "user_data": {"ctwa_clid": whole.click.ctwa_clid}}
    first, second = result(whole, **item), result(whole, **item)
    assert first["reason"] == second["reason"] == "retry-not-idempotent"
    assert first["event_id"] != second["event_id"]
    at = int(time.time()) - 60
    timed = [result(whole, **item, event_time=at)["event_id"] for _ in range(2)]
    assert timed[0] == timed[1]


def test_an_event_older_than_seven_days_is_kept_and_dead(whole: Shop) -> None:
    item = purchase("whatsapp", "old", user_data={"ctwa_clid": whole.click.ctwa_clid})
    found = result(whole, **item, event_time=int(time.time()) - 8 * 86400)
    assert (found["state"], found["reason"]) == ("dead", "expired")
    assert found["error"]["details"] == [{"field": "event_time", "rule": "must not be older than 7 days"}]


def test_a_channel_that_is_not_set_up_is_named(shop: Shop) -> None:
    found = result(shop, **purchase("messenger", "1", user_data={"page_scoped_user_id": PSID}))
    assert (found["state"], found["error"]["code"], found["error"]["failure_stage"]) == (
        "refused",
        404,
        "channel_lookup",
    )
    assert [record["failure_stage"] for record in shop.records()] == ["channel_lookup"]


def test_nothing_plain_of_a_person_is_stored(house: House, whole: Shop) -> None:
    item = purchase(
        "website", f"plain-{whole.business_id}", user_data={"em": "jane@plain.example", "ph": "+5511987654321"}
    )
    found = result(whole, **item)
    told = json.dumps(whole.client.get(
        f"/v1/businesses/{whole.business_id}/events/{found['id']}", headers={"X-API-KEY": whole.key}).json())  # fmt: skip
    assert "plain.example" not in told
    assert "987654321" not in told


def test_a_test_code_marks_the_call_and_travels_with_it_alone(whole: Shop) -> None:
    item = purchase("whatsapp", "T-1", user_data={"ctwa_clid": whole.click.ctwa_clid})
    live = purchase("whatsapp", "L-1", user_data={"ctwa_clid": whole.click.ctwa_clid})
    assert post(whole, item, test_event_code="TEST77", partner_agent="agency-1").json()["events_received"] == 1
    assert post(whole, live).json()["events_received"] == 1
    whole.sandbox.events(whole.dataset, at_least=2)
    bodies = {body["data"][0]["event_id"]: body for body in (json.loads(each["body"]) for each in whole.requests())}
    assert (bodies["T-1"]["test_event_code"], bodies["T-1"]["partner_agent"]) == ("TEST77", "agency-1")
    assert "test_event_code" not in bodies["L-1"]
    assert bodies["L-1"]["partner_agent"] == "collector"


@pytest.mark.parametrize(
    ("policy", "given", "name", "source"),
    [
        (Policy(lead_submitted=True), "Lead", "LeadSubmitted", "business_messaging"),
        (Policy(other_names="system_generated"), "Schedule", "Schedule", "system_generated"),
    ],
)
def test_names_that_conversations_refuse_go_as_the_business_chose(
    house: House, policy: Policy, given: str, name: str, source: str
) -> None:
    shop = house.shop(policy=policy)
    who = {"ctwa_clid": shop.click.ctwa_clid, "ph": "+5511987654321"}
    assert result(shop, event_name=given, channel="whatsapp", user_data=who)["state"] == "pending"
    (sent,) = shop.sandbox.events(shop.dataset, at_least=1)
    assert (sent["event_name"], sent["action_source"]) == (name, source)
    assert ("messaging_channel" in sent) == (source == "business_messaging")


def test_no_address_goes_out_as_the_name_of_an_event(house: House) -> None:
    shop = house.shop(policy=Policy(other_names="system_generated"))
    who = {"ctwa_clid": shop.click.ctwa_clid}
    told = fault(result(shop, event_name="jane@shop.example", channel="whatsapp", user_data=who))
    assert told[0] == "event_name"


def test_an_account_that_takes_fewer_names_is_told_so_before_meta_refuses(house: House) -> None:
    shop = house.shop(policy=Policy(messaging_names=("Purchase", "LeadSubmitted")))
    item = {"event_name": "ViewContent", "channel": "whatsapp", "user_data": {"ctwa_clid": shop.click.ctwa_clid}}
    assert fault(result(shop, **item)) == ("event_name", "from a conversation Meta takes only Purchase, LeadSubmitted")


def test_consent_that_is_denied_is_never_sent_and_a_grant_that_comes_later_frees_what_waited(house: House) -> None:
    shop = house.shop(consent_required=True)
    item = purchase("whatsapp", "C-1", user_data={"ctwa_clid": shop.click.ctwa_clid})
    denied = result(shop, **(item | {"event_id": "no"}), consent="denied")
    assert (denied["state"], denied["reason"]) == ("dead", "consent")
    waits = result(shop, **item)
    assert (waits["state"], waits["reason"]) == ("held", "consent")
    assert result(shop, **item, consent="granted")["event_id"] == "C-1"
    (sent,) = shop.sandbox.events(shop.dataset, at_least=1)
    assert sent["event_id"] == "C-1"


def test_the_word_of_a_visitor_counts_where_the_caller_gives_the_click_id_too(whole: Shop) -> None:
    ref = whole.land().json()["ref"]
    whole.page("landing", {"query": "", "consent": "denied"})
    item = purchase("whatsapp", "D-1", ref=ref, user_data={"ctwa_clid": whole.click.ctwa_clid})
    found = result(whole, **item, consent="granted")
    assert (found["state"], found["reason"]) == ("dead", "consent")
    assert whole.requests() == []


def test_events_are_found_by_a_name_in_any_script(whole: Shop) -> None:
    item = {"event_name": "Degustação", "channel": "website", "user_data": {"em": EMAIL_HASH}, "event_id": "D-2"}
    assert result(whole, **item)["state"] == "pending"
    assert [each["event_id"] for each in whole.events(event_name="Degustação")] == ["D-2"]


def test_a_denial_at_the_landing_counts_for_the_same_click_in_the_chat(house: House, shop: Shop) -> None:
    shop.land()
    shop.page("landing", {"query": "", "consent": "denied"})
    sender = number()
    deliver(house, message(shop, sender))
    for name, who in (("D-3", {"ctwa_clid": shop.click.ctwa_clid}), ("D-4", {"mobile_number": sender})):
        found = result(shop, **purchase("whatsapp", name, user_data=who))
        assert (found["state"], found["reason"]) == ("dead", "consent")
    shop.land(consent="granted")
    assert result(shop, **purchase("whatsapp", "D-5", user_data={"mobile_number": sender}))["state"] == "pending"


@pytest.mark.parametrize("limit", [{"opt_out": True}, {"data_processing_options": ["LDU"]}])
def test_a_limit_that_connectly_cannot_be_told_is_not_left_out(house: House, limit: dict[str, Any]) -> None:
    shop = house.shop(destination="connectly")
    ref = shop.land().json()["ref"]
    assert fault(result(shop, **purchase("whatsapp", "L-1", ref=ref), **limit))[0] == next(iter(limit))
    assert result(shop, **purchase("whatsapp", "L-2", ref=ref), opt_out=False)["state"] == "pending"
