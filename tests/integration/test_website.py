"""A shop whose purchases are told as conversions of its website: who the visitor was is seen at the landing."""

import json
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from collector import attribution
from collector.policy import Policy
from tests.integration.conversing import fault, purchase, result
from tests.integration.house import House
from tests.integration.messages import deliver, message, number
from tests.integration.sandbox import Sandbox
from tests.integration.shop import Shop, query, told

BROWSER = "Mozilla/5.0 (Linux; Android 14) Chrome/130"
ADDRESS = "203.0.114.9"
FBP = "fb.1.1700000000000.1234567890"


@pytest.fixture
def house(proxied_house: House) -> House:
    return proxied_house


def shop_of(house: House, **policy: Any) -> Shop:
    shop = house.shop(policy=Policy(purchases="website", **policy))
    house.website(shop)
    return shop


def visitors(house: House, shop: Shop) -> list[str]:
    """The addresses that landings keep."""
    path = house.database_url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute(
            "SELECT visitor FROM landings WHERE business_id = ? AND visitor IS NOT NULL", (shop.business_id,)
        )
        return [json.loads(row[0])["client_ip_address"] for row in found]


def kept(house: House, shop: Shop, event_id: str = "%") -> dict[str, Any]:
    """What the store knows of who bought."""
    with closing(sqlite3.connect(house.database_url.removeprefix("sqlite:///"))) as connection:
        statement = "SELECT user_data FROM events WHERE business_id = ? AND event_id LIKE ?"
        rows = connection.execute(statement, (shop.business_id, event_id)).fetchall()
        (row,) = rows
        return dict(json.loads(row[0]))


def land(shop: Shop, more: str = "", **headers: str) -> None:
    sent = {"User_Agent": BROWSER, "X_Forwarded_For": ADDRESS, "Cookie": f"_fbp={FBP}", **headers}
    answer = shop.page("landing", {"query": query(shop.click) + more, "page_url": "https://x.example/p?a=1"}, **sent)
    assert answer.status_code == 200


def tell(house: House, shop: Shop, sender: str) -> None:
    """Meta tells of the click that began the sender's conversation."""
    assert deliver(house, message(shop, sender)).json() == {"conversations": 1}


def sent(shop: Shop) -> dict[str, Any]:
    (event,) = shop.sandbox.events(shop.dataset, at_least=1)
    return event


def test_a_purchase_says_who_landed(house: House) -> None:
    shop = shop_of(house)
    land(shop, "&fbclid=IwAR0clickOfAnAd")
    assert shop.post(shop.order()).headers["X-Delivery-State"] == "delivered"
    event = sent(shop)
    assert (event["action_source"], event["event_source_url"]) == ("website", "https://x.example/p")
    assert "messaging_channel" not in event
    fbc = event["user_data"].pop("fbc")
    assert fbc.startswith("fb.")
    assert fbc.endswith(".IwAR0clickOfAnAd")
    assert event["user_data"] == {"client_ip_address": ADDRESS, "client_user_agent": BROWSER, "fbp": FBP}


def test_the_click_id_goes_along_where_the_business_wants_it(house: House) -> None:
    shop = shop_of(house, website_click_id=True)
    land(shop)
    shop.post(shop.order())
    assert sent(shop)["user_data"]["ctwa_clid"] == shop.click.ctwa_clid


def test_a_view_of_the_page_is_one_of_the_website_too(house: House) -> None:
    shop = shop_of(house)
    view = {"event_name": "ViewContent", "event_id": "v-1", "page_url": "https://x.example/product?q=1"}
    land(shop)
    shop.cookies |= {"_fbp": FBP}
    assert shop.page("events", view).status_code == 200
    assert (sent(shop)["action_source"], sent(shop)["event_source_url"]) == ("website", "https://x.example/product")


def test_a_visitor_who_landed_before_the_website_was_chosen_is_known_from_the_next_page_on(house: House) -> None:
    shop = house.shop()
    land(shop)
    house.command("business", "set", shop.business_id, "--purchases", "website")
    house.website(shop)
    assert visitors(house, shop) == []
    view = {"event_name": "ViewContent", "event_id": "v-1", "page_url": "https://x.example/product"}
    assert shop.page("events", view, User_Agent=BROWSER, X_Forwarded_For=ADDRESS).status_code == 200
    assert sent(shop)["user_data"] == {"client_ip_address": ADDRESS, "client_user_agent": BROWSER}
    shop.page("events", view | {"event_id": "v-2"}, User_Agent="another", X_Forwarded_For="203.0.114.77")
    assert shop.post(shop.order()).headers["X-Delivery-State"] == "delivered"
    assert {each["user_data"]["client_ip_address"] for each in shop.sandbox.events(shop.dataset, 3)} == {ADDRESS}
    (landed,) = shop.report("landings")["landings"]
    assert landed["hits"] == 1


def test_a_visitor_whose_landing_was_never_stored_is_known_from_the_next_page_on(house: House) -> None:
    shop = shop_of(house)
    shop.cookies["cnct"] = house.token(shop, shop.click)
    view = {"event_name": "ViewContent", "event_id": "v-1"}
    shop.page("events", view, User_Agent=BROWSER, X_Forwarded_For=ADDRESS)
    assert sent(shop)["user_data"] == {"client_ip_address": ADDRESS, "client_user_agent": BROWSER}
    assert visitors(house, shop) == [ADDRESS]


def test_a_page_of_a_visitor_who_denies_tells_nothing_of_him(house: House) -> None:
    shop = shop_of(house)
    shop.cookies["cnct"] = house.token(shop, shop.click)
    view = {"event_name": "ViewContent", "event_id": "v-1", "consent": "denied"}
    shop.page("events", view, User_Agent=BROWSER, X_Forwarded_For=ADDRESS)
    assert (visitors(house, shop), kept(house, shop)) == ([], {})
    land(shop)
    item = purchase("website", "W-5", ref=attribution.ref(shop.click, shop.business_id, house.vault.ref_key()))
    assert result(shop, **item, consent="denied")["reason"] == "consent"
    assert kept(house, shop, "W-5") == {}


def test_a_click_id_alone_is_no_visitor_unless_the_business_sends_it(house: House) -> None:
    item = purchase("website", "W-6", user_data={"ctwa_clid": "c"})
    assert fault(result(shop_of(house), **item))[0] == "user_data"
    assert result(shop_of(house, website_click_id=True), **item)["state"] == "pending"


def test_an_order_that_comes_before_its_landing_waits_for_the_visitor(house: House) -> None:
    shop = shop_of(house)
    link = house.token(shop, shop.click)
    answer = shop.post(shop.pointed("W-2", ref="nobody-landed-yet"))
    assert answer.headers["X-Delivery-State"] == "unmatched"
    land(shop)
    answer = shop.post(shop.pointed("W-2", attribution_token=link))
    assert answer.headers["X-Delivery-State"] == "delivered"
    assert sent(shop)["user_data"]["client_ip_address"] == ADDRESS


def test_an_item_that_names_a_landing_is_sent_when_the_visitor_lands(house: House) -> None:
    shop = shop_of(house)
    ref = attribution.ref(shop.click, shop.business_id, house.vault.ref_key())
    item = purchase("website", "W-3", ref=ref)
    assert result(shop, **item)["state"] == "unmatched"
    land(shop)
    assert sent(shop)["user_data"]["client_ip_address"] == ADDRESS


def test_a_number_alone_is_no_visitor_where_the_click_id_does_not_go_along(house: House) -> None:
    """A conversation brings no landing, so it would be waited for in vain."""
    shop, sender = shop_of(house), number()
    tell(house, shop, sender)
    item = {"event_name": "Lead", "channel": "website", "event_id": "W-7", "user_data": {"mobile_number": sender}}
    assert fault(result(shop, **item))[0] == "user_data"
    assert shop.events() == []


def test_a_number_whose_click_is_known_is_enough_where_the_click_id_goes_along(house: House) -> None:
    shop, sender = shop_of(house, website_click_id=True), number()
    item = purchase("website", "W-8", user_data={"mobile_number": sender})
    tell(house, shop, sender)
    found = result(shop, **item)
    assert (found["state"], found.get("reason")) == ("pending", None)
    assert sent(shop)["user_data"]["ctwa_clid"] == shop.click.ctwa_clid


def test_a_number_whose_click_is_not_known_waits_for_it_where_the_click_id_goes_along(house: House) -> None:
    shop, sender = shop_of(house, website_click_id=True), number()
    assert result(shop, **purchase("website", "W-8", user_data={"mobile_number": sender}))["state"] == "unmatched"
    tell(house, shop, sender)
    assert sent(shop)["user_data"]["ctwa_clid"] == shop.click.ctwa_clid


def test_a_click_without_a_click_id_is_not_enough_where_that_goes_along(house: House) -> None:
    """Connectly's tracking id alone tells Meta nothing."""
    shop = shop_of(house, website_click_id=True)
    token = house.token(shop, attribution.Click(cnct_tracking_id="t" * 32))
    assert shop.link("customer_id", "jane", attribution_token=token).status_code == 200
    assert result(shop, **purchase("website", "W-10", user_data={"customer_id": "jane"}))["state"] == "unmatched"


def test_a_conversation_does_not_end_the_wait_for_a_landing(house: House) -> None:
    shop, sender = shop_of(house), number()
    tell(house, shop, sender)
    ref = attribution.ref(shop.click, shop.business_id, house.vault.ref_key())
    item = purchase("website", "W-9", ref=ref, user_data={"mobile_number": sender})
    assert result(shop, **item)["state"] == "unmatched"
    later = message(shop, sender, "wamid.2")
    assert deliver(house, later).json() == {"conversations": 1}
    assert [event["state"] for event in shop.events()] == ["unmatched"]
    land(shop)
    assert sent(shop)["user_data"]["client_ip_address"] == ADDRESS


def test_a_visitor_who_denies_is_forgotten(house: House) -> None:
    shop = shop_of(house)
    land(shop)
    assert visitors(house, shop) == [ADDRESS]
    assert shop.page("landing", {"query": "", "consent": "denied"}, X_Forwarded_For="203.0.114.77").status_code == 200
    assert visitors(house, shop) == []


def test_an_order_that_waited_for_consent_forgets_the_visitor_who_denies(house: House) -> None:
    shop = house.shop(policy=Policy(purchases="website"), consent_required=True)
    house.website(shop)
    land(shop)
    assert shop.post(shop.order()).headers["X-Delivery-State"] == "held"
    assert kept(house, shop)["client_ip_address"] == ADDRESS
    shop.page("landing", {"query": "", "consent": "denied"})
    (event,) = shop.events()
    assert (event["state"], event["reason"]) == ("dead", "consent")
    assert kept(house, shop) == {}


def test_what_the_landing_told_makes_no_other_body_of_a_repeat(house: House) -> None:
    shop = house.shop(policy=Policy(purchases="website"), consent_required=True)
    house.website(shop)
    land(shop)
    assert shop.post(shop.order()).headers["X-Delivery-State"] == "held"
    granted = {"query": query(shop.click), "consent": "granted"}
    shop.page("landing", granted, X_Forwarded_For=ADDRESS, User_Agent=BROWSER)
    sent(shop)
    again = shop.post(shop.order())
    assert told(again) == {"X-Delivery-State": "delivered", "X-Duplicate": "true"}


def test_a_purchase_of_which_too_little_is_known_is_refused_in_metas_words(house: House) -> None:
    shop = shop_of(house)
    answer = shop.post(shop.order())
    assert answer.status_code == 400
    assert answer.json()["error"]["details"] == [{"meta_error": "too little is known of who it was"}]
    assert shop.sandbox.requests(shop.dataset) == []


def test_a_landing_of_a_business_that_reports_conversations_keeps_nothing_of_the_visitor(house: House) -> None:
    shop = house.shop()
    land(shop)
    assert visitors(house, shop) == []
    ours = shop_of(house)
    land(ours)
    assert visitors(house, ours) == [ADDRESS]


def test_the_usual_business_is_told_as_before(house: House, sandbox: Sandbox) -> None:
    shop = house.shop()
    land(shop)
    shop.post(shop.order())
    assert sent(shop)["action_source"] == "business_messaging"
    assert set(sent(shop)["user_data"]) == {"whatsapp_business_account_id", "ctwa_clid"}
