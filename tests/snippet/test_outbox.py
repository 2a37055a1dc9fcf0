"""What could not be delivered is kept, bounded, and delivered later under the same id."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.snippet.conftest import CLICK, FAR, Shop, Watch, cookies, storage
from tests.snippet.recording import Recorder

WEEK_MS = 7 * 24 * 3600 * 1000


def kept(page: Page) -> list[list[Any]]:
    """The outbox: paths and bodies, oldest first."""
    items: list[list[Any]] = page.evaluate(
        "Object.keys(localStorage).filter(key => key.startsWith('cnct_box:')).sort().map(key => JSON.parse(localStorage[key]))"
    )
    return items


def age(page: Page, ms: int) -> None:
    """Make what is kept older."""
    page.evaluate(
        """ms => Object.keys(localStorage).forEach(key => {
            const [box, at, random] = key.split(':');
            localStorage[[box, at - ms, random].join(':')] = localStorage[key];
            delete localStorage[key];
        })""",
        ms,
    )


@pytest.mark.parametrize("failure", [500, 503, 429, "refused"])
def test_a_landing_that_failed_is_posted_by_the_next_page(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, context: BrowserContext, failure: int | str
) -> None:
    if failure == "refused":
        page.route("**/landing", lambda route: route.abort("connectionrefused"))
    else:
        recorder.answers = [failure, failure] if isinstance(failure, int) else []
    page.goto(shop.url(f"/moka?{CLICK}"))
    page.wait_for_function("Object.keys(localStorage).length == 1")
    page.evaluate("cnct('link', 'cart_token', 'c1')")
    watch.settle()
    page.unroute_all()
    [first, second] = kept(page)
    assert first[0].endswith("/landing")
    assert second[1] == {"kind": "cart_token", "id": "c1"}
    page.goto(shop.url("/plain"))
    recorder.wait_for("links")
    page.wait_for_function("!Object.keys(localStorage).length")
    assert recorder.bodies("landing")[-1] == first[1], "the same ids, view and time as at first"
    assert [post.kind for post in recorder.posts][-2:] == ["landing", "links"]
    assert recorder.posts[-1].cookies["cnct"], "what followed the landing waited for its cookie"
    assert cookies(context)["cnct_ref"]


def test_a_landing_over_the_rate_has_its_cookie_at_once_and_its_view_later(
    page: Page, shop: Shop, recorder: Recorder, context: BrowserContext
) -> None:
    recorder.answers = ["shed"]
    page.goto(shop.url(f"/moka?{CLICK}"))
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    [[_, body]] = kept(page)
    assert body["view"]["custom_data"]["content_ids"] == ["moka"]
    assert page.evaluate("() => new Promise(resolve => cnct('ref', resolve))") == cookies(context)["cnct_ref"]["value"]
    page.goto(shop.url("/plain"))
    page.wait_for_function("!Object.keys(localStorage).length")
    assert recorder.bodies("landing")[-1] == body
    assert len(recorder.views()) == 1


def test_what_the_collector_refuses_or_misunderstands_is_dropped(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, land: Callable[..., None]
) -> None:
    land()
    answers: list[int | str] = [400, 403, 404, 413, "html", "null"]
    for count, answer in enumerate(answers, 1):
        recorder.answers = [answer]
        page.evaluate("cnct('track', 'Purchase', {value: 1})")
        recorder.wait_for("events", count)
    watch.settle()
    page.goto(shop.url("/plain"))
    watch.settle()
    assert len(recorder.bodies("events")) <= len(answers) + 1, "none comes again and again"
    assert [message for message in watch.complaints if "status of 4" not in message] == []


def test_events_wait_for_the_landings_answer(page: Page, shop: Shop, recorder: Recorder, watch: Watch) -> None:
    recorder.answers = ["hang"]
    page.goto(shop.url(f"/plain?{CLICK}"))
    recorder.wait_for("landing")
    page.evaluate("cnct('view', {content_ids: ['1']}); cnct('link', 'checkout_id', 'c1')")
    watch.settle()
    assert watch.sent == ["landing"]
    recorder.released.set()
    recorder.wait_for("links")
    recorder.wait_for("events")
    assert all(post.cookies.get("cnct") for post in recorder.posts[1:])


def test_what_was_called_before_the_script_came_waits_for_the_landing_too(
    page: Page, shop: Shop, recorder: Recorder
) -> None:
    stub = "<script>window.cnct=function(){(cnct.q=cnct.q||[]).push(arguments)}</script>"
    calls = "<script>for (const id of ['1', '2']) cnct('view', {content_ids: [id]}); cnct('link', 'cart_token', 'c1')</script>"
    shop.page("/queued", head=stub + calls + shop.tag())
    page.goto(shop.url(f"/queued?{CLICK}"))
    recorder.wait_for("links")
    recorder.wait_for("events")
    assert recorder.posts[0].kind == "landing"
    assert all(post.cookies.get("cnct") for post in recorder.posts[1:])


def test_a_collector_that_hangs_loses_nothing(page: Page, shop: Shop, recorder: Recorder) -> None:
    recorder.answers = ["hang"]
    page.goto(shop.url(f"/moka?{CLICK}"))
    recorder.wait_for("landing")
    page.goto(shop.url("/plain"))
    first, second = recorder.wait_for("landing", 2)
    assert first == second
    page.wait_for_function("document.cookie.includes('cnct_ref=')")


def test_events_that_failed_go_out_when_the_browser_is_online_again(
    page: Page, recorder: Recorder, context: BrowserContext, land: Callable[..., None]
) -> None:
    land()
    context.set_offline(True)
    with page.expect_event("requestfailed"):
        page.evaluate("cnct('track', 'AddToCart', {value: 1})")
    [item] = kept(page)
    assert recorder.bodies("events") == []
    context.set_offline(False)
    assert recorder.wait_for("events") == [item[1]]
    page.wait_for_function("!Object.keys(localStorage).length")


def test_leaving_the_page_tries_once_more(
    page: Page, recorder: Recorder, watch: Watch, land: Callable[..., None]
) -> None:
    land()
    recorder.answers = [503]
    page.evaluate("cnct('track', 'AddToCart')")
    recorder.wait_for("events")
    watch.settle()
    page.goto("about:blank")
    first, second = recorder.wait_for("events", 2)
    assert first == second


def test_the_outbox_holds_twenty_items_and_16000_characters(
    page: Page, watch: Watch, recorder: Recorder, context: BrowserContext, land: Callable[..., None]
) -> None:
    land()
    context.set_offline(True)
    page.evaluate("for (let i = 0; i < 30; i++) cnct('track', 'AddToCart', {value: i})")
    # Events of one millisecond have no order among themselves.
    assert sorted(item[1]["custom_data"]["value"] for item in kept(page)) == list(range(20))
    page.evaluate(
        "localStorage.clear(); for (let i = 0; i < 10; i++) cnct('track', 'AddToCart', {n: 'x'.repeat(5000)})"
    )
    assert 2 <= len(kept(page)) <= 3
    assert page.evaluate("JSON.stringify(localStorage).length") < 17_000


def test_what_is_older_than_seven_days_is_forgotten(
    page: Page, shop: Shop, watch: Watch, context: BrowserContext, land: Callable[..., None]
) -> None:
    land()
    context.set_offline(True)
    with page.expect_event("requestfailed"):
        page.evaluate("cnct('track', 'AddToCart')")
    for ms, left in ((WEEK_MS - 60_000, 1), (120_000, 0)):
        age(page, ms)
        page.evaluate("cnct('ref', () => {})")
        assert len(kept(page)) == left
    context.set_offline(False)
    del watch.sent[:]
    page.goto(shop.url("/plain"))
    watch.settle()
    assert watch.sent == []


def test_two_tabs_do_not_overwrite_each_other(
    page: Page, shop: Shop, context: BrowserContext, recorder: Recorder, land: Callable[..., None]
) -> None:
    land()
    other = context.new_page()
    other.goto(shop.url("/plain"))
    context.set_offline(True)
    for tab, value in ((page, 1), (other, 2), (page, 3)):
        with tab.expect_event("requestfailed"):
            tab.evaluate("value => cnct('track', 'AddToCart', {value})", value)
    assert [item[1]["custom_data"]["value"] for item in kept(page)] == [1, 2, 3]


BLOCKED = """for (const name of ['localStorage', 'sessionStorage'])
  Object.defineProperty(window, name, {get() { throw new DOMException('blocked', 'SecurityError'); }});"""
FULL = """addEventListener('DOMContentLoaded', () => {
  for (const store of [localStorage, sessionStorage])
    for (let size = 1 << 22; size; size >>= 1)
      try { for (;;) store['filler' + Math.random()] = 'x'.repeat(size); } catch {}
}, true);"""


@pytest.mark.parametrize("state", [BLOCKED, FULL], ids=["blocked", "full"])
def test_storage_that_is_blocked_or_full_is_survived(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, state: str
) -> None:
    page.add_init_script(state)
    page.goto(shop.url(f"/moka?{CLICK}"))
    [body] = recorder.wait_for("landing")
    assert body["view"]
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    page.evaluate("cnct('track', 'AddToCart')")
    recorder.wait_for("events")
    assert watch.complaints == []


def test_nobody_elses_storage_is_touched(page: Page, watch: Watch, land: Callable[..., None]) -> None:
    land()
    page.evaluate(
        "for (const name of ['denied', 'landing', 'cnct', 'cart']) localStorage[name] = sessionStorage[name] = 'shop'"
    )
    page.evaluate("cnct('track', 'AddToCart'); cnct('consent', 'denied')")
    watch.settle()
    assert sorted(storage(page)) == sorted(["denied", "landing", "cnct", "cart"] * 2)


def test_a_failed_foreign_landing_is_caught_up_too(
    page: Page, shop: Shop, recorder: Recorder, context: BrowserContext
) -> None:
    for path in ("/one", "/two"):
        shop.page(path, head=shop.tag(FAR, site="foreign"))
    recorder.answers = [502]
    page.goto(shop.url(f"/one?{CLICK}"))
    recorder.wait_for("landing")
    page.goto(shop.url("/two"))
    page.wait_for_function("document.cookie.includes('cnct=token.')")


def test_an_outbox_full_of_events_still_takes_a_landing(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, land: Callable[..., None]
) -> None:
    land()
    page.route("**/b/**", lambda route: route.abort("connectionrefused"))
    page.evaluate("for (let i = 0; i < 30; i++) cnct('track', 'AddToCart', {value: i})")
    assert len(kept(page)) == 20
    page.goto(shop.url("/plain?ctwa_clid=second"))
    page.wait_for_function("Object.keys(localStorage).length == 21")
    watch.settle()
    page.unroute_all()
    page.goto(shop.url("/plain"))
    recorder.wait(lambda: any(body["query"] == "ctwa_clid=second" for body in recorder.bodies("landing")), "landing")


def test_the_shops_own_storage_is_not_read(
    page: Page, shop: Shop, recorder: Recorder, land: Callable[..., None]
) -> None:
    """A shop may keep megabytes there."""
    page.add_init_script(
        "window.read = []; localStorage['other'] = 1;"
        "const real = Object.getOwnPropertyDescriptor(window, 'localStorage').get.call(window);"
        "Object.defineProperty(window, 'localStorage', {value: new Proxy(real, {"
        "get(store, name) { read.push(name); return store[name]; },"
        "set(store, name, value) { store[name] = value; return true; }})})"
    )
    page.goto(shop.url(f"/moka?{CLICK}"))
    recorder.wait_for("landing")
    assert "other" not in page.evaluate("read.map(String)")
