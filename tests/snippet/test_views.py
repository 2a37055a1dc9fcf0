"""One view for each product and page: soft navigation, the back/forward cache, prerendering, hidden tabs."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.snippet.conftest import CLICK, Shop, Watch, moka
from tests.snippet.recording import Recorder

# A shop as one page: `go` changes the address, then draws the product, as routers do; `late` draws 300 ms later.
SINGLE_PAGE = """<main></main><script>
function draw() {
  const sku = {'/spa/1': 'one', '/spa/2': 'two', '/spa/3': 'three'}[location.pathname];
  document.querySelector('main').innerHTML = sku ? `<h1 data-cnct-product="${sku}">${sku}</h1>` : '<h1>cart</h1>';
}
function go(path, late) { history.pushState(0, '', path); late ? setTimeout(draw, 300) : draw(); }
addEventListener('popstate', draw);
draw();
</script>"""


@pytest.fixture
def single_page(page: Page, shop: Shop, watch: Watch, land: Callable[..., None]) -> Callable[[str], list[str]]:
    """Open the single-page shop; returns what runs a script on it and tells which products were viewed since."""
    for path in ("/spa/1", "/spa/2", "/spa/3", "/spa/cart"):
        shop.page(path, SINGLE_PAGE)
    land()
    page.goto(shop.url("/spa/1"))

    def run(script: str) -> list[str]:
        before = len(shop.recorder.views())
        page.evaluate(script)
        watch.settle()
        shop.recorder.wait(lambda: len(shop.recorder.posts) >= len(watch.sent), "post of all that was sent")
        return [",".join(view["custom_data"]["content_ids"]) for view in shop.recorder.views()[before:]]

    assert run("0") in ([], ["one"])
    assert [view["custom_data"]["content_ids"] for view in shop.recorder.views()] == [["one"]]
    return run


def test_soft_navigation_misses_nothing_and_invents_nothing(single_page: Callable[[str], list[str]]) -> None:
    steps = [
        ("history.replaceState(0, '', location.href)", []),
        ("history.replaceState(0, '', '?v=2')", []),
        ("location.hash = 'reviews'", []),
        ("go('/spa/2')", ["two"]),
        ("history.replaceState(1, '', '/spa/2'); go('/spa/3')", ["three"]),
        ("history.back()", ["two"]),
        ("history.forward()", ["three"]),
        ("go('/spa/cart')", []),
        ("go('/spa/1', true)", ["one"]),
        ("go('/spa/2', true)", ["two"]),
        ("draw(); draw()", []),
        (
            "document.querySelector('h1').dataset.cnctProduct = 'variant'; history.replaceState(0, '', '?v=3')",
            ["variant"],
        ),
    ]
    assert [single_page(script) for script, _ in steps] == [views for _, views in steps]


def test_a_new_address_for_the_same_product_is_a_new_page(single_page: Callable[[str], list[str]]) -> None:
    assert single_page("history.pushState(0, '', '/spa/other')") == ["one"]


def test_a_reload_is_a_new_page(single_page: Callable[[str], list[str]], page: Page, recorder: Recorder) -> None:
    page.reload()
    recorder.wait(lambda: len(recorder.views()) == 2, "second view")


def test_explicit_views_replace_the_automatic_one(
    page: Page, shop: Shop, watch: Watch, recorder: Recorder, land: Callable[..., None]
) -> None:
    shop.page("/explicit", moka() + "<script>cnct('view', {content_ids: ['mine']})</script>", stub() + shop.tag())
    land()
    page.goto(shop.url("/explicit"))
    page.evaluate("cnct('view', {content_ids: ['mine']}); cnct('view', {content_ids: ['yours']})")
    watch.settle()
    assert [view["custom_data"]["content_ids"] for view in recorder.views()] == [["mine"], ["yours"]]


def test_a_view_called_before_the_script_joins_the_landing(page: Page, shop: Shop, recorder: Recorder) -> None:
    shop.page(
        "/queued", moka(), stub() + "<script>cnct('view', {content_ids: ['mine']})</script>" + shop.tag(loading="async")
    )
    page.goto(shop.url(f"/queued?{CLICK}"))
    assert recorder.wait_for("landing")[0]["view"]["custom_data"] == {"content_ids": ["mine"]}


def test_automatic_views_can_be_switched_off(
    page: Page, shop: Shop, watch: Watch, recorder: Recorder, land: Callable[..., None]
) -> None:
    shop.page("/off", moka(), shop.tag(auto="off"))
    land()
    page.goto(shop.url("/off"))
    watch.settle()
    assert recorder.views() == []
    page.evaluate("cnct('view', {content_ids: ['mine']})")
    recorder.wait_for("events")


def test_a_tag_that_stands_twice_counts_once(page: Page, shop: Shop, watch: Watch, recorder: Recorder) -> None:
    shop.page("/twice", moka() + shop.tag(loading="async"), shop.tag() + shop.tag())
    page.goto(shop.url(f"/twice?{CLICK}"))
    recorder.wait_for("landing")
    watch.settle()
    assert watch.sent == ["landing"]


def test_back_from_the_cache_counts_one_view_under_a_new_id(
    page: Page, shop: Shop, recorder: Recorder, land: Callable[..., None]
) -> None:
    land("/moka")
    page.evaluate("addEventListener('pageshow', event => document.title = event.persisted ? 'restored' : '')")
    page.goto(shop.url("/plain"))
    page.go_back(wait_until="commit")  # a restored page loads nothing
    page.wait_for_function("document.title == 'restored'")
    first, second = recorder.wait_for("landing")[0]["view"], recorder.wait_for("events")[0]
    assert first["custom_data"] == second["custom_data"]
    assert first["event_id"] != second["event_id"]
    assert len(recorder.views()) == 2


def test_a_page_restored_elsewhere_than_at_its_product_counts_nothing(
    single_page: Callable[[str], list[str]], page: Page, shop: Shop, watch: Watch
) -> None:
    assert single_page("go('/spa/cart')") == []
    page.evaluate("addEventListener('pageshow', event => document.title = event.persisted ? 'restored' : '')")
    page.goto(shop.url("/plain"))
    page.go_back(wait_until="commit")  # a restored page loads nothing
    page.wait_for_function("document.title == 'restored'")
    watch.settle()
    assert len(shop.recorder.views()) == 1


def test_a_tab_in_the_background_waits_until_it_is_seen(
    page: Page, shop: Shop, watch: Watch, recorder: Recorder
) -> None:
    page.add_init_script(
        "window.unseen = true; Object.defineProperty(document, 'hidden', {get: () => window.unseen, configurable: true})"
    )
    page.goto(shop.url(f"/moka?{CLICK}"))
    watch.settle()
    assert watch.sent == []
    page.evaluate("window.unseen = false; document.dispatchEvent(new Event('visibilitychange'))")
    [body] = recorder.wait_for("landing")
    assert body["view"]["custom_data"]["content_ids"] == ["moka"]


def test_a_tab_closed_unseen_keeps_its_click_and_counts_no_view(page: Page, shop: Shop, recorder: Recorder) -> None:
    page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => true})")
    page.goto(shop.url(f"/moka?{CLICK}"))
    page.goto("about:blank")
    assert "view" not in recorder.wait_for("landing")[0]


def test_other_events_carry_what_they_were_given(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, land: Callable[..., None], context: BrowserContext
) -> None:
    land()
    page.evaluate("cnct('track', 'AddToCart', {value: 1, currency: 'USD'}); cnct('track', 'AddToCart')")
    first, second = recorder.wait_for("events", 2)
    assert (first["event_name"], second["event_name"]) == ("AddToCart", "AddToCart")
    assert {**first, **second}["custom_data"] == {"value": 1, "currency": "USD"}
    assert first["event_id"] != second["event_id"]
    assert recorder.posts[-1].cookies["cnct"]


def stub() -> str:
    """The queue for calls made before the script arrives."""
    return "<script>window.cnct=window.cnct||function(){(cnct.q=cnct.q||[]).push(arguments)}</script>"
