"""What the snippet takes from the address of a landing, and when it posts it."""

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page

from tests.snippet.conftest import CLICK, NEAR, SHOP, Shop, Watch, cookies, json_ld, storage
from tests.snippet.recording import BUSINESS, Recorder, ref_of


def test_ids_and_first_view_travel_in_one_simple_post(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, context: BrowserContext
) -> None:
    page.goto(shop.url(f"/moka?{CLICK}"), referer=shop.url("/from", "elsewhere.localhost"))
    [body] = recorder.wait_for("landing")
    watch.settle()
    [post] = recorder.posts
    view = body.pop("view")
    at_ms = body.pop("at_ms")
    assert body == {"query": CLICK, "page_url": shop.url("/moka"), "referrer": shop.url("/from", "elsewhere.localhost")}
    assert abs(at_ms / 1000 - view["event_time"]) <= 2
    assert re.fullmatch(r"\d{1,10}(-\d{1,10}){3}", view.pop("event_id"))
    del view["event_time"]
    assert view == {
        "event_name": "ViewContent",
        "page_url": shop.url("/moka"),
        "custom_data": {"content_ids": ["moka"], "content_type": "product", "value": 39, "currency": "USD"},
    }
    assert (post.host, post.path) == (NEAR, f"/b/{BUSINESS}/landing")
    assert post.headers["content-type"] == "text/plain;charset=UTF-8"
    assert recorder.others == [], "no preflight"
    assert watch.complaints == []
    stored = cookies(context)
    assert stored["cnct_ref"]["value"] == ref_of(CLICK)
    assert storage(page) == [], "answered, so forgotten"


def test_the_post_carries_the_cookies_that_are_there(page: Page, recorder: Recorder, land: Callable[..., None]) -> None:
    land()
    land(query="ctwa_clid=second")
    assert recorder.posts[1].cookies["cnct"] == f"token.{ref_of(CLICK)}"


def test_same_origin_path_posts_below_that_path(page: Page, shop: Shop, recorder: Recorder) -> None:
    shop.page("/proxied", head=shop.tag(SHOP, "/_c/cnct.js"))
    page.goto(shop.url("/proxied?ctwa_clid=x"))
    recorder.wait_for("landing")
    assert (recorder.posts[0].host, recorder.posts[0].path) == (SHOP, f"/_c/b/{BUSINESS}/landing")


def test_the_query_is_sent_as_it_stands(page: Page, shop: Shop, recorder: Recorder, watch: Watch) -> None:
    queries = [
        "ctwa_clid=a%zz&b=%",
        "ctwa_clid=a+b%20c%2Bd",
        "ctwa_clid=first&ctwa_clid=second",
        "utm_source=x&amp;ctwa_clid=abc",
        "utm_source=x&ad_id=1",
        "sendout_id=%F0%9F%98%80%ED%A0%80",
        f"ctwa_clid={'x' * 2048}",
    ]
    for count, query in enumerate(queries, 1):
        page.goto(shop.url(f"/plain?{query}"))
        body = recorder.wait_for("landing", count)[-1]
        assert body["query"] == query
        assert "hash" not in body
        page.wait_for_function("!Object.keys(localStorage).length")
    assert watch.complaints == []


def test_ids_in_the_fragment_bring_the_fragment(page: Page, shop: Shop, recorder: Recorder) -> None:
    fragments = ["ctwa_clid=a", "/p/1?ctwa_clid=a%", "/p&ad_id=7", "top?x=1;sendout_id=2"]
    for count, fragment in enumerate(fragments, 1):
        page.goto(shop.url(f"/plain?utm_source={count}#{fragment}"))
        body = recorder.wait_for("landing", count)[-1]
        assert (body["query"], body["hash"]) == (f"utm_source={count}", fragment)
        page.wait_for_function("!Object.keys(localStorage).length")


def test_a_fragment_without_ids_stays_in_the_browser(page: Page, shop: Shop, recorder: Recorder) -> None:
    page.goto(shop.url("/plain?ctwa_clid=a#access_token=secret"))
    [body] = recorder.wait_for("landing")
    assert "secret" not in str(body)


def test_without_ids_nothing_is_sent_or_stored(page: Page, shop: Shop, watch: Watch, context: BrowserContext) -> None:
    for address in (
        "/moka",
        "/moka?utm_source=x&fbclid=IwAR1",
        "/moka?CTWA_CLID=a",
        "/moka?xctwa_clid=a&broad_id=1",
        "/moka?ctwa_clid=&ad_id=",
        "/moka?ctwa_clid",
        "/moka?q=ctwa_clid#/ad_id",
        "/moka?ctwa%5Fclid=a",
    ):
        page.goto(shop.url(address))
        page.evaluate("cnct('view', {content_ids: ['1']}); cnct('track', 'AddToCart'); cnct('link', 'cart_token', '1')")
        page.evaluate("history.pushState(0, '', '/mug')")
        watch.settle()
        assert watch.sent == [], address
        assert cookies(context) == {}
        assert storage(page) == []
    assert watch.complaints == []


def test_a_value_of_100_kilobytes_disturbs_nobody(page: Page, shop: Shop, watch: Watch) -> None:
    page.goto(shop.url(f"/plain#ctwa_clid={'x' * 100_000}"))
    watch.settle()
    assert page.title() == "/plain"
    assert watch.complaints == []
    assert storage(page) == [], "more than the outbox may hold"


def test_a_view_of_100_kilobytes_does_not_cost_the_landing(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    large = json_ld({"@type": "Product", "sku": "x" * 100_000})
    shop.page("/large", large)
    page.goto(shop.url(f"/large?{CLICK}"))
    [body] = recorder.wait_for("landing")
    assert (body["query"], "view" in body) == (CLICK, False)
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    for call in ("'view', {content_ids: [x]}", "'track', 'AddToCart', {name: x}", "'link', 'cart_token', x"):
        page.evaluate(f"const x = 'x'.repeat(100_000); cnct({call})")
    watch.settle()
    assert watch.sent == ["landing"]
    assert storage(page) == []
    assert watch.complaints == []


def test_leaving_in_the_same_tick_loses_nothing(
    page: Page, shop: Shop, recorder: Recorder, context: BrowserContext
) -> None:
    shop.page("/leave", head=shop.tag() + "<script>location.href = '/plain'</script>")
    page.goto(shop.url(f"/leave?{CLICK}"))
    page.wait_for_url("**/plain")
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    assert {body["query"] for body in recorder.bodies("landing")} == {CLICK}
    assert cookies(context)["cnct"]["httpOnly"]


def test_leaving_before_the_document_is_complete_posts_the_landing(page: Page, shop: Shop, recorder: Recorder) -> None:
    shop.page("/half", '<script src="/slow"></script>' + "<p>never parsed</p>")
    page.goto(shop.url(f"/half?{CLICK}"), wait_until="commit")
    page.wait_for_function("window.cnct && cnct.version")
    assert recorder.posts == []
    page.evaluate("void setTimeout(() => location.href = '/plain')")  # not within the call: its answer would get lost
    [body, *_] = recorder.wait_for("landing")
    assert body["query"] == CLICK
    page.wait_for_url("**/plain")  # a page that is still on its way can hold up the end of the test


def test_a_router_that_strips_the_address_first_is_too_late(page: Page, shop: Shop, recorder: Recorder) -> None:
    shop.page("/spa", head="<script>history.replaceState(0, '', '/app')</script>" + shop.tag())
    page.goto(shop.url(f"/spa?{CLICK}#/p?x=1"))
    [body] = recorder.wait_for("landing")
    assert (body["query"], body["page_url"]) == (CLICK, shop.url("/app"))


def test_the_addresss_own_ids_win_over_remembered_ones(page: Page, shop: Shop, recorder: Recorder) -> None:
    shop.page("/spa", head="<script>history.replaceState(0, '', '?ctwa_clid=new')</script>" + shop.tag())
    page.goto(shop.url("/spa?ctwa_clid=old"))
    assert recorder.wait_for("landing")[0]["query"] == "ctwa_clid=new"


def test_a_landing_that_names_no_click_leaves_no_trace(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, context: BrowserContext
) -> None:
    recorder.sets_cookies = False
    page.goto(shop.url("/moka?ad_id=1"))
    recorder.wait_for("landing")
    page.wait_for_function("!Object.keys(localStorage).length")
    page.goto(shop.url("/mug"))
    watch.settle()
    assert watch.sent == ["landing"]
    assert cookies(context) == {}


def test_a_router_that_strips_the_fragment_while_the_page_loads_is_too_late(
    page: Page, shop: Shop, recorder: Recorder
) -> None:
    page.add_init_script("performance.getEntries = () => []")  # not every browser remembers the fragment
    shop.page("/spa", "<script>history.replaceState(0, '', '/app#/home')</script>")
    page.goto(shop.url(f"/spa#/p/1?{CLICK}"))
    assert recorder.wait_for("landing")[0]["hash"] == f"/p/1?{CLICK}"


def test_a_view_that_cannot_be_sent_does_not_cost_the_landing(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    stub = "<script>window.cnct=function(){(cnct.q=cnct.q||[]).push(arguments)}</script>"
    for number, data in enumerate(("value: 1n", "self: window", "get value() { throw 1; }", "toJSON() { throw 1; }")):
        call = f"<script>cnct('view', {{content_ids: ['1'], {data}}})</script>"
        shop.page(f"/mad/{number}", head=stub + call + shop.tag())
        page.goto(shop.url(f"/mad/{number}?ctwa_clid={number}"))
        assert recorder.wait_for("landing", number + 1)[-1]["query"] == f"ctwa_clid={number}"
        page.wait_for_function("!Object.keys(localStorage).length")
    assert watch.complaints == []
