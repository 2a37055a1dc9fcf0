"""Meta's webhooks over HTTP, on both databases: who is believed, what is kept, and the sale in the chat that it credits."""

import json
import secrets
import time

import pytest

from tests.integration.conversing import ACCOUNT, ACCOUNT_DATASET, PAGE, PAGE_DATASET, own, purchase, result
from tests.integration.house import House, new_click
from tests.integration.messages import OLD_SECRET, VERIFY, deliver, message, number, sign
from tests.integration.shop import Shop


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


# -- who is believed


def test_the_handshake_is_answered_to_who_knows_the_word(house: House) -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": VERIFY}
    answer = house.client.get("/webhooks/meta", params=asked)
    assert (answer.status_code, answer.text) == (200, "1158201444")
    for wrong in ({"hub.verify_token": "x"}, {"hub.mode": "unsubscribe"}, {"hub.challenge": "<script>\n"}):
        refused = house.client.get("/webhooks/meta", params=asked | wrong)
        assert refused.status_code == 403
        assert asked["hub.challenge"] not in refused.text


@pytest.mark.parametrize("shown", ["", "sha256=", "sha256=" + "0" * 64, "sha1=" + "0" * 64, "SHA256=" + "é" * 64])
def test_who_cannot_sign_is_refused_and_changes_nothing(house: House, shop: Shop, shown: str) -> None:
    sender = number()
    raw = json.dumps(message(shop, sender)).encode()
    headers = [(b"X-Hub-Signature-256", shown.encode())] if shown else []
    assert house.client.post("/webhooks/meta", content=raw, headers=headers).status_code == 403
    found = result(shop, **purchase("whatsapp", "W-1", user_data={"mobile_number": f"+{sender}"}))
    assert found["state"] == "unmatched"


def test_the_secret_of_the_past_still_signs_and_a_signature_is_of_one_body(house: House, shop: Shop) -> None:
    assert deliver(house, message(shop, number()), OLD_SECRET).status_code == 200
    body = json.dumps(message(shop, number())).encode()
    assert (
        house.client.post(
            "/webhooks/meta", content=body + b" ", headers={"X-Hub-Signature-256": sign(body)}
        ).status_code
        == 403
    )


def test_the_signature_is_over_the_raw_bytes(house: House, shop: Shop) -> None:
    escaped = json.dumps(message(shop, number()) | {"name": "Conversa é 정"}).encode()
    assert b"\\u00e9" in escaped
    assert deliver(house, escaped).json() == {"conversations": 1}


def test_without_an_app_secret_nothing_is_believed(hurried_house: House) -> None:
    answer = deliver(hurried_house, b"{}")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert hurried_house.client.get("/webhooks/meta", params={"hub.mode": "subscribe"}).status_code == 403


# -- the sale in the chat


def test_a_sale_that_names_only_the_number_has_the_click_of_the_conversation(house: House, shop: Shop) -> None:
    sender = number()
    assert deliver(house, message(shop, sender)).json() == {"conversations": 1}
    found = result(shop, **purchase("whatsapp", "W-1", user_data={"mobile_number": f"+{sender}"}))
    assert found["state"] == "pending"
    (sent,) = shop.sandbox.events(shop.dataset, at_least=1)
    assert sent["user_data"] == {"whatsapp_business_account_id": shop.waba, "ctwa_clid": shop.click.ctwa_clid}
    assert sender not in json.dumps(shop.tale(found["id"]))


def test_a_sale_to_who_shows_no_number_is_found_by_the_id_that_stands_for_it(house: House, shop: Shop) -> None:
    user_id, body = f"BR.{secrets.randbelow(10**17)}", message(shop, "")
    (told,) = body["entry"][0]["changes"][0]["value"]["messages"]
    del told["from"]
    told["from_user_id"] = user_id
    assert deliver(house, body).json() == {"conversations": 1}
    result(shop, **purchase("whatsapp", "W-6", user_data={"whatsapp_user_id": user_id}))
    (sent,) = shop.sandbox.events(shop.dataset, at_least=1)
    assert sent["user_data"] == {"whatsapp_business_account_id": shop.waba, "ctwa_clid": shop.click.ctwa_clid}


@pytest.mark.parametrize(
    ("object_", "channel", "account", "dataset", "key"),
    [
        ("page", "messenger", PAGE, PAGE_DATASET, "page_scoped_user_id"),
        ("instagram", "instagram", ACCOUNT, ACCOUNT_DATASET, "ig_sid"),
    ],
)
def test_a_sale_in_the_other_chats_has_the_ad_of_the_conversation_in_its_report(
    house: House, shop: Shop, object_: str, channel: str, account: str, dataset: str, key: str
) -> None:
    house.channels(shop)
    sender = "300000000000002" if channel == "messenger" else "300000000000003"
    item = {
        "sender": {"id": sender},
        "timestamp": int(time.time() * 1000),
        "referral": {"ad_id": "6045", "source": "ADS"},
    }
    assert (
        deliver(house, {"object": object_, "entry": [{"id": account, "messaging": [item]}]}).json()["conversations"]
        >= 1
    )
    order = f"{channel}-{shop.business_id}"
    found = result(shop, **purchase(channel, order, user_data={key: sender}))
    assert own(shop, dataset, order)["user_data"][key] == sender
    assert shop.tale(found["id"])["event"]["ad_id"] == "6045"


def test_a_sale_that_comes_before_the_webhook_waits_for_it(house: House, shop: Shop) -> None:
    sender = number()
    found = result(shop, **purchase("whatsapp", "W-2", user_data={"mobile_number": f"+{sender}"}))
    assert (found["state"], found["reason"]) == ("unmatched", "click-not-found")
    assert shop.sent() == []
    deliver(house, message(shop, sender))
    (sent,) = shop.sandbox.events(shop.dataset, at_least=1)
    assert sent["user_data"]["ctwa_clid"] == shop.click.ctwa_clid


@pytest.mark.parametrize(
    ("wa_id", "written"),
    [
        ("5215512345678", "+52 55 1234 5678"),
        ("551187654321", "+55 11 98765-4321"),
        ("5491112345678", "+54 11 1234-5678"),
    ],
)
def test_whatsapps_spelling_of_a_number_meets_the_shops(house: House, shop: Shop, wa_id: str, written: str) -> None:
    deliver(house, message(shop, wa_id, f"wamid.{shop.business_id}"))
    assert result(shop, **purchase("whatsapp", "W-3", user_data={"mobile_number": written}))["state"] == "pending"


def test_the_last_click_counts_and_the_first_where_it_is_asked_for(house: House, shop: Shop) -> None:
    sender, other = number(), str(new_click().ctwa_clid)
    shop.sandbox.learn(clicks={other: shop.waba})
    deliver(house, message(shop, sender, "wamid.a", time.time() - 3600, other))
    deliver(house, message(shop, sender, "wamid.b"))
    for order, touch in (("last", {}), ("first", {"touch": "first"})):
        result(shop, **purchase("whatsapp", order, user_data={"mobile_number": f"+{sender}"}, **touch))
    sent = {each["event_id"]: each["user_data"]["ctwa_clid"] for each in shop.sandbox.events(shop.dataset, at_least=2)}
    assert sent == {"last": shop.click.ctwa_clid, "first": other}


def test_a_sale_that_is_reported_late_has_the_click_before_it(house: House, shop: Shop) -> None:
    sender, now = number(), int(time.time())
    deliver(house, message(shop, sender, "wamid.a", now - 300))
    deliver(house, message(shop, sender, "wamid.b", now - 10, str(new_click().ctwa_clid)))
    result(shop, **purchase("whatsapp", "W-8", user_data={"mobile_number": f"+{sender}"}, event_time=now - 200))
    (sent,) = shop.sandbox.events(shop.dataset, at_least=1)
    assert sent["user_data"]["ctwa_clid"] == shop.click.ctwa_clid


def test_a_message_that_comes_again_changes_nothing(house: House, shop: Shop) -> None:
    sender, stranger = number(), str(new_click().ctwa_clid)
    deliver(house, message(shop, sender, "wamid.x"))
    assert deliver(house, message(shop, sender, "wamid.x", clid=stranger)).status_code == 200
    result(shop, **purchase("whatsapp", "W-4", user_data={"mobile_number": f"+{sender}"}))
    (sent,) = shop.sandbox.events(shop.dataset, at_least=1)
    assert sent["user_data"]["ctwa_clid"] == shop.click.ctwa_clid


def test_a_click_of_the_account_before_is_not_sent_as_this_ones(house: House, shop: Shop) -> None:
    """Meta would refuse it for good. A click of the account that the channel has now sends the sale on."""
    sender, moved = number(), house.shop()
    deliver(house, message(shop, sender, "wamid.a"))
    house.share(shop, moved)
    found = result(shop, **purchase("whatsapp", "W-5", user_data={"mobile_number": f"+{sender}"}))
    assert (found["state"], found["reason"]) == ("unmatched", "click-not-found")
    deliver(house, message(moved, sender, "wamid.b", time.time() - 3600))
    (sent,) = moved.sandbox.events(moved.dataset, at_least=1)
    assert sent["user_data"] == {"whatsapp_business_account_id": moved.waba, "ctwa_clid": moved.click.ctwa_clid}


def test_a_click_of_another_account_counts_where_no_account_is_named(house: House, shop: Shop) -> None:
    house.website(shop)
    sender = number()
    deliver(house, message(shop, sender))
    house.share(shop, house.shop())
    who = {"mobile_number": f"+{sender}", "em": "jane@shop.example"}
    found = result(shop, **purchase("website", "W-7", user_data=who))
    assert shop.tale(found["id"])["event"]["ctwa_clid"] == shop.click.ctwa_clid


def test_an_account_that_two_businesses_share_tells_both(house: House, shop: Shop) -> None:
    second = house.shop()
    house.share(second, shop)
    sender = number()
    assert deliver(house, message(shop, sender)).json() == {"conversations": 2}
    for each in (shop, second):
        found = result(each, **purchase("whatsapp", f"W-{each.business_id}", user_data={"mobile_number": f"+{sender}"}))
        assert found["state"] == "pending"


def test_the_report_of_landings_says_which_a_message_confirmed(house: House, shop: Shop) -> None:
    shop.land()
    shop.land(new_click())
    deliver(house, message(shop, number()))
    report = shop.report("landings")
    assert [row["ctwa_clid"] == shop.click.ctwa_clid for row in report["landings"] if row["confirmed_at"]] == [True]
    assert (len(report["landings"]), report["next_cursor"]) == (2, None)
    head, *rows = shop.report("landings", "csv").splitlines()
    assert head.startswith("ref,cnct_tracking_id,sendout_id,ctwa_clid,ad_id,first_at")
    assert len(rows) == 2
