"""The adapters of consent tools: what they tell the snippet, and that nothing which a page does to their globals makes them throw."""

from playwright.sync_api import Page

from tests.snippet.conftest import Shop, Watch
from tests.snippet.test_extras import extra


def states(page: Page, shop: Shop, name: str, prelude: str, script: str) -> list[str]:
    """What a consent adapter tells, in order."""
    shop.page(
        "/adapter",
        head=f"<script>window.cnct = (...words) => cnct.q.push(words); cnct.q = []; {prelude}</script>{extra(name)}",
    )
    page.goto(shop.url("/adapter"))
    page.evaluate(script)
    told: list[list[str]] = page.evaluate("cnct.q")
    assert all(words[0] == "consent" for words in told)
    return [words[1] for words in told]


def test_the_framework_of_the_iab_is_heard(page: Page, shop: Shop) -> None:
    prelude = "window.__tcfapi = (command, version, callback) => { window.tell = callback; };"
    tell = "tell({eventStatus: %s, purpose: {consents: %s}}, true);"
    script = (
        tell % ("'cmpuishown'", "{}")
        + tell % ("'useractioncomplete'", "{1: true, 7: true}")
        + tell % ("'useractioncomplete'", "{1: true, 7: false}")
        + "tell({gdprApplies: false}, true); tell(null, false);"
    )
    assert states(page, shop, "consent-tcf", prelude, script) == ["pending", "granted", "denied", "granted"]


def test_googles_consent_mode_is_heard(page: Page, shop: Shop) -> None:
    prelude = (
        "window.dataLayer = []; function gtag() { dataLayer.push(arguments); }"
        "gtag('js', new Date()); gtag('consent', 'default', {ad_storage: 'denied', ad_user_data: 'denied'});"
    )
    script = (
        "gtag('consent', 'update', {ad_storage: 'granted', ad_user_data: 'granted'}); dataLayer.push({event: 'x'}, null);"
        "gtag('consent', 'update', {ad_user_data: 'denied'});"
        "gtag('consent', 'default', {ad_storage: 'denied', region: ['ES']});"
    )
    assert states(page, shop, "consent-google", prelude, script) == ["pending", "granted", "denied"]
    assert page.evaluate("dataLayer.length") == 7


def test_shopifys_privacy_banner_is_heard(page: Page, shop: Shop) -> None:
    prelude = (
        "window.said = ''; window.Shopify = {loadFeatures: (list, done) => done(), customerPrivacy: {"
        "currentVisitorConsent: () => ({marketing: said}), marketingAllowed: () => false}};"
    )
    script = "for (said of ['yes', 'no']) document.dispatchEvent(new Event('visitorConsentCollected'));"
    assert states(page, shop, "consent-shopify", prelude, script) == ["pending", "granted", "denied"]


def test_a_framework_that_is_none_or_talks_nonsense_disturbs_nobody(page: Page, shop: Shop, watch: Watch) -> None:
    for prelude in (
        "window.__tcfapi = {}",
        "window.__tcfapi = () => { throw 1; }",
        "document.write('<a id=__tcfapi>')",
    ):
        assert states(page, shop, "consent-tcf", prelude, "0") == []
    prelude = "window.__tcfapi = (command, version, callback) => { window.tell = callback; };"
    script = "for (const data of [null, {}, {purpose: 5}, {eventStatus: 'tcloaded'}, 7]) tell(data, true);"
    assert states(page, shop, "consent-tcf", prelude, script) == []
    assert watch.complaints == []


def test_a_data_layer_that_is_none_disturbs_nobody(page: Page, shop: Shop, watch: Watch) -> None:
    for prelude in ("window.dataLayer = {}", "window.dataLayer = Object.freeze([])", "window.dataLayer = 5"):
        assert states(page, shop, "consent-google", prelude, "0") == []
    script = "for (const entry of [0, null, ['consent'], ['consent', 'update'], ['consent', 'default', null]]) dataLayer.push(entry);"
    assert states(page, shop, "consent-google", "", script) == []
    assert watch.complaints == []


def test_a_default_that_denies_somewhere_is_no_grant_until_the_visitor_has_spoken(page: Page, shop: Shop) -> None:
    """Where the visitor is, only Google knows."""
    gtag = "window.dataLayer = []; function gtag() { dataLayer.push(arguments); }"
    everywhere = "gtag('consent', 'default', {ad_storage: 'granted', ad_user_data: 'granted'});"
    somewhere = "gtag('consent', 'default', {ad_storage: 'denied', region: ['ES', 'BR']});"
    update = "gtag('consent', 'update', {ad_storage: 'granted'});"
    assert states(page, shop, "consent-google", gtag + everywhere + somewhere, update) == [
        "granted", "pending", "granted",
    ]  # fmt: skip
    assert states(page, shop, "consent-google", gtag + somewhere + everywhere, update) == [
        "pending", "pending", "granted",
    ]  # fmt: skip
    assert states(page, shop, "consent-google", gtag + everywhere, "0") == ["granted"]


def test_shopifys_banner_may_come_late_or_be_none(page: Page, shop: Shop, watch: Watch) -> None:
    """A visitor who agreed on an earlier day is not asked again: no event tells it."""
    page.goto(shop.url("/settled"))
    shopify = (
        "window.Shopify = {loadFeatures: (list, done) => done(), customerPrivacy: {"
        "currentVisitorConsent: () => ({marketing: 'yes'}), marketingAllowed: () => true}}"
    )
    late = f"setTimeout(() => {{ {shopify} }}, 1000)"
    shop.page(
        "/late",
        head=f"<script>window.cnct = (...words) => cnct.q.push(words); cnct.q = []; {late}</script>{extra('consent-shopify')}",
    )
    page.goto(shop.url("/late"))
    page.clock.run_for(3000)
    assert page.evaluate("cnct.q") == [["consent", "granted"]]
    for prelude in (
        "window.Shopify = 5",
        "window.Shopify = {loadFeatures: 5}",
        "window.Shopify = {loadFeatures() { throw 1; }}",
    ):
        assert states(page, shop, "consent-shopify", prelude, "0") == []
        page.clock.run_for(20_000)
    assert watch.complaints == []
