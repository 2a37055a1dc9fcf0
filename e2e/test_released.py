"""Every released snippet works with the collector of today: shops pin a release, and phones keep it in their cache."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import BrowserContext, Page

from collector.snippet_files import snippet_directory
from e2e.conftest import Stage, eventually
from e2e.test_journey import cookies, land, new_click, pay

RELEASED = sorted(path.name for path in (snippet_directory() / "released").glob("*.js"))


@pytest.fixture(params=RELEASED)
def pinned(stage: Stage, request: pytest.FixtureRequest) -> Iterator[Stage]:
    """The stage, its shop's tags naming a released snippet."""
    current = stage.shop.tags
    stage.shop.tags = {name: tag.replace("cnct.js", request.param) for name, tag in current.items()}
    yield stage
    stage.shop.tags = current


def test_there_is_a_release_to_try() -> None:
    assert RELEASED


def test_from_landing_to_order_and_denial(page: Page, context: BrowserContext, pinned: Stage) -> None:
    """Landing with its view, a second page, another event, the ref, a link, the order; then the visitor denies."""
    click_id = new_click()
    land(page, pinned, "/product/moka", click_id)
    with page.expect_response(lambda answer: answer.url.endswith("/events")) as sent:
        page.goto(pinned.url("/product/mug"))
    assert sent.value.status == 200
    with page.expect_response(lambda answer: answer.url.endswith("/events")) as tracked:
        page.evaluate("cnct('track', 'AddToCart', {content_ids: ['mug'], value: 39, currency: 'USD'})")
    assert tracked.value.status == 200
    assert page.evaluate("() => new Promise(resolve => cnct('ref', resolve))") == cookies(context)["cnct_ref"]["value"]
    with page.expect_response(lambda answer: answer.url.endswith("/links")) as linked:
        page.evaluate("cnct('link', 'cart_token', 'cart-1')")
    assert linked.value.json() == {"linked": True}
    assert pay(page, f"ORD-{click_id}") == 200
    pinned.wait_for_events(click_id, "ViewContent", "ViewContent", "AddToCart", "Purchase")
    with page.expect_response(lambda answer: answer.url.endswith("/landing")) as denied:
        page.evaluate("cnct('consent', 'denied')")
    assert denied.value.headers["x-collector-reason"] == "consent-denied"
    eventually(lambda: cookies(context) == {} or None, lambda: "no cookie")
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_with_a_foreign_collector(page: Page, context: BrowserContext, pinned: Stage) -> None:
    """The token of today's collector is kept by the released snippet, and carries the next view."""
    context.add_cookies([{"name": "site", "value": "foreign", "url": pinned.url("/")}])
    click_id = new_click()
    land(page, pinned, "/plain", click_id)
    eventually(lambda: cookies(context).get("cnct_ref"), lambda: "the cookie")
    with page.expect_response(lambda answer: answer.url.endswith("/events")) as sent:
        page.goto(pinned.url("/product/mug"))
    assert sent.value.status == 200
    pinned.wait_for_events(click_id, "ViewContent")
