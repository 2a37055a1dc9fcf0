"""The browser edge as a page meets it, over HTTP: what is set and given, and what is never believed."""

import json
import time
from typing import Any

import pytest

from tests.integration.house import House, new_click
from tests.integration.shop import Shop, query, told
from tests.integration.visits import AGE, DAY, EVENT, cookies, landings, opened, reason

# -- landings


def test_a_landing_on_the_same_site_sets_both_cookies(house: House, shop: Shop) -> None:
    answer = shop.land()
    body = answer.json()
    assert body == {"ref": body["ref"], "max_age": AGE}
    shared = {"Path=/", "SameSite=Lax", "Secure", f"Domain={shop.host}", f"Max-Age={AGE}"}
    token, ref = cookies(answer)["cnct"], cookies(answer)["cnct_ref"]
    assert token[1] == shared | {"HttpOnly"}
    assert ref == (body["ref"], shared)
    assert opened(house, shop, token[0]).click == shop.click
    assert landings(house, shop) == [(shop.click.ctwa_clid, 1, "unknown")]


def test_plain_http_on_this_machine_gets_cookies_without_secure(house: House) -> None:
    shop = house.shop(origins=("http://shop.localhost:3000",))
    answer = shop.page("landing", {"query": query(shop.click)}, Origin="http://shop.localhost:3000")
    assert all("Secure" not in attributes for _, attributes in cookies(answer).values())
    assert cookies(answer).keys() == {"cnct", "cnct_ref"}


def test_a_business_may_have_another_cookie_name(house: House) -> None:
    shop = house.shop(cookie_name="cnct_mine")
    assert cookies(shop.land()).keys() == {"cnct_mine", "cnct_mine_ref"}
    assert reason(shop.page("events", EVENT)) is None
    assert len(shop.sent(at_least=1)) == 1


def test_a_landing_from_a_foreign_site_gives_the_token_and_sets_nothing(house: House, shop: Shop) -> None:
    answer = shop.page("landing", {"query": query(shop.click)}, site="cross-site")
    body = answer.json()
    assert (body.keys(), cookies(answer)) == ({"ref", "token", "max_age"}, {})
    assert opened(house, shop, body["token"]).click == shop.click
    assert shop.page("events", EVENT | {"token": body["token"]}, site="cross-site").status_code == 200
    (event,) = shop.sent(at_least=1)
    assert (event["event_id"], event["user_data"]["ctwa_clid"]) == ("view-1", shop.click.ctwa_clid)
    linked = shop.page("links", {"kind": "checkout_id", "id": "CHK-1", "token": body["token"]}, site="cross-site")
    assert (linked.json(), cookies(linked)) == ({"linked": True}, {})


def test_the_same_landing_is_one_row_with_one_ref(house: House, shop: Shop) -> None:
    now = int(time.time() * 1000)
    refs = {shop.land(at_ms=now - 1000 * seconds).json()["ref"] for seconds in (3, 2, 1)}
    assert len(refs) == 1
    assert landings(house, shop) == [(shop.click.ctwa_clid, 3, "unknown")]


@pytest.mark.parametrize(
    "link", ["", "?", "?fbclid=abc", "?utm_source=x&sendout_id=s&ad_id=1", "?ctwa_clid=", "?CTWA_CLID=a"]
)
def test_without_a_click_nothing_is_set_or_stored(house: House, shop: Shop, link: str) -> None:
    shop.land()
    before, kept = landings(house, shop), dict(shop.cookies)
    answer = shop.page("landing", {"query": link, "view": EVENT})
    assert (answer.status_code, answer.json(), cookies(answer)) == (200, {}, {})
    assert reason(answer) == "no-ids"
    assert (landings(house, shop), shop.cookies, shop.events()) == (before, kept, [])


def test_the_second_campaign_wins(shop: Shop) -> None:
    later = new_click()
    shop.sandbox.learn(clicks={later.ctwa_clid: shop.waba})
    shop.land()
    shop.land(later)
    shop.page("events", EVENT)
    answer = shop.post(shop.pointed("ORD-1", attribution_token=shop.cookies["cnct"]))
    assert told(answer) == {"X-Delivery-State": "delivered"}
    assert {event["user_data"]["ctwa_clid"] for event in shop.sent(at_least=2)} == {later.ctwa_clid}


def test_a_landing_that_comes_late_does_not_win_over_a_newer_click(house: House, shop: Shop) -> None:
    old = new_click()
    shop.land()
    kept = dict(shop.cookies)
    answer = shop.land(old, at_ms=int(time.time() * 1000) - 3_600_000)
    assert (answer.json(), cookies(answer), reason(answer)) == ({}, {}, "newer-click-known")
    assert shop.cookies == kept
    assert {row[0] for row in landings(house, shop)} == {old.ctwa_clid, shop.click.ctwa_clid}


def test_a_landing_brings_its_first_view(shop: Shop) -> None:
    view = EVENT | {
        "custom_data": {"content_ids": ["a"], "value": 5, "currency": "usd"},
        "page_url": f"{shop.origin}/p",
    }
    assert reason(shop.land(view=view)) is None
    (event,) = shop.sent(at_least=1)
    assert (event["event_name"], event["event_id"]) == ("ViewContent", "view-1")
    assert event["custom_data"] == {"currency": "USD", "value": 5, "content_ids": ["a"]}
    assert [record["event_id"] for record in shop.records()] == ["view-1"]


@pytest.mark.parametrize(
    "view", [{"event_name": "Nope", "event_id": "1"}, {"event_name": "Purchase", "event_id": "1"}, 7, "\ud800", {}]
)
def test_a_fault_in_the_view_does_not_cost_the_landing(house: House, shop: Shop, view: Any) -> None:
    body = b'{"query": "%s", "view": %s}' % (query(shop.click).encode(), json.dumps(view).encode())
    answer = shop.page("landing", body)
    if view == "\ud800":  # no parser finds the end of the view then
        assert answer.status_code == 400
        return
    assert (answer.status_code, set(cookies(answer))) == (200, {"cnct", "cnct_ref"})
    assert str(reason(answer)).startswith("view-refused: ")
    assert len(landings(house, shop)) == 1
    assert shop.events() == []


# -- consent


def test_denied_expires_both_cookies_and_marks_the_landing(house: House, shop: Shop) -> None:
    shop.land()
    answer = shop.page("landing", {"query": "", "consent": "denied"})
    assert (answer.json(), reason(answer)) == ({}, "consent-denied")
    assert {name: value for name, (value, _) in cookies(answer).items()} == {"cnct": "", "cnct_ref": ""}
    assert all("Max-Age=0" in attributes for _, attributes in cookies(answer).values())
    assert landings(house, shop) == [(shop.click.ctwa_clid, 2, "denied")]
    assert shop.cookies == {}


def test_denied_from_a_foreign_site_marks_the_landing_of_its_token(house: House, shop: Shop) -> None:
    token = shop.page("landing", {"query": query(shop.click)}, site="cross-site").json()["token"]
    answer = shop.page("landing", {"query": "", "consent": "denied", "token": token}, site="cross-site")
    assert (answer.json(), cookies(answer), reason(answer)) == ({}, {}, "consent-denied")
    assert [row[2] for row in landings(house, shop)] == ["denied"]
    assert told(shop.post(shop.pointed(attribution_token=token)))["X-Collector-Reason"] == "consent"


def test_a_visitor_who_has_not_answered_is_not_kept(house: House, shop: Shop) -> None:
    answer = shop.land(consent="pending")
    assert (answer.json(), cookies(answer), reason(answer)) == ({}, {}, "consent-pending")
    assert landings(house, shop) == []


# -- events and links


@pytest.mark.parametrize("site", ["same-site", "cross-site"])
def test_a_purchase_is_never_taken_from_a_browser(shop: Shop, site: str) -> None:
    shop.land()
    purchase = {"event_name": "Purchase", "event_id": "1", "custom_data": {"value": 1, "currency": "USD"}}
    answer = shop.page("events", purchase, site=site)
    assert (answer.status_code, answer.json()["error"]["status"]) == (403, "PERMISSION_DENIED")
    assert (shop.events(), shop.requests()) == ([], [])


def test_an_event_of_nobody_is_200_and_not_stored(house: House, shop: Shop) -> None:
    answer = shop.page("events", EVENT | {"ctwa_clid": shop.click.ctwa_clid, "ref": "AAAAAAAAAAAAAAAAAAAAAA"})
    assert (answer.status_code, answer.json(), reason(answer)) == (200, {}, "no-attribution")
    linked = shop.page("links", {"kind": "cart_token", "id": "C-1"})
    assert (linked.status_code, linked.json(), reason(linked)) == (200, {"linked": False}, "no-attribution")
    assert (cookies(answer), shop.events(), shop.records(), landings(house, shop)) == ({}, [], [], [])


@pytest.mark.parametrize("forgery", ["altered", "another business's", "expired", "rubbish"])
def test_a_cookie_that_proves_nothing_counts_for_nothing(house: House, shop: Shop, forgery: str) -> None:
    good = house.token(shop, shop.click)
    forged = {
        "altered": good.replace("ARA", "ARB", 1),
        "another business's": house.token(house.shop(), shop.click),
        "expired": house.token(shop, shop.click, age_seconds=AGE + 60),
        "rubbish": "%00%ff",
    }
    shop.cookies["cnct"] = forged[forgery]
    for answer in (shop.page("events", EVENT), shop.page("links", {"kind": "checkout_id", "id": "CHK-1"})):
        assert (answer.status_code, reason(answer)) == (
            200,
            "token-expired" if forgery == "expired" else "token-forged",
        )
        assert cookies(answer) == {}
    assert (shop.events(), shop.records(), landings(house, shop)) == ([], [], [])


def test_a_planted_cookie_does_not_hide_the_real_one(house: House, shop: Shop) -> None:
    real = house.token(shop, shop.click)
    answer = shop.page("events", EVENT, Cookie=f"cnct=planted; a=b; cnct={real}; cnct=1.x.y")
    assert (answer.status_code, reason(answer)) == (200, None)
    assert [event["user_data"]["ctwa_clid"] for event in shop.sent(at_least=1)] == [shop.click.ctwa_clid]


@pytest.mark.parametrize("name", ["events", "links"])
def test_renewal_keeps_the_time_of_the_landing(house: House, shop: Shop, name: str) -> None:
    shop.cookies["cnct"] = house.token(shop, shop.click, age_seconds=10 * DAY)
    first = opened(house, shop, shop.cookies["cnct"])
    answer = shop.page(name, EVENT | {"kind": "checkout_id", "id": "CHK-1"})
    token, attributes = cookies(answer)["cnct"]
    assert opened(house, shop, token) == first
    (left,) = [int(each.removeprefix("Max-Age=")) for each in attributes if each.startswith("Max-Age")]
    assert abs(left - 80 * DAY) < 60
    assert cookies(answer)["cnct_ref"][1] | {"HttpOnly"} == attributes


def test_the_same_event_again_is_one_event(shop: Shop) -> None:
    shop.land()
    first, again = shop.page("events", EVENT), shop.page("events", EVENT)
    assert (reason(first), reason(again)) == (None, "duplicate")
    assert len(shop.events()) == len(shop.sent(at_least=1)) == 1
    assert [entry.duplicate for entry in shop.entries()] == [False, True]


def test_a_phone_whose_clock_is_ahead_keeps_its_event_and_a_mistaken_page_is_told(shop: Shop) -> None:
    before = int(time.time())
    view = EVENT | {"event_time": before + 7200}
    assert reason(shop.land(view=view)) == "clock-ahead"
    assert reason(shop.page("events", view)) == "clock-ahead, duplicate"
    (event,) = shop.sent(at_least=1)
    assert before <= event["event_time"] <= int(time.time())
    refused = shop.page("events", EVENT | {"event_id": "2", "event_time": before * 1000})
    assert refused.status_code == 400
    assert len(shop.events()) == 1


def test_views_and_orders_never_share_a_request(shop: Shop) -> None:
    shop.land()
    shop.fault("status", status=500, times=2)
    shop.page("events", EVENT)
    shop.post(shop.order())
    shop.sent(at_least=2)
    for request in shop.requests():
        assert ('"Purchase"' in request["body"]) != ('"ViewContent"' in request["body"])


def test_no_page_meets_the_whatsapp_channel_that_is_not_there(house: House) -> None:
    shop = house.shop(channel=False)
    answer = shop.land(view=EVENT)
    assert (answer.status_code, set(cookies(answer)), reason(answer)) == (200, {"cnct", "cnct_ref"}, "channel_lookup")
    assert shop.events() == []


def test_a_view_goes_to_connectly_with_all_four_ids(house: House) -> None:
    shop = house.shop(destination="connectly")
    assert reason(shop.land(view=EVENT | {"custom_data": {"content_ids": ["a"]}})) is None
    (body,) = shop.sent(at_least=1)
    whole = shop.order()
    assert {name: body[name] for name in ("cnct_tracking_id", "sendout_id", "attribution")} == {
        name: whole[name] for name in ("cnct_tracking_id", "sendout_id", "attribution")
    }
    assert (body["event_name"], body["payload"]["content_ids"]) == ("ViewContent", ["a"])
