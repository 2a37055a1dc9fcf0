"""Who may post at the browser edge, how much and how often."""

import pytest

from tests.integration.house import House, new_click
from tests.integration.shop import Shop, query, told
from tests.integration.visits import EVENT, cookies, landings, opened, reason


@pytest.mark.parametrize("name", ["landing", "events", "links"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "https://evil.example"},
        {"Origin": "https://shop-0.example"},
        {"Sec_Fetch_Mode": "navigate"},
    ],
    ids=["absent", "null", "another's", "like it", "navigation"],
)
def test_a_post_from_elsewhere_is_403_and_has_no_effect(
    house: House, shop: Shop, name: str, headers: dict[str, str]
) -> None:
    token = house.token(shop, shop.click)
    body = {"query": query(shop.click), **EVENT, "kind": "checkout_id", "id": "CHK-1", "token": token}
    answer = shop.page(name, body, **headers)
    assert answer.status_code == 403
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"
    assert (cookies(answer), answer.headers["vary"]) == ({}, "Origin")
    assert (landings(house, shop), shop.records(), shop.events()) == ([], [], [])
    assert told(shop.post(shop.pointed(checkout_id="CHK-1")))["X-Delivery-State"] == "unmatched"


@pytest.mark.parametrize(
    ("origin", "told"),
    [
        ("https://unlisted.example", "https://unlisted.example"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("", None),
        ("null", None),
        ("https://x.example/<script>", None),
        ("chrome-extension://abc", None),
    ],
)
def test_a_page_that_is_refused_may_read_why(shop: Shop, origin: str, told: str | None) -> None:
    """Nothing else tells its developer, and a snippet that cannot read the refusal would try again for a week."""
    nowhere = f"/b/{'0' * 8}-0000-4000-8000-{'0' * 12}/landing"
    for path, status, why in (
        (f"/b/{shop.business_id}/landing", 403, "this Origin is not one of the business's"),
        (nowhere, 404, "no such business"),
    ):
        answer = shop.client.post(path, json={"query": query(shop.click)}, headers={"Origin": origin})
        assert (answer.status_code, reason(answer)) == (status, why)
        assert answer.headers.get("access-control-allow-origin") == told
        assert ("access-control-expose-headers" in answer.headers) is (told is not None)
        assert (cookies(answer), answer.headers["vary"]) == ({}, "Origin")


def test_the_pages_origin_may_read_the_answer_and_the_reason(shop: Shop) -> None:
    answer = shop.land()
    allowed = {name: value for name, value in answer.headers.items() if name.startswith("access-control")}
    assert allowed == {
        "access-control-allow-origin": shop.origin,
        "access-control-allow-credentials": "true",
        "access-control-expose-headers": "X-Collector-Reason, Retry-After",
    }
    assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Origin", "no-store")


@pytest.mark.parametrize(("origin", "status"), [(None, 204), ("https://evil.example", 403)])
def test_a_preflight_is_answered_for_the_shops_own_origins(shop: Shop, origin: str | None, status: int) -> None:
    answer = shop.client.options(
        f"/b/{shop.business_id}/events",
        headers={"Origin": origin or shop.origin, "Access-Control-Request-Method": "POST"},
    )
    assert (answer.status_code, answer.headers["vary"]) == (status, "Origin")
    assert answer.headers.get("access-control-allow-methods") == ("POST" if status == 204 else None)
    assert answer.headers.get("access-control-allow-origin") == (shop.origin if status == 204 else None)


def test_an_unknown_business_is_404_and_a_get_405(shop: Shop) -> None:
    origin = {"Origin": shop.origin}
    unknown = shop.client.post("/b/00000000-0000-4000-8000-000000000000/landing", json={"query": ""}, headers=origin)
    assert (unknown.status_code, unknown.json()["error"]["failure_stage"]) == (404, "business_lookup")
    wrong = shop.client.get(f"/b/{shop.business_id}/landing", headers=origin)
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "OPTIONS, POST")
    assert wrong.json()["error"]["code"] == 405


def test_an_address_that_does_not_exist_is_404_in_json(shop: Shop) -> None:
    for path in ("/", "/nowhere", f"/b/{shop.business_id}/landing/"):
        answer = shop.client.post(path)
        assert (answer.status_code, answer.json()["error"]["status"]) == (404, "NOT_FOUND")


def test_more_than_64_kib_is_413(house: House, shop: Shop) -> None:
    assert shop.page("landing", {"query": "x" * 65_000}).status_code == 200
    answer = shop.page("landing", {"query": query(shop.click) + "&x=" + "x" * 65_600})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (413, shop.origin)
    assert (cookies(answer), landings(house, shop)) == ({}, [])


@pytest.mark.parametrize("name", ["landing", "events", "links"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"a":' * 10_000, b"NaN"])
def test_what_is_no_json_object_is_400(house: House, shop: Shop, name: str, body: bytes) -> None:
    answer = shop.page(name, body)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (400, "body")
    assert answer.headers["access-control-allow-origin"] == shop.origin
    assert (landings(house, shop), shop.records()) == ([], [])


def test_a_landing_over_the_rate_gets_its_token_and_is_asked_for_its_view_again(hurried_house: House) -> None:
    house, shop = hurried_house, hurried_house.shop()
    for _ in range(30):  # a minute may turn over meanwhile, once
        shop.land(new_click())
    for site, body in (("same-site", {"ref", "max_age"}), ("cross-site", {"ref", "token", "max_age"})):
        click = new_click()
        answer = shop.page("landing", {"query": query(click), "view": EVENT}, site=site)
        assert (answer.status_code, reason(answer), answer.json().keys()) == (429, "landing-shed", body)
        assert (len(cookies(answer)), answer.headers["access-control-allow-origin"]) == (
            2 if site == "same-site" else 0, shop.origin,
        )  # fmt: skip
        assert 0 < int(told(answer)["Retry-After"]) <= 60
        assert shop.events() == []
    house.kill()  # it counts in memory
    house.start()
    again = shop.page("landing", {"query": query(click), "view": EVENT})
    assert (again.status_code, reason(again)) == (200, None)
    assert len(shop.events()) == 1


def test_too_many_calls_are_429_but_a_landing_still_gets_its_token(hurried_house: House) -> None:
    house, shop = hurried_house, hurried_house.shop()
    landed = [shop.land(new_click()) for _ in range(30)]  # a minute may turn over meanwhile, once
    assert {answer.status_code for answer in landed} == {200}
    assert reason(landed[0]) is None
    assert reason(landed[-1]) == "landing-shed"
    assert cookies(landed[-1]).keys() == {"cnct", "cnct_ref"}
    assert len(landings(house, shop)) <= 24
    shed = opened(house, shop, shop.cookies["cnct"]).click
    answer = shop.page("events", EVENT)
    assert (answer.status_code, answer.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    assert 0 < int(told(answer)["Retry-After"]) <= 60
    assert answer.headers["access-control-allow-origin"] == shop.origin
    assert shop.events() == []
    assert (
        shop.page("landing", {"query": "", "consent": "denied"}).status_code == 429
    )  # it writes, so it counts as well
    house.kill()  # it counts in memory
    house.start()
    assert shop.page("events", EVENT).status_code == 200
    assert shed.ctwa_clid in {row[0] for row in landings(house, shop)}
