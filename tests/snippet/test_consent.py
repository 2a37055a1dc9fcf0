"""Consent: pending neither writes cookies nor erases nor loses anything, denied erases, and the browser's own signal is heard."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.snippet.conftest import CLICK, FAR, Shop, Watch, cookies, moka, storage
from tests.snippet.recording import Recorder, ref_of


@pytest.fixture
def asking(shop: Shop) -> Shop:
    """A shop whose consent tool has no answer yet."""
    for path, body in (("/ask", moka()), ("/ask/mug", moka("mug")), ("/ask/plain", "")):
        shop.page(path, body, shop.tag(consent="pending"))
    return shop


def test_pending_sends_nothing_and_sets_no_cookie(
    page: Page, asking: Shop, watch: Watch, context: BrowserContext
) -> None:
    page.goto(asking.url(f"/ask?{CLICK}"))
    page.evaluate("cnct('track', 'AddToCart')")
    watch.settle()
    assert watch.sent == []
    assert cookies(context) == {}
    assert page.evaluate("Object.keys(localStorage)") == [], "only this tab remembers"


def test_a_grant_sends_what_was_kept_back_with_its_own_time(
    page: Page, asking: Shop, watch: Watch, recorder: Recorder
) -> None:
    page.goto(asking.url(f"/ask?{CLICK}"))
    arrived = page.evaluate("Date.now()")
    watch.settle(30_000)
    page.evaluate("cnct('consent', 'granted')")
    [body] = recorder.wait_for("landing")
    assert (body["query"], body["consent"]) == (CLICK, "granted")
    assert body["view"]["custom_data"]["content_ids"] == ["moka"]
    assert abs(body["at_ms"] - arrived) < 5_000
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    assert storage(page) == []
    page.evaluate("cnct('track', 'AddToCart')")
    assert recorder.wait_for("events")[0]["consent"] == "granted"


def test_a_grant_after_soft_and_hard_navigation_loses_nothing(
    page: Page, asking: Shop, watch: Watch, recorder: Recorder
) -> None:
    page.goto(asking.url(f"/ask?{CLICK}"))
    page.evaluate("history.pushState(0, '', '/ask/soft')")
    watch.settle()
    page.goto(asking.url("/ask/mug"))
    page.goto(asking.url("/ask/plain"))
    watch.settle()
    assert watch.sent == []
    page.evaluate("cnct('consent', 'granted')")
    recorder.wait_for("events", 2)
    assert recorder.bodies("landing")[0]["query"] == CLICK
    paths = [(view["page_url"], view["custom_data"]["content_ids"]) for view in recorder.views()]
    assert sorted(paths) == [
        (asking.url("/ask"), ["moka"]), (asking.url("/ask/mug"), ["mug"]), (asking.url("/ask/soft"), ["moka"]),
    ]  # fmt: skip
    assert {event["consent"] for event in recorder.bodies("events")} == {"granted"}


def test_a_page_that_starts_granted_sends_what_an_earlier_one_kept_back(
    page: Page, asking: Shop, recorder: Recorder
) -> None:
    page.goto(asking.url(f"/ask?{CLICK}"))
    asking.page("/granted", head=asking.tag(consent="granted"))
    page.goto(asking.url("/granted"))
    assert recorder.wait_for("landing")[0]["query"] == CLICK


def test_pending_erases_nothing(
    page: Page, asking: Shop, watch: Watch, recorder: Recorder, context: BrowserContext, land: Callable[..., None]
) -> None:
    land()
    page.goto(asking.url("/ask/mug"))
    watch.settle()
    assert watch.sent == ["landing"]
    assert cookies(context)["cnct_ref"]["value"] == ref_of(CLICK)
    page.evaluate("cnct('consent', 'granted')")
    assert recorder.wait_for("events")[0]["custom_data"]["content_ids"] == ["mug"]


def test_denied_without_a_click_is_silent_and_leaves_nothing(
    page: Page, asking: Shop, watch: Watch, context: BrowserContext
) -> None:
    page.goto(asking.url(f"/ask?{CLICK}"))
    page.evaluate("cnct('consent', 'denied'); cnct('track', 'AddToCart')")
    page.goto(asking.url("/ask/mug"))
    page.evaluate("cnct('consent', 'granted')")
    watch.settle()
    assert watch.sent == []
    assert cookies(context) == {}
    assert storage(page) == []


def test_denied_with_a_click_asks_the_collector_to_erase_it_once(
    page: Page, shop: Shop, watch: Watch, recorder: Recorder, context: BrowserContext, land: Callable[..., None]
) -> None:
    land()
    shop.page("/denied", moka(), shop.tag(consent="denied"))
    page.goto(shop.url(f"/denied?{CLICK}"))
    page.wait_for_function("!document.cookie.includes('cnct_ref=')")
    assert recorder.bodies("landing")[1:] == [{"query": "", "consent": "denied"}]
    page.evaluate("cnct('view', {content_ids: ['1']}); cnct('link', 'cart_token', '1')")
    page.goto(shop.url("/denied"))
    watch.settle()
    assert watch.sent == ["landing", "landing"]
    assert cookies(context) == {}
    assert storage(page) == []


def test_a_denial_on_its_way_is_not_told_twice(
    page: Page, recorder: Recorder, watch: Watch, land: Callable[..., None]
) -> None:
    land()
    recorder.answers = ["hang"]
    page.evaluate("cnct('consent', 'denied'); cnct('consent', 'denied'); cnct('track', 'AddToCart')")
    watch.settle()
    assert watch.sent == ["landing", "landing"]


def test_a_denial_that_failed_is_told_again(
    page: Page, shop: Shop, recorder: Recorder, land: Callable[..., None]
) -> None:
    land()
    shop.page("/denied", head=shop.tag(consent="denied"))
    recorder.answers = [503]
    page.goto(shop.url("/denied"))
    recorder.wait_for("landing", 2)
    page.goto(shop.url("/denied"))
    page.wait_for_function("!document.cookie.includes('cnct_ref=')")


def test_a_change_of_mind_on_the_landing_page_is_heard(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    shop.page("/denied", moka(), shop.tag(consent="denied"))
    page.goto(shop.url(f"/denied?{CLICK}"))
    watch.settle()
    assert watch.sent == []
    page.evaluate("cnct('consent', 'granted')")
    [body] = recorder.wait_for("landing")
    assert (body["query"], body["consent"]) == (CLICK, "granted")


def test_global_privacy_control_counts_as_denied(
    page: Page, shop: Shop, watch: Watch, context: BrowserContext, recorder: Recorder
) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    page.goto(shop.url(f"/moka?{CLICK}"))
    page.evaluate("cnct('consent', 'granted')")
    watch.settle()
    assert watch.sent == []
    assert cookies(context) == {}
    assert storage(page) == []


def test_denied_erases_the_cookies_that_the_snippet_wrote_itself(
    page: Page, shop: Shop, recorder: Recorder, context: BrowserContext
) -> None:
    shop.page("/foreign", head=shop.tag(FAR, site="foreign"))
    page.goto(shop.url(f"/foreign?{CLICK}"))
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    page.evaluate("cnct('consent', 'denied')")
    assert page.evaluate("document.cookie") == ""
    assert recorder.wait_for("landing", 2)[1] == {
        "query": "", "consent": "denied", "token": f"token.{ref_of(CLICK)}",
    }  # fmt: skip


def test_a_landing_answered_after_the_denial_leaves_no_cookie_of_ours(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    shop.page("/foreign", head=shop.tag(FAR, site="foreign"))
    recorder.answers = ["hang"]
    page.goto(shop.url(f"/foreign?{CLICK}"))
    recorder.wait_for("landing")
    page.evaluate("cnct('consent', 'denied')")
    with page.expect_response("**/landing"):
        recorder.released.set()
    watch.settle()
    assert page.evaluate("document.cookie") == ""


def test_a_landing_answered_after_the_denial_leaves_no_cookie_of_the_collectors(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, context: BrowserContext
) -> None:
    recorder.answers = ["hang"]
    page.goto(shop.url(f"/moka?{CLICK}"))
    recorder.wait_for("landing")
    page.evaluate("cnct('consent', 'denied')")
    recorder.released.set()
    assert recorder.wait_for("landing", 2)[1] == {"query": "", "consent": "denied"}
    page.wait_for_function("!document.cookie.includes('cnct_ref=')")
    watch.settle()
    assert cookies(context) == {}
    assert storage(page) == []


def test_a_denial_that_changes_nothing_is_not_told_for_ever(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, land: Callable[..., None]
) -> None:
    land()
    page.evaluate("document.cookie = 'cnct_ref=planted; path=/plain'")
    page.evaluate("cnct('consent', 'denied')")
    recorder.wait_for("landing", 2)
    watch.settle()
    assert len(recorder.bodies("landing")) == 2


def test_what_was_denied_is_not_told_after_a_change_of_mind(
    page: Page, shop: Shop, recorder: Recorder, land: Callable[..., None]
) -> None:
    land()
    page.evaluate("cnct('consent', 'denied')")
    page.wait_for_function("!document.cookie.includes('cnct_ref=')")
    page.evaluate("cnct('consent', 'granted')")
    assert page.evaluate("() => new Promise(resolve => cnct('ref', resolve))") is None
