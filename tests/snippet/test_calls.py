"""What pages may ask of the snippet beside views: the ref, links, settings from wherever they survive."""

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page

from tests.snippet.conftest import CLICK, FAR, NEAR, SHOP, Shop, Watch, cookies, moka
from tests.snippet.recording import BUSINESS, Recorder, ref_of

ASK = "() => new Promise(resolve => cnct('ref', resolve))"
STUB = "<script>window.cnct=window.cnct||function(){(cnct.q=cnct.q||[]).push(arguments)}</script>"


def test_the_ref_is_told_at_once_where_it_is_known(page: Page, shop: Shop, land: Callable[..., None]) -> None:
    land()
    assert page.evaluate(ASK) == ref_of(CLICK)
    page.goto(shop.url("/moka"))
    assert page.evaluate(ASK) == ref_of(CLICK)


def test_the_ref_is_null_without_a_click(page: Page, shop: Shop) -> None:
    shop.page("/queued", head=STUB + "<script>cnct('ref', ref => { window.told = [ref]; })</script>" + shop.tag())
    page.goto(shop.url("/queued"))
    page.wait_for_function("window.told && told[0] === null")
    assert page.evaluate(ASK) is None


def test_the_ref_waits_for_the_landings_answer(page: Page, shop: Shop, recorder: Recorder, watch: Watch) -> None:
    recorder.answers = ["hang"]
    page.goto(shop.url(f"/plain?{CLICK}"))
    recorder.wait_for("landing")
    page.evaluate("window.told = []; cnct('ref', ref => told.push(ref)); cnct('ref', ref => told.push(ref))")
    watch.settle(1000)
    assert page.evaluate("told") == []
    recorder.released.set()
    page.wait_for_function("told.length == 2")
    assert page.evaluate("told") == [ref_of(CLICK)] * 2


def test_the_ref_waits_three_seconds_for_a_collector_that_hangs(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    recorder.answers = ["hang"]
    page.goto(shop.url(f"/plain?{CLICK}"))
    recorder.wait_for("landing")
    page.evaluate("window.told = []; cnct('ref', ref => told.push(ref))")
    watch.settle(3500)
    page.evaluate("cnct('ref', ref => told.push(ref))")
    watch.settle(500)
    assert page.evaluate("told") == [None, None]
    recorder.released.set()
    page.wait_for_function("document.cookie.includes('cnct_ref=')")
    assert page.evaluate(ASK) == ref_of(CLICK)
    assert page.evaluate("told") == [None, None], "each is called back once"


def test_the_ref_waits_for_the_visitors_decision(page: Page, shop: Shop, watch: Watch) -> None:
    shop.page("/ask", head=shop.tag(consent="pending"))
    page.goto(shop.url(f"/ask?{CLICK}"))
    page.evaluate("window.told = []; cnct('ref', ref => told.push(ref))")
    watch.settle(30_000)
    assert page.evaluate("told") == []
    page.evaluate("cnct('consent', 'granted')")
    page.wait_for_function("told.length")
    assert page.evaluate("told") == [ref_of(CLICK)]


def test_the_ref_is_null_when_the_collector_fails(page: Page, shop: Shop, recorder: Recorder) -> None:
    recorder.answers = [500, 500, 500]
    page.goto(shop.url(f"/plain?{CLICK}"))
    assert page.evaluate(ASK) is None


def test_the_ref_is_null_after_a_denial(page: Page, land: Callable[..., None]) -> None:
    land()
    page.evaluate("cnct('consent', 'denied')")
    assert page.evaluate(ASK) is None


def test_the_ref_is_known_where_cookies_are_refused(page: Page, shop: Shop, recorder: Recorder) -> None:
    recorder.sets_cookies = False
    page.goto(shop.url(f"/plain?{CLICK}"))
    assert page.evaluate(ASK) == ref_of(CLICK)


def test_a_link_ties_the_click_to_a_checkout(page: Page, recorder: Recorder, land: Callable[..., None]) -> None:
    land()
    page.evaluate("cnct('link', 'checkout_id', 'chk_1'); cnct('link', 'cart_token', 'c%1')")
    recorder.wait_for("links", 2)
    assert sorted(str(body) for body in recorder.bodies("links")) == [
        "{'kind': 'cart_token', 'id': 'c%1'}",
        "{'kind': 'checkout_id', 'id': 'chk_1'}",
    ]


def test_a_link_made_while_leaving_arrives(
    page: Page, shop: Shop, recorder: Recorder, land: Callable[..., None]
) -> None:
    land()
    page.evaluate("cnct('link', 'checkout_id', 'chk_1'); location.href = 'about:blank'")
    assert recorder.wait_for("links") == [{"kind": "checkout_id", "id": "chk_1"}]
    page.wait_for_url("about:blank")


def test_settings_from_the_scripts_address(page: Page, shop: Shop, recorder: Recorder) -> None:
    """Tag managers strip data attributes; a data attribute that survives wins."""
    source = f"/_c/cnct.js?business={BUSINESS}&cookie=other&auto=off"
    shop.page("/query", moka(), f'<script src="{shop.url(source)}" data-auto="on"></script>')
    page.context.add_cookies([{"name": "other_ref", "value": "r", "url": shop.url()}])
    page.goto(shop.url("/query"))
    recorder.wait_for("events")
    assert (recorder.posts[0].host, recorder.posts[0].path) == (SHOP, f"/_c/b/{BUSINESS}/events")


def test_settings_from_init_before_and_after_the_script(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    init = f"cnct('init', {{business: '{BUSINESS}', auto: 'off'}})"
    bare = f'<script src="{shop.url("/cnct.js", NEAR)}"></script>'
    shop.page("/before", moka(), f"{STUB}<script>cnct('ref', () => {{}}); {init}</script>{bare}")
    page.goto(shop.url("/before?ctwa_clid=1"))
    assert "view" not in recorder.wait_for("landing")[0]
    page.wait_for_function("!Object.keys(localStorage).length")
    shop.page("/after", moka(), bare)
    page.goto(shop.url("/after?ctwa_clid=2"))
    watch.settle()
    assert watch.sent == ["landing"]
    page.evaluate(init)
    assert recorder.wait_for("landing", 2)[1]["query"] == "ctwa_clid=2"


def test_a_bundled_snippet_is_told_where_the_collector_is(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    shop.page("/bundled", head="")
    page.goto(shop.url("/bundled?ctwa_clid=1"))
    page.evaluate(
        """async ([address, business, collector]) => {
            const source = await (await fetch(address)).text();
            const module = document.createElement('script');
            module.type = 'module';
            module.textContent = source;
            document.head.append(module);
        }""",
        [shop.url("/cnct.js"), BUSINESS, shop.url("/", NEAR)],
    )
    page.wait_for_function("window.cnct && cnct.version")
    page.evaluate("([business, collector]) => cnct('init', {business, collector})", [BUSINESS, shop.url("/", NEAR)])
    assert recorder.wait_for("landing")
    assert watch.complaints == []


def test_consent_is_heard_before_older_calls_are_sent(page: Page, shop: Shop, recorder: Recorder, watch: Watch) -> None:
    calls = "cnct('view', {content_ids: ['1']}); cnct('track', 'AddToCart'); cnct('consent', 'pending')"
    shop.page("/queued", head=f"{STUB}<script>{calls}</script>{shop.tag()}")
    page.goto(shop.url(f"/queued?{CLICK}"))
    watch.settle()
    assert watch.sent == []
    page.evaluate("cnct('consent', 'granted')")
    assert recorder.wait_for("landing")[0]["view"]["custom_data"] == {"content_ids": ["1"]}
    recorder.wait_for("events")


def test_another_cookie_name_is_kept_apart(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, land: Callable[..., None]
) -> None:
    land()
    shop.page("/other", moka(), shop.tag(cookie="cnct_a1b2c3"))
    page.goto(shop.url("/other"))
    watch.settle()
    assert watch.sent == ["landing"], "a neighbour's click is not this business's"


def test_a_cookie_whose_name_only_ends_alike_is_no_click(
    page: Page, shop: Shop, watch: Watch, context: BrowserContext
) -> None:
    context.add_cookies([{"name": "xcnct_ref", "value": "r", "url": shop.url()}])
    page.goto(shop.url("/moka"))
    watch.settle()
    assert watch.sent == []


def test_a_foreign_collectors_answer_becomes_the_shops_cookies(
    page: Page, shop: Shop, recorder: Recorder, context: BrowserContext
) -> None:
    shop.page("/foreign", head=shop.tag(FAR, site="foreign"))
    page.goto(shop.url(f"/foreign?{CLICK}"))
    page.wait_for_function("document.cookie.includes('cnct=token.')")
    ref = ref_of(CLICK)
    stored = cookies(context)
    now = page.evaluate("Date.now() / 1000")
    for name, value in (("cnct", f"token.{ref}"), ("cnct_ref", ref)):
        cookie = stored[name]
        assert (cookie["value"], cookie["domain"], cookie["path"], cookie["sameSite"]) == (value, SHOP, "/", "Lax")
        assert abs(cookie["expires"] - now - 5_000_000) < 60, "as long as the collector says"
    page.evaluate("cnct('track', 'AddToCart'); cnct('link', 'cart_token', 'c1')")
    assert recorder.wait_for("events")[0]["token"] == f"token.{ref}"
    assert recorder.wait_for("links")[0]["token"] == f"token.{ref}"
    assert "token" not in recorder.bodies("landing")[0]


def test_a_token_is_not_believed_where_the_collector_sets_cookies(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, context: BrowserContext
) -> None:
    shop.page("/mistaken", head=shop.tag(FAR))
    page.goto(shop.url(f"/mistaken?{CLICK}"))
    recorder.wait_for("landing")
    watch.settle()
    assert cookies(context) == {}


def test_the_ref_is_null_where_the_page_may_not_read_cookies(page: Page, shop: Shop, watch: Watch) -> None:
    """As in a sandboxed frame."""
    page.add_init_script(
        "Object.defineProperty(document, 'cookie', {get() { throw new DOMException('x', 'SecurityError'); }})"
    )
    page.goto(shop.url("/plain"))
    page.evaluate("cnct('ref', ref => { window.told = [ref]; })")
    page.wait_for_function("window.told && told[0] === null")
    assert watch.complaints == []
