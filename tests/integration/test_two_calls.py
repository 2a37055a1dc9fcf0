"""The order is created with the shopper there and paid without: links tie the two calls, early or late."""

import sqlite3
from contextlib import closing
from typing import Any

import pytest

from collector.attribution import ref
from tests.integration.house import House, new_click
from tests.integration.sandbox import Json
from tests.integration.shop import RECEIVED, Life, Shop, days_ago, refusal, told

DAY_MS = 24 * 3600 * 1000
LINKED = {"linked": True}


def ids(shop: Shop, click: Any = None) -> Json:
    """A click as a link names it by its ids."""
    whole = shop.order(click=click)
    return {name: whole[name] for name in ("cnct_tracking_id", "sendout_id", "attribution")}


def credited(shop: Shop) -> list[tuple[str, str]]:
    """Event id and click id of what arrived."""
    return [(event["event_id"], event["user_data"]["ctwa_clid"]) for event in shop.sent()]


@pytest.fixture
def pointers(house: House, shop: Shop) -> Json:
    """Each way to name this shop's click."""
    landed = shop.land().json()["ref"]
    assert shop.page("links", {"kind": "checkout_id", "id": "CHK-1"}).json() == LINKED
    return {
        "ids": ids(shop),
        "token": {"attribution_token": house.token(shop, shop.click)},
        "cookie": {"attribution_token": shop.cookies["cnct"]},
        "ref": {"ref": landed},
        "checkout": {"checkout_id": "CHK-1"},
    }


@pytest.mark.parametrize("pointer", ["ids", "token", "cookie", "ref", "checkout"])
def test_an_order_linked_at_its_creation_is_paid_with_its_id_alone(shop: Shop, pointers: Json, pointer: str) -> None:
    linked = shop.link("order_id", "ORD-1", **pointers[pointer])
    assert (linked.status_code, linked.json()) == (200, LINKED)
    answer = shop.post(shop.pointed("ORD-1"))
    assert (answer.status_code, answer.json(), told(answer)) == (200, RECEIVED, {"X-Delivery-State": "delivered"})
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid)]
    (record,) = shop.records()
    assert [record[name] for name in shop.click.__struct_fields__] == list(shop.click.values())


@pytest.mark.parametrize("pointer", ["token", "cookie", "ref", "checkout"])
def test_an_order_may_name_its_click_by_any_pointer(shop: Shop, pointers: Json, pointer: str) -> None:
    answer = shop.post(shop.pointed("ORD-1", **pointers[pointer]))
    assert (answer.status_code, told(answer)) == (200, {"X-Delivery-State": "delivered"})
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid)]


@pytest.mark.parametrize("kind", ["checkout_id", "cart_token", "customer_id"])
def test_the_server_links_every_kind_as_often_as_it_likes(shop: Shop, kind: str) -> None:
    assert [shop.link(kind, "X-1", **ids(shop)).json() for _ in range(2)] == [LINKED, LINKED]
    assert shop.records() == []


def test_an_order_link_rescues_an_order_whose_token_proves_nothing(shop: Shop) -> None:
    shop.link("order_id", "ORD-1", **ids(shop))
    answer = shop.post(shop.pointed("ORD-1", attribution_token="forged"))
    assert told(answer) == {"X-Delivery-State": "delivered"}
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid)]


def test_ids_in_the_order_go_before_a_link(shop: Shop) -> None:
    shop.link("order_id", "ORD-1", **ids(shop, new_click()))
    shop.post(shop.order("ORD-1"))
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid)]


# -- the click comes after the order


@pytest.mark.parametrize("bad", ["checkout_id", "token"])
def test_a_link_releases_an_unmatched_order_under_its_first_id(shop: Shop, bad: str) -> None:
    pointer = {"checkout_id": "CHK-1"} if bad == "checkout_id" else {"attribution_token": "forged"}
    answer = shop.post(shop.pointed("ORD-1", **pointer))
    assert told(answer)["X-Delivery-State"] == "unmatched"
    assert shop.link("checkout_id" if bad == "checkout_id" else "order_id", "CHK-2", **ids(shop)).json() == LINKED
    assert shop.life(answer) == Life("unmatched")
    assert shop.link(*(("checkout_id", "CHK-1") if bad == "checkout_id" else ("order_id", "ORD-1")), **ids(shop)).json() == LINKED  # fmt: skip
    shop.sent(at_least=1)
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid)]
    again = shop.post(shop.order("ORD-1"))
    assert again.headers["X-Event-Id"] == answer.headers["X-Event-Id"]
    assert len(shop.requests()) == 1


def test_a_call_that_found_its_click_late_is_the_same_call_when_it_comes_again(shop: Shop) -> None:
    body = shop.pointed(None, checkout_id="CHK-1")
    body["payload"]["event_time"] = days_ago(0)
    first = shop.post(body)
    shop.link("checkout_id", "CHK-1", **ids(shop))
    shop.sent(at_least=1)
    again = shop.post(body)
    assert told(again) == {"X-Duplicate": "true", "X-Delivery-State": "delivered"}
    assert again.headers["X-Event-Id"] == first.headers["X-Event-Id"]
    assert len(shop.requests()) == len(shop.events()) == 1


def test_the_pages_own_link_releases_an_unmatched_order(shop: Shop) -> None:
    answer = shop.post(shop.pointed("ORD-1", checkout_id="CHK-1"))
    assert told(answer)["X-Delivery-State"] == "unmatched"
    shop.land()
    shop.page("links", {"kind": "checkout_id", "id": "CHK-1"})
    shop.sent(at_least=1)
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid)]


def test_a_landing_releases_an_order_that_named_its_ref(house: House, shop: Shop) -> None:
    answer = shop.post(shop.pointed("ORD-1", ref=ref(shop.click, shop.business_id, house.vault.ref_key())))
    assert told(answer) == {"X-Delivery-State": "unmatched", "X-Collector-Reason": "click-not-found"}
    shop.land()
    shop.sent(at_least=1)
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid)]


def test_another_business_can_neither_use_nor_release_what_is_not_its_own(house: House, shop: Shop) -> None:
    other = house.shop()
    waiting = shop.post(shop.pointed("ORD-1", checkout_id="CHK-1"))
    assert other.link("checkout_id", "CHK-1", **ids(other)).json() == LINKED
    assert other.link("order_id", "ORD-2", **ids(other)).json() == LINKED
    assert shop.post(shop.pointed("ORD-2")).status_code == 400
    others = other.land().json()["ref"]
    assert told(shop.post(shop.pointed("ORD-3", ref=others)))["X-Delivery-State"] == "unmatched"
    assert shop.life(waiting) == Life("unmatched")
    assert (shop.requests(), other.requests()) == ([], [])


def test_a_grant_releases_what_waited_for_consent(house: House) -> None:
    shop = house.shop(consent_required=True)
    shop.land()
    answer = shop.post(shop.pointed("ORD-1", attribution_token=shop.cookies["cnct"]))
    assert told(answer) == {"X-Delivery-State": "held", "X-Collector-Reason": "consent"}
    shop.land()
    assert shop.life(answer) == Life("held", "consent")
    shop.land(consent="granted")
    shop.sent(at_least=1)
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid)]


def test_an_order_with_its_own_ids_hears_what_its_visitor_said(house: House) -> None:
    shop = house.shop(consent_required=True)
    waiting = shop.post(shop.order("ORD-1"))
    assert told(waiting) == {"X-Delivery-State": "held", "X-Collector-Reason": "consent"}
    shop.land(consent="granted")
    shop.sent(at_least=1)
    assert told(shop.post(shop.order("ORD-2"))) == {"X-Delivery-State": "delivered"}
    shop.land(consent="denied")
    assert told(shop.post(shop.order("ORD-3"))) == {"X-Delivery-State": "dead", "X-Collector-Reason": "consent"}
    assert {event_id for event_id, _ in credited(shop)} == {"ORD-1", "ORD-2"}


def test_an_order_that_gets_its_click_late_still_waits_for_consent(house: House) -> None:
    shop = house.shop(consent_required=True)
    answer = shop.post(shop.pointed("ORD-1", checkout_id="CHK-1"))
    shop.link("checkout_id", "CHK-1", **ids(shop))
    assert shop.life(answer) == Life("held", "consent")
    shop.land(consent="granted")
    shop.sent(at_least=1)
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid)]


def test_a_denial_buries_what_waited_for_consent(house: House) -> None:
    shop = house.shop(consent_required=True)
    shop.land()
    answer = shop.post(shop.pointed("ORD-1", attribution_token=shop.cookies["cnct"]))
    shop.land(consent="denied")
    assert shop.life(answer) == Life("dead", "consent")
    assert shop.requests() == []


# -- several links


def age_links(house: House, shop: Shop, ms: int) -> None:
    """Let this shop's links be older."""
    with closing(sqlite3.connect(house.database_url.removeprefix("sqlite:///"), timeout=10)) as connection, connection:
        connection.execute("UPDATE links SET linked_at = linked_at - ? WHERE business_id = ?", (ms, shop.business_id))


@pytest.mark.parametrize(("age_ms", "wins"), [(0, "first"), (DAY_MS - 60_000, "first"), (DAY_MS + 60_000, "second")])
def test_the_first_link_wins_for_a_day(house: House, shop: Shop, age_ms: int, wins: str) -> None:
    later = new_click()
    shop.sandbox.learn(clicks={later.ctwa_clid: shop.waba})
    shop.link("order_id", "ORD-1", **ids(shop))
    age_links(house, shop, age_ms)
    assert shop.link("order_id", "ORD-1", **ids(shop, later)).json() == LINKED
    shop.post(shop.pointed("ORD-1"))
    assert credited(shop) == [("ORD-1", shop.click.ctwa_clid if wins == "first" else later.ctwa_clid)]


# -- links that are refused


def test_a_link_that_breaks_a_rule_is_refused_by_its_field(house: House, shop: Shop) -> None:
    token = house.token(shop, shop.click)
    foreign = house.token(house.shop(), shop.click)
    stale = house.token(shop, shop.click, age_seconds=91 * 86_400)
    refused: list[tuple[Json, str]] = [
        ({"id": "X"}, "kind"),
        ({"kind": "coupon", "id": "X", "attribution_token": token}, "kind"),
        ({"kind": 1, "id": "X"}, "kind"),
        ({"kind": "order_id", "attribution_token": token}, "id"),
        ({"kind": "order_id", "id": "", "attribution_token": token}, "id"),
        ({"kind": "order_id", "id": "é", "attribution_token": token}, "id"),
        ({"kind": "order_id", "id": "x" * 513, "attribution_token": token}, "id"),
        ({"kind": "order_id", "id": "X"}, "attribution"),
        ({"kind": "order_id", "id": "X", "attribution_token": token[:-1]}, "attribution_token"),
        ({"kind": "order_id", "id": "X", "attribution_token": foreign}, "attribution_token"),
        ({"kind": "order_id", "id": "X", "attribution_token": stale}, "attribution_token"),
        ({"kind": "order_id", "id": "X", "ref": "AAAAAAAAAAAAAAAAAAAAAA"}, "ref"),
        ({"kind": "order_id", "id": "X", "checkout_id": "CHK-404"}, "checkout_id"),
        ({"kind": "order_id", "id": "X", "cnct_tracking_id": "trk"}, "sendout_id"),
    ]
    for body, field in refused:
        answer = house.client.post(
            f"/v1/businesses/{shop.business_id}/links", json=body, headers={"X-API-KEY": shop.key}
        )
        assert answer.status_code == 400, (body, answer.text)
        error = answer.json()["error"]
        assert (error["details"][0]["field"], error["failure_stage"]) == (field, "payload_mapping"), body
        assert token[:40] not in answer.text
    assert shop.post(shop.pointed("X")).status_code == 400


def test_links_are_behind_the_key_and_its_business(house: House, shop: Shop) -> None:
    other = house.shop()
    body = {"kind": "order_id", "id": "ORD-1", **ids(shop)}
    path = f"/v1/businesses/{shop.business_id}/links"
    assert shop.post(body, path=path, key="").status_code == 401
    answer = shop.post(body, path=path, key=other.key)
    expected = refusal("no such business", "business_lookup", code=404, status="NOT_FOUND")
    assert (answer.status_code, answer.json()) == (404, expected)
    assert shop.post(b"{", path=path).status_code == 400
    assert shop.post(body, path=path, Content_Type="text/plain").status_code == 415
    assert shop.post(b" " * 300_000, path=path).status_code == 413
    assert shop.post(shop.pointed("ORD-1")).status_code == 400
