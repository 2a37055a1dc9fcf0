"""The snippet of today and a collector of yesterday: what release 0.1.0 answered, recorded. The reverse is in e2e, on the real collector."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page
from starlette.responses import JSONResponse, Response

from tests.snippet.conftest import CLICK, FAR, NEAR, Shop, Watch, cookies, moka, storage
from tests.snippet.recording import Post, Recorder

ANSWERS: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "released" / "answers.json").read_text())
REF = ANSWERS["landing"]["body"]["ref"]
TOKEN = ANSWERS["landing, foreign"]["body"]["token"]


def recorded(post: Post) -> Response:
    """The answer to this post, as it was recorded."""
    name = post.kind if post.host == NEAR else f"{post.kind}, foreign"
    if post.body.get("consent") == "denied":
        name = "denied"
    elif post.body.get("event_name") == "Purchase":
        name = "events, a Purchase"
    answer = ANSWERS[name]
    response = JSONResponse(answer["body"], answer["status"])
    for header, value in answer["headers"]:
        if header != "content-type":
            response.headers.append(header, value)
    return response


@pytest.fixture
def yesterday(recorder: Recorder) -> Recorder:
    recorder.replay = recorded
    return recorder


def test_landing_view_event_link_and_ref(
    page: Page, shop: Shop, yesterday: Recorder, watch: Watch, context: BrowserContext
) -> None:
    page.goto(shop.url(f"/moka?{CLICK}"))
    yesterday.wait_for("landing")
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    assert cookies(context)["cnct"]["httpOnly"]
    page.goto(shop.url("/mug"))
    yesterday.wait_for("events")
    assert page.evaluate("() => new Promise(resolve => cnct('ref', resolve))") == REF
    page.evaluate("cnct('link', 'cart_token', 'c1'); cnct('track', 'Purchase', {value: 1, currency: 'USD'})")
    yesterday.wait_for("links")
    yesterday.wait_for("events", 2)
    watch.settle()
    assert watch.sent == ["landing", "events", "links", "events"]
    assert all(post.cookies.get("cnct") == TOKEN for post in yesterday.posts[1:])
    assert storage(page) == []


def test_a_foreign_collectors_token_is_kept_and_sent(
    page: Page, shop: Shop, yesterday: Recorder, watch: Watch, context: BrowserContext
) -> None:
    shop.page("/foreign", moka(), shop.tag(FAR, site="foreign"))
    page.goto(shop.url(f"/foreign?{CLICK}"))
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    assert (cookies(context)["cnct"]["value"], cookies(context)["cnct_ref"]["value"]) == (TOKEN, REF)
    page.evaluate("cnct('track', 'AddToCart')")
    assert yesterday.wait_for("events")[0]["token"] == TOKEN
    watch.settle()
    assert storage(page) == []


def test_a_denial_leaves_nothing(
    page: Page, shop: Shop, yesterday: Recorder, watch: Watch, context: BrowserContext
) -> None:
    page.goto(shop.url(f"/plain?{CLICK}"))
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    page.evaluate("cnct('consent', 'denied')")
    page.wait_for_function("!document.cookie.includes('cnct_ref=')")
    watch.settle()
    assert cookies(context) == {}
    assert storage(page) == []
