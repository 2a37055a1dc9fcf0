"""The page never notices the snippet: no error, no changed function, no lost cache, whatever the page itself has broken."""

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page

from tests.snippet.conftest import CLICK, FAR, NEAR, Shop, Watch, cookies, moka
from tests.snippet.recording import BUSINESS, Recorder, ref_of

BROKEN = {
    "fetch throws": "window.fetch = () => { throw new Error('broken'); }",
    "fetch is gone": "delete window.fetch; window.fetch = undefined",
    "fetch gives nothing": "window.fetch = () => {}",
    "fetch gives another promise": "window.fetch = () => Promise.resolve()",
    "fetch rejects": "window.fetch = () => Promise.reject(new Error('broken'))",
    "fetch never ends": "window.fetch = () => new Promise(() => {})",
    "JSON throws": "JSON.stringify = JSON.parse = () => { throw new Error('broken'); }",
    "JSON gives nothing": "JSON.stringify = JSON.parse = () => undefined",
    "JSON gives nonsense": "JSON.stringify = () => '{'; JSON.parse = () => 7",
    "history is frozen": "Object.freeze(history)",
    "history throws": "history.pushState = history.replaceState = () => { throw new Error('broken'); }",
    "history is a proxy's": "const push = history.pushState; history.pushState = function () { return push.apply(history, arguments); }",
    "fetch is wrapped and slow": "const real = fetch; window.fetch = async (...all) => { await 0; return real(...all); }",
    "fetch answers with itself": "window.fetch = () => Promise.resolve(window)",
    "objects cannot be assigned": "Object.assign = Object.fromEntries = () => { throw new Error('broken'); }",
    "lists have no methods": "Array.prototype.map = Array.prototype.filter = undefined",
    "addresses cannot be read": "window.URL = window.URLSearchParams = undefined",
    "no random numbers": "crypto.getRandomValues = () => { throw new Error('broken'); }",
    "no timers": "window.setInterval = () => { throw new Error('broken'); }",
    "cookies throw": "Object.defineProperty(document, 'cookie', {get() { throw new DOMException('x', 'SecurityError'); }})",
    "no performance entries": "performance.getEntries = () => []",
    "a page's own cnct": "window.cnct = {q: 0}",
    "an element named cnct": "addEventListener('DOMContentLoaded', () => document.body.innerHTML += '<a id=cnct>')",
}
STILL_DELIVERS = {
    "fetch throws", "fetch is gone", "fetch gives nothing", "fetch is wrapped and slow", "no performance entries",
    "history is frozen", "history throws", "history is a proxy's", "a page's own cnct", "an element named cnct",
}  # fmt: skip


def test_whatever_the_page_has_broken_it_hears_nothing_of_it(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    for number, (name, script) in enumerate(BROKEN.items()):
        shop.page(f"/broken/{number}", moka(), f"<script>{script}</script>{shop.tag()}")
        before = len(recorder.bodies("landing"))
        page.goto(shop.url(f"/broken/{number}?ctwa_clid={number}"))
        page.evaluate("window.cnct && cnct.version && (cnct('view', {content_ids: ['1']}), cnct('ref', () => {}))")
        page.evaluate("try { history.pushState(0, '', '/x') } catch {}")
        page.clock.run_for(3000)
        if name in STILL_DELIVERS:
            recorder.wait_for("landing", before + 1)
        assert watch.complaints == [], name
        page.goto(shop.url("/settled"))
        page.evaluate("localStorage.clear()")
        page.context.clear_cookies()


@pytest.mark.parametrize("name", ["fetch throws", "fetch is gone", "fetch gives nothing"])
def test_where_the_page_has_broken_fetch_a_landing_is_still_one_post(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, name: str
) -> None:
    shop.page("/broken", moka(), f"<script>{BROKEN[name]}</script>{shop.tag()}")
    page.goto(shop.url(f"/broken?{CLICK}"))
    recorder.wait_for("landing")
    page.goto(shop.url("/settled"))  # leaving tries once more what has not been answered
    page.clock.run_for(3000)
    watch.settle()
    assert [post.kind for post in recorder.posts] == ["landing"]


def test_what_costs_a_page_most_is_asked_late_or_not_at_all(page: Page, shop: Shop, recorder: Recorder) -> None:
    """A landing asks for neither cookies nor browsing entries; for cookies the script asks when its own first run is over."""
    page.add_init_script(
        "window.asked = [];"
        "const {get} = Object.getOwnPropertyDescriptor(Document.prototype, 'cookie');"
        "Object.defineProperty(document, 'cookie', {get() { asked.push(window.over || 'running'); return get.call(this); }});"
        "const entries = performance.getEntries;"
        "performance.getEntries = () => { asked.push('entries'); return entries.call(performance); };"
        "const listen = window.addEventListener;"
        "window.addEventListener = (...words) => { queueMicrotask(() => window.over = 'over'); listen(...words); };"
    )
    page.goto(shop.url(f"/moka?{CLICK}"))
    recorder.wait_for("landing")
    page.wait_for_function("!Object.keys(localStorage).length")
    assert page.evaluate("asked") == []
    page.context.clear_cookies()
    shop.page("/deferred", moka(), shop.tag(loading="defer"))
    page.goto(shop.url("/deferred"))
    assert page.evaluate("asked[0]") == "entries"
    assert set(page.evaluate("asked.slice(1)")) == {"over"}


def test_nonsense_in_calls_is_swallowed(page: Page, watch: Watch, land: Callable[..., None]) -> None:
    land()
    page.evaluate(
        """() => {
            const cycle = {}; cycle.cycle = cycle;
            for (const words of [[], [null], [{}], ['view'], ['view', null], ['view', cycle], ['view', 5], ['track'],
                ['track', cycle, cycle], ['link'], ['ref'], ['ref', 5], ['init'], ['init', 5], ['consent'],
                ['toString'], ['__proto__', 1], ['constructor'], [Symbol.iterator]]) cnct(...words);
            cnct('ref', () => { throw new Error('the page'); });
        }"""
    )
    watch.settle()
    assert watch.complaints == []


def test_the_pages_functions_stay_its_own(page: Page, land: Callable[..., None]) -> None:
    land("/moka")
    functions = ["fetch", "history.pushState", "history.replaceState", "addEventListener", "JSON.stringify"]
    assert page.evaluate("names => names.map(name => String(eval(name)).includes('[native code]'))", functions) == [
        True
    ] * len(functions)


def test_one_global_is_added(page: Page, shop: Shop) -> None:
    names = "() => Object.getOwnPropertyNames(window).filter(name => !/^(__|\\d)/.test(name))"
    shop.page("/untagged", head="")
    page.goto(shop.url("/untagged"))
    before = set(page.evaluate(names))
    page.goto(shop.url("/moka"))
    assert set(page.evaluate(names)) - before == {"cnct"}


@pytest.mark.parametrize("host", [NEAR, FAR])
def test_a_strict_policy_with_trusted_types_finds_nothing_to_refuse(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, host: str
) -> None:
    site = {"site": "foreign"} if host == FAR else {}
    shop.page("/strict", moka(), shop.tag(host, loading='nonce="n0nce"', **site))
    recorder.policy = (
        f"default-src 'none'; script-src 'nonce-n0nce'; connect-src 'self' {shop.url('', host)};"
        " img-src data:; require-trusted-types-for 'script'; trusted-types 'none'"
    )
    page.goto(shop.url(f"/strict?{CLICK}"))
    recorder.wait_for("landing")
    page.wait_for_function("!Object.keys(localStorage).length")  # the refusal has arrived
    page.evaluate("cnct('track', 'AddToCart')")
    recorder.wait_for("events")
    watch.settle()
    assert watch.complaints == []


def test_subresource_integrity_fits(page: Page, shop: Shop, recorder: Recorder, integrity: str) -> None:
    tag = shop.tag(loading=f'crossorigin="anonymous" integrity="{integrity}"')
    shop.page("/fixed", head=tag)
    page.goto(shop.url(f"/fixed?{CLICK}"))
    recorder.wait_for("landing")


def test_debugging_names_what_happened_and_why(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, context: BrowserContext
) -> None:
    recorder.answers = [403]
    page.goto(shop.url(f"/plain?{CLICK}&cnct_debug=1"))
    recorder.wait_for("landing")
    page.wait_for_function("!Object.keys(localStorage).length")  # the refusal has arrived
    page.evaluate("cnct('track', 'AddToCart')")
    watch.settle()
    settings, captured, _, answered, unsent = (line.removeprefix("log: ") for line in watch.complaints)
    assert settings.startswith('cnct {"cookie":"cnct","collector":"')
    assert f'"business":"{BUSINESS}"' in settings
    assert captured.startswith('landing {"query":"cnct_tracking_id=')
    assert "ctwa_clid=ARAkLkA8rmlFeiCk" in answered
    assert answered.endswith(" 403 told-403 undefined"), "and no cookie"
    assert unsent.startswith("not sent [")
    assert cookies(context) == {}


@pytest.mark.parametrize(
    ("tag", "query", "settings", "rest"),
    [
        ({}, "", f'"business":"{BUSINESS}"}} undefined', ["landing undefined"]),
        ({"business": ""}, CLICK, '"business":""} undefined', []),
        ({"consent": "denied"}, CLICK, '"consent":"denied"} denied', []),
        ({"consent": "pending"}, CLICK, '"consent":"pending"} pending', ["landing {"]),
    ],
    ids=["no click", "no business", "denied", "pending"],
)
def test_debugging_tells_why_nothing_is_sent(
    page: Page, shop: Shop, watch: Watch, tag: dict[str, str], query: str, settings: str, rest: list[str]
) -> None:
    shop.page("/silent", head=shop.tag(**tag))
    page.goto(shop.url(f"/silent?{query}&cnct_debug=1"))
    watch.settle()
    first, *others = (line.removeprefix("log: ") for line in watch.complaints)
    assert first.endswith(settings)
    assert len(others) == len(rest)
    assert all(told.startswith(start) for told, start in zip(others, rest, strict=True))
    assert watch.sent == []


def test_debugging_tells_that_the_privacy_signal_denies(page: Page, shop: Shop, watch: Watch) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    page.goto(shop.url(f"/moka?{CLICK}&cnct_debug=1"))
    watch.settle()
    [line] = watch.complaints
    assert line.endswith("} denied")


def test_debugging_names_a_collector_that_cannot_be_reached(page: Page, shop: Shop, watch: Watch) -> None:
    page.route("**/landing", lambda route: route.abort("connectionrefused"))
    page.goto(shop.url(f"/plain?{CLICK}&cnct_debug=1"))
    page.wait_for_function("Object.keys(localStorage).length == 1")
    watch.settle()
    assert any(" TypeError: Failed to fetch " in line for line in watch.complaints)


def test_without_debugging_the_console_stays_empty(page: Page, watch: Watch, land: Callable[..., None]) -> None:
    land("/moka")
    watch.settle()
    assert watch.complaints == []


def test_debugging_tells_that_the_browser_refused_the_cookie(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch
) -> None:
    for sets, told in ((False, "undefined"), (True, ref_of(CLICK))):
        recorder.sets_cookies = sets
        page.goto(shop.url(f"/plain?{CLICK}&cnct_debug=1"))
        watch.settle()
        page.wait_for_function("!Object.keys(localStorage).length")
        assert watch.complaints[-1].endswith(f" 200 null {told}")
