"""The small files beside the snippet: forms, links, carts and consent tools."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route

from tests.snippet.conftest import CLICK, Shop, Watch
from tests.snippet.recording import DIST, Recorder, ref_of

REF = ref_of(CLICK)
STUB = (DIST.parent / "stub.js").read_text()


def extra(name: str, **data: str) -> str:
    """The tag of one of the files."""
    attributes = "".join(f' data-{key}="{value}"' for key, value in data.items())
    return f'<script src="/extras/{name}.js"{attributes}></script>'


def test_the_stub_is_small_and_the_manual_shows_it() -> None:
    assert len(STUB) <= 220
    assert f"<script>{STUB}</script>" in (DIST.parent / "README.md").read_text()


def test_the_manual_gives_the_sizes_that_are_true() -> None:
    manifest = json.loads((DIST / "manifest.json").read_text())
    sizes = re.search(r"\| cnct\.js \| (\d+) \| (\d+) \| (\d+) \|", (DIST.parent / "README.md").read_text())
    assert sizes
    assert [int(size) for size in sizes.groups()] == [manifest["bytes"], manifest["gzip"], manifest["brotli"]]


def test_the_stub_saves_a_landing_for_a_script_that_comes_a_page_later(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    shop.page("/delayed", head=f"<script>{STUB}</script><script>history.replaceState(0, '', '/app')</script>")
    page.goto(shop.url(f"/delayed?{CLICK}"))
    page.goto(shop.url("/moka"))
    [body] = recorder.wait_for("landing")
    assert body["query"] == CLICK
    assert page.evaluate("sessionStorage.length") == 0
    assert watch.complaints == []


def test_the_stub_saves_nothing_without_ids(page: Page, shop: Shop) -> None:
    shop.page("/delayed", head=f"<script>{STUB}</script>")
    page.goto(shop.url("/delayed?utm_source=x&broad_id=1"))
    assert page.evaluate("sessionStorage.length + localStorage.length") == 0
    page.evaluate("cnct('view', {}); cnct('consent', 'pending')")
    assert page.evaluate("cnct.q.length") == 2


def test_forms_carry_the_ref_however_they_are_collected(page: Page, shop: Shop, land: Callable[..., None]) -> None:
    form = '<form action="/thanks"><input name="email" value="x"></form>'
    shop.page("/forms", form.replace("<form", '<form id="a" data-cnct') + form, shop.tag() + extra("forms"))
    shop.page("/thanks")
    land()
    page.goto(shop.url("/forms"))
    collected = "form => [...new FormData(form)].map(String)"
    assert page.locator("form").nth(0).evaluate(collected) == ["email,x", f"cnct_ref,{REF}"]
    assert page.locator("form").nth(1).evaluate(collected) == ["email,x"], "not chosen"
    page.evaluate(
        "a.addEventListener('submit', event => { event.preventDefault(); window.seen = a.elements.cnct_ref.value; })"
    )
    page.evaluate("a.requestSubmit()")
    assert page.evaluate("seen") == REF
    page.evaluate("a.submit()")
    page.wait_for_url(f"**/thanks?email=x&cnct_ref={REF}")


def test_forms_stay_as_they_are_without_a_click(page: Page, shop: Shop) -> None:
    shop.page("/forms", '<form data-cnct action="/thanks"></form>', shop.tag() + extra("forms"))
    shop.page("/thanks")
    page.goto(shop.url("/forms"))
    page.evaluate("document.forms[0].requestSubmit()")
    page.wait_for_url("**/thanks?")


def test_links_to_listed_hosts_carry_the_ref_when_they_are_used(
    page: Page, shop: Shop, watch: Watch, land: Callable[..., None]
) -> None:
    addresses = {
        "https://pay.localhost/x?a=%20b+c#top": f"https://pay.localhost/x?a=%20b+c&src={REF}#top",
        "https://pay.localhost/": f"https://pay.localhost/?src={REF}",
        "https://pay.localhost/?src=mine": "https://pay.localhost/?src=mine",
        "https://evil.pay.localhost/": "https://evil.pay.localhost/",
        "https://pay.localhost.evil.localhost/": "https://pay.localhost.evil.localhost/",
        "https://pay.localhost@evil.localhost/": "https://pay.localhost@evil.localhost/",
        "https://pay.localhost:8443/": "https://pay.localhost:8443/",
        "https://port.localhost:8443/": f"https://port.localhost:8443/?p={REF}",
        "intent://pay.localhost/": "intent://pay.localhost/",
        "javascript:void 'pay.localhost'": "javascript:void 'pay.localhost'",
        "mailto:a@pay.localhost": "mailto:a@pay.localhost",
    }
    body = "".join(f'<p><a href="{address}"><b>pay</b></a></p>' for address in addresses)
    shop.page(
        "/links", body, shop.tag() + extra("links", hosts="Pay.localhost=src other.localhost=ref port.localhost:8443=p")
    )
    land()
    page.goto(shop.url("/links"))
    assert page.evaluate("[...document.links].map(link => link.href)") == list(addresses), "untouched until used"
    page.evaluate("addEventListener('click', event => event.preventDefault())")
    page.evaluate("document.querySelectorAll('b').forEach(b => { b.click(); b.click(); })")
    assert page.evaluate("[...document.links].map(link => link.href)") == list(addresses.values())
    assert watch.complaints == []


def test_a_collector_that_took_too_long_is_asked_again_when_the_ref_is_needed(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    body = '<form data-cnct></form><a id="pay" href="https://pay.localhost/">pay</a><stripe-buy-button></stripe-buy-button>'
    extras = extra("forms") + extra("links", hosts="pay.localhost=src") + extra("stripe")
    shop.page("/slow-answer", body, shop.tag() + extras)
    recorder.answers = ["hang"]
    page.goto(shop.url(f"/slow-answer?{CLICK}"))
    recorder.wait_for("landing")
    watch.settle(4000)
    recorder.released.set()
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    page.evaluate("addEventListener('click', event => event.preventDefault()); pay.click()")
    assert page.evaluate("pay.search") == f"?src={REF}"
    assert page.evaluate("new FormData(document.forms[0]).get('cnct_ref')") == REF
    assert page.get_attribute("stripe-buy-button", "client-reference-id") == REF


def test_stripe_elements_and_links_carry_the_ref(page: Page, shop: Shop, land: Callable[..., None]) -> None:
    body = (
        "<stripe-buy-button></stripe-buy-button><stripe-pricing-table client-reference-id='mine'></stripe-pricing-table>"
        '<a href="https://buy.stripe.com/abc?x=1">buy</a><a href="https://stripe.com/">other</a>'
    )
    shop.page("/stripe", body, shop.tag() + extra("stripe"))
    land()
    page.goto(shop.url("/stripe"))
    page.wait_for_selector(f"stripe-buy-button[client-reference-id={REF}]", state="attached")
    assert page.get_attribute("stripe-pricing-table", "client-reference-id") == "mine"
    assert page.evaluate("[...document.links].map(link => link.href)") == [
        f"https://buy.stripe.com/abc?x=1&client_reference_id={REF}", "https://stripe.com/",
    ]  # fmt: skip


@pytest.mark.parametrize("hosts", [{}, {"hosts": "pay.localhost"}])
def test_links_that_are_not_stripes_are_left_alone(
    page: Page, shop: Shop, watch: Watch, land: Callable[..., None], hosts: dict[str, str]
) -> None:
    """A script in a link would no longer run, and a letter would be addressed to the click."""
    addresses = [
        "mailto:help@shop.localhost", "tel:+15551234", "javascript:void document.title", "data:,x",
        "http://buy.stripe.com/a", "https://buy.stripe.com:8443/a", "https://buy.stripe.com.evil.localhost/a",
    ]  # fmt: skip
    body = "".join(f'<a href="{address}">x</a>' for address in addresses)
    shop.page(
        "/stripe",
        f'{body}<svg><a href="/x"></a></svg><a href="https://BUY.stripe.com/b">b</a>',
        shop.tag() + extra("stripe", **hosts),
    )
    land()
    page.goto(shop.url("/stripe"))
    page.wait_for_selector("a[href*=client_reference_id]")
    assert page.evaluate("[...document.querySelectorAll('a')].map(link => link.getAttribute('href'))") == [
        *addresses, "/x", f"https://buy.stripe.com/b?client_reference_id={REF}",
    ]  # fmt: skip
    assert watch.complaints == []


def test_forms_that_are_sent_elsewhere_do_not_carry_the_ref(page: Page, shop: Shop, land: Callable[..., None]) -> None:
    forms = {
        "own": '<form action="/thanks"><input name="action" value="add"></form>',
        "bare": "<form></form>",
        "script": '<form action="javascript:void 0"></form>',
        "listed": '<form action="https://pay.localhost/x"></form>',
        "news": '<form action="https://news.localhost/x"></form>',
        "port": '<form action="//shop.localhost:1/x"></form>',
        "mail": '<form action="mailto:a@shop.localhost"></form>',
        "button": '<form action="/thanks"><button formaction="https://news.localhost/">x</button></form>',
        "back": '<form action="https://news.localhost/"><button formaction="/thanks">x</button></form>',
    }
    body = "".join(form.replace("<form", f'<form id="{name}"', 1) for name, form in forms.items())
    shop.page("/forms", body, shop.tag() + extra("forms", forms="form", hosts="pay.localhost"))
    land()
    page.goto(shop.url("/forms"))
    carried = page.evaluate(
        """names => names.map(name => {
            const form = document.getElementById(name);
            let sent;
            form.addEventListener('submit', event => event.preventDefault());
            form.addEventListener('submit', () => { sent = new FormData(form).has('cnct_ref'); });
            form.requestSubmit(form.querySelector('button'));
            return sent;
        })""",
        list(forms),
    )
    assert dict(zip(forms, carried, strict=True)) == {
        "own": True, "bare": True, "script": True, "listed": True,
        "news": False, "port": False, "mail": False, "button": False, "back": True,
    }  # fmt: skip


def test_a_form_sent_again_carries_the_ref_once_and_not_after_a_denial(
    page: Page, shop: Shop, land: Callable[..., None]
) -> None:
    shop.page("/forms", '<form data-cnct action="/thanks"></form>', shop.tag() + extra("forms"))
    land()
    page.goto(shop.url("/forms"))
    page.evaluate("addEventListener('submit', event => event.preventDefault())")
    send = "document.forms[0].requestSubmit(), [...new FormData(document.forms[0])].map(String)"
    assert [page.evaluate(send), page.evaluate(send)] == [[f"cnct_ref,{REF}"]] * 2
    page.evaluate("cnct('consent', 'denied')")
    assert page.evaluate(send) == []


def test_a_shopify_cart_gets_the_ref_once_and_is_tied_to_the_click(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, land: Callable[..., None]
) -> None:
    attributes = {"gift": "yes"}
    updates: list[dict[str, Any]] = []

    def cart(route: Route) -> None:
        if route.request.method == "POST":
            updates.append(json.loads(route.request.post_data or ""))
            attributes.update(updates[-1]["attributes"])
        route.fulfill(json={"token": "Z2NwLXVz?key=abc", "attributes": attributes})

    page.route(re.compile(r"/pt/cart(/update)?\.js$"), cart)
    locale = "<script>window.Shopify = {routes: {root: '/pt/'}}</script>"
    shop.page("/shopify", head=shop.tag() + locale + extra("shopify-cart"))
    land()
    with page.expect_response("**/links"):  # lets the cart answer meanwhile
        page.goto(shop.url("/shopify"))
    page.wait_for_function("!Object.keys(localStorage).length")
    assert recorder.bodies("links") == [{"kind": "cart_token", "id": "Z2NwLXVz"}]
    page.goto(shop.url("/shopify"))
    watch.settle()
    assert updates == [{"attributes": {"_cnct_ref": REF}}]
    assert len(recorder.bodies("links")) == 1
