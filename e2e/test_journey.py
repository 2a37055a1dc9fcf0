"""From the landing link to the Purchase, in a real browser, over TLS, with real processes."""

import uuid

import pytest
from playwright.sync_api import BrowserContext, Page

from e2e.conftest import CHECKOUT, FAR, SHOP, Stage, Watch, eventually


def new_click() -> str:
    """A click id that no other test uses."""
    return f"AR{uuid.uuid4().hex}{uuid.uuid4().hex}"


def campaign(click_id: str) -> dict[str, str]:
    """What Connectly appends to a campaign's link."""
    return {
        "cnct_tracking_id": "visitor-1",
        "sendout_id": "campaign-1",
        "ctwa_clid": click_id,
        "ad_id": "120210000000000001",
        "attribution_source": "meta_ctwa",
    }


def cookies(context: BrowserContext) -> dict[str, dict[str, object]]:
    """The profile's cookies by name."""
    return {str(cookie["name"]): dict(cookie) for cookie in context.cookies() if "name" in cookie}


def land(page: Page, stage: Stage, path: str, click_id: str) -> None:
    """Open a landing page and wait for the collector's answer."""
    with page.expect_response(lambda answer: answer.url.endswith("/landing")) as landed:
        page.goto(stage.url(path, **campaign(click_id)))
    assert landed.value.status == 200


def pay(page: Page, order_id: str) -> int:
    """Order on the page's own host, as a checkout's script would."""
    status: int = page.evaluate(
        """async order_id => (await (await fetch('/pay', {method: 'POST', body: JSON.stringify({order_id})})).json()).status""",
        order_id,
    )
    return status


def test_landing_to_purchase(page: Page, context: BrowserContext, stage: Stage, watch: Watch) -> None:
    """One tag and one server call: ViewContent and Purchase arrive with the click id; nothing on the page complains."""
    click_id = new_click()
    land(page, stage, "/product/moka", click_id)
    stored = cookies(context)
    assert stored["cnct"]["httpOnly"]
    assert stored["cnct"]["secure"]
    assert stored["cnct"]["sameSite"] == "Lax"
    assert stored["cnct"]["domain"] == ".merchant.example"
    assert not stored["cnct_ref"]["httpOnly"]
    assert pay(page, f"ORD-{click_id}") == 200
    view, purchase = sorted(
        stage.wait_for_events(click_id, "ViewContent", "Purchase"), key=lambda event: event["event_name"], reverse=True
    )
    assert view["custom_data"]["content_ids"] == ["moka"]
    assert purchase["event_id"] == f"ORD-{click_id}"
    assert purchase["custom_data"] == {
        "currency": "USD", "value": 78, "order_id": f"ORD-{click_id}", "num_items": 2,
    }  # fmt: skip
    assert watch.paths() == ["landing"], "landing and first view travel together"
    assert watch.complaints == []


def test_second_page_and_checkout_subdomain(page: Page, stage: Stage, watch: Watch) -> None:
    """Page 2 has no query and still sends its view; the server of the checkout subdomain gets the cookie."""
    click_id = new_click()
    land(page, stage, "/plain", click_id)
    with page.expect_response(lambda answer: answer.url.endswith("/events")) as sent:
        page.goto(stage.url("/product/mug"))
    assert sent.value.status == 200
    page.goto(stage.url("/checkout", host=CHECKOUT))
    assert pay(page, f"ORD-{click_id}") == 200
    visit = stage.shop.visits[-1]
    assert visit.host == CHECKOUT
    assert visit.cookies["cnct"]
    stage.wait_for_events(click_id, "ViewContent", "Purchase")


def test_foreign_collector(page: Page, context: BrowserContext, stage: Stage, watch: Watch) -> None:
    """The collector on another site: no cookie of its own, the snippet writes the shop's, the token carries page 2 and the order."""
    context.add_cookies([{"name": "site", "value": "foreign", "url": stage.url("/")}])
    click_id = new_click()
    land(page, stage, "/plain", click_id)
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    assert [cookie for cookie in context.cookies() if cookie.get("domain", "").endswith(FAR)] == []
    with page.expect_response(lambda answer: answer.url.endswith("/events")) as sent:
        page.goto(stage.url("/product/mug"))
    assert sent.value.status == 200
    assert pay(page, f"ORD-{click_id}") == 200
    stage.wait_for_events(click_id, "ViewContent", "Purchase")
    assert all(request.url.startswith(stage.far) for request in watch.posts)
    assert watch.complaints == []


def test_click_away_in_the_same_tick(page: Page, context: BrowserContext, stage: Stage) -> None:
    """The page is left before anything was answered: landing and cookie survive."""
    click_id = new_click()
    page.goto(stage.url("/leave", **campaign(click_id)))
    page.wait_for_url("**/plain")
    eventually(lambda: cookies(context).get("cnct"), lambda: "the cookie")
    assert pay(page, f"ORD-{click_id}") == 200
    stage.wait_for_events(click_id, "Purchase")


def test_no_ids_no_cookie_no_request(page: Page, context: BrowserContext, stage: Stage, watch: Watch) -> None:
    """A visitor without a campaign costs the shop nothing: no cookie, no storage, no request beyond the script."""
    for path in ("/product/moka", "/plain", "/product/mug"):
        page.goto(stage.url(path, utm_source="x", fbclid="IwAR1"), wait_until="networkidle")
        assert page.evaluate("typeof cnct") == "function", "the snippet did run"
    assert watch.posts == []
    assert cookies(context) == {}
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0


def test_tampered_cookie(page: Page, context: BrowserContext, stage: Stage) -> None:
    """An altered token credits nothing: the event is not stored, the order is kept and not sent."""
    click_id = new_click()
    land(page, stage, "/plain", click_id)
    cookie = next(dict(each) for each in context.cookies() if each.get("name") == "cnct")
    forged = str(cookie["value"]).replace("AR", "AX", 1)
    context.add_cookies([{"name": "cnct", "value": forged, "domain": ".merchant.example", "path": "/", "secure": True}])
    with page.expect_response(lambda answer: answer.url.endswith("/events")) as sent:
        page.goto(stage.url("/product/mug"))
    assert sent.value.headers["x-collector-reason"] == "token-forged"
    assert pay(page, f"ORD-{click_id}") == 200
    answer = stage.shop.answers[-1]
    assert answer.headers["x-delivery-state"] == "unmatched"
    assert answer.headers["x-collector-reason"] == "token-forged"
    assert stage.events(click_id) == []
    assert stage.events(click_id.replace("AR", "AX", 1)) == []


def test_second_campaign_wins(page: Page, stage: Stage) -> None:
    """The last click gets the credit; the first gets none."""
    first, second = new_click(), new_click()
    land(page, stage, "/plain", first)
    land(page, stage, "/plain", second)
    assert pay(page, f"ORD-{second}") == 200
    stage.wait_for_events(second, "Purchase")
    assert stage.events(first) == []


def test_strict_policy(page: Page, stage: Stage, watch: Watch) -> None:
    """Under a strict content security policy with Trusted Types nothing is refused."""
    page.add_init_script(
        "window.refused = []; addEventListener('securitypolicyviolation', event => refused.push(event.violatedDirective));"
    )
    land(page, stage, "/product/moka", new_click())
    assert page.evaluate("refused") == []
    assert watch.complaints == []


def test_collector_down(lone_stage: Stage, page: Page, context: BrowserContext) -> None:
    """While the collector is down the shop is unaffected; the next page catches up, the view under its first id and time."""
    click_id = new_click()
    page.goto(lone_stage.url("/plain"))  # the script is cached now, as on any shop that was visited before
    lone_stage.collector.kill()
    page.goto(lone_stage.url("/product/moka", **campaign(click_id)))
    assert page.locator("h1").inner_text() == "Moka"
    assert page.evaluate("document.documentElement.dataset.ready") == "yes"
    page.wait_for_function("Object.keys(localStorage).length > 0")
    assert cookies(context) == {}
    lone_stage.collector.start()
    with page.expect_response(lambda answer: answer.url.endswith("/landing")) as landed:
        page.goto(lone_stage.url("/plain"))
    assert landed.value.status == 200
    eventually(lambda: cookies(context).get("cnct"), lambda: "the cookie")
    [view] = lone_stage.wait_for_events(click_id, "ViewContent")
    assert view["custom_data"]["content_ids"] == ["moka"]


@pytest.mark.parametrize("host", [SHOP, CHECKOUT])
def test_orders_without_a_campaign_are_not_credited(page: Page, stage: Stage, host: str) -> None:
    """A shopper who never clicked an ad: the order is refused by name, nothing is sent."""
    page.goto(stage.url("/plain", host=host))
    before = len(stage.shop.answers)
    assert pay(page, "ORD-nobody") == 400
    assert stage.shop.answers[before].json()["error"]["details"][0]["field"] == "attribution_token"
