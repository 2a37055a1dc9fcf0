"""Which product a page shows: the first of explicit call, data attributes, structured data, OpenGraph."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from tests.snippet.conftest import Shop, Watch, json_ld, moka
from tests.snippet.recording import Recorder

OFFER = {"price": 5, "priceCurrency": "BRL"}


def described(number: int, **parts: Any) -> tuple[str, dict[str, Any]]:
    """A block about product `number`, and what the view should say."""
    thing = {"@type": "Product", "sku": f"S{number}", "offers": OFFER, **parts}
    return json_ld(thing), {"content_ids": [f"S{number}"], "content_type": "product", "value": 5, "currency": "BRL"}


def found(page: Page, shop: Shop, recorder: Recorder, bodies: list[str]) -> list[dict[str, Any]]:
    """Visit a page for each body; returns the data of the views that arrived."""
    for number, body in enumerate(bodies):
        shop.page(f"/shape/{number}", body)
        page.goto(shop.url(f"/shape/{number}"))
        recorder.wait(lambda: len(recorder.views()) > number, f"view of {bodies[number]}")  # noqa: B023  # waited for at once
    return [view["custom_data"] for view in recorder.views()]


def test_structured_data_in_every_common_shape(
    page: Page, shop: Shop, recorder: Recorder, land: Callable[..., None]
) -> None:
    land()
    inner = {"@type": "Product", "sku": "S2", "offers": OFFER}
    breadcrumbs = {"@type": "BreadcrumbList", "itemListElement": [{"@type": "ListItem", "item": "/x"}]}
    rows = [
        described(0),
        described(1, **{"@type": ["Thing", "Product"], "offers": [OFFER]}),
        (json_ld({"@graph": [{"@type": "WebPage"}, inner]}), described(2)[1]),
        (json_ld([breadcrumbs, {**inner, "sku": 3}]), {**described(3)[1], "content_ids": ["3"]}),
        (json_ld({"@type": "WebPage", "mainEntity": {**inner, "sku": "S4"}}), described(4)[1]),
        (json_ld("{broken", "null", "[]", breadcrumbs) + described(5)[0], described(5)[1]),
        described(6, offers={"@type": "AggregateOffer", "highPrice": 9, "lowPrice": "5.00", "priceCurrency": "BRL"}),
        described(7, offers=[{"priceSpecification": [{"priceCurrency": "BRL", "price": "5.00"}]}]),
        described(8, **{"@type": "https://schema.org/Product"}),
        (
            json_ld({"@type": "ProductGroup", "productGroupID": "G9", "hasVariant": [{"sku": "v", "offers": OFFER}]}),
            {"content_ids": ["G9"], "content_type": "product_group", "value": 5, "currency": "BRL"},
        ),
        (
            json_ld({"@type": "Product", "productID": "P10", "offers": {"price": "1.299,00", "priceCurrency": "R$"}}),
            {"content_ids": ["P10"], "content_type": "product"},
        ),
        (json_ld({"@type": "Product", "sku": "S11"}), {"content_ids": ["S11"], "content_type": "product"}),
    ]
    assert found(page, shop, recorder, [body for body, _ in rows]) == [data for _, data in rows]


def test_data_attributes_and_open_graph(page: Page, shop: Shop, recorder: Recorder, land: Callable[..., None]) -> None:
    land()
    graph = "".join(
        f'<meta property="product:{name}" content="{value}">'
        for name, value in (("retailer_item_id", "O1"), ("price:amount", "7.50"), ("price:currency", "EUR"))
    )
    assert found(
        page,
        shop,
        recorder,
        [
            '<div data-cnct-product="D1" data-cnct-value="3.5" data-cnct-currency="mxn"></div>' + moka(),
            '<div data-cnct-product="D2"></div>' + graph,
            '<div data-cnct-product="" data-cnct-value=""></div>' + graph,
            '<div data-cnct-product="D3" data-cnct-value="3.5" data-cnct-currency=""></div>',
            graph,
            moka() + graph,
        ],
    ) == [
        {"content_ids": ["D1"], "content_type": "product", "value": 3.5, "currency": "mxn"},
        {"content_ids": ["D2"], "content_type": "product"},
        {"content_ids": ["O1"], "content_type": "product", "value": 7.5, "currency": "EUR"},
        {"content_ids": ["D3"], "content_type": "product"},
        {"content_ids": ["O1"], "content_type": "product", "value": 7.5, "currency": "EUR"},
        {"content_ids": ["moka"], "content_type": "product", "value": 39, "currency": "USD"},
    ]


def test_what_is_not_the_pages_own_product_is_no_view(
    page: Page, shop: Shop, watch: Watch, land: Callable[..., None]
) -> None:
    land()
    item = {"@type": "ListItem", "item": {"@type": "Product", "sku": "S1"}}
    bodies = [
        "<h1>no product</h1>",
        json_ld({"@type": "ItemList", "itemListElement": [item]}),
        json_ld({"@type": "CollectionPage", "mainEntity": {"@type": "ItemList", "itemListElement": [item]}}),
        json_ld({"@type": "ProductModel", "sku": "x"}, {"@type": "IndividualProduct", "sku": "x"}),
        '<meta property="og:type" content="website"><meta property="og:title" content="Product">',
    ]
    del watch.sent[:]
    for number, body in enumerate(bodies):
        shop.page(f"/other/{number}", body)
        page.goto(shop.url(f"/other/{number}"))
        watch.settle()
        assert watch.sent == [], body
    assert watch.complaints == []


def test_hostile_structured_data_disturbs_nobody(
    page: Page, shop: Shop, watch: Watch, land: Callable[..., None]
) -> None:
    land()
    deep = "[" * 20_000 + "]" * 20_000
    wide = json.dumps([{"@type": "Thing"}] * 50_000)
    hostile = [
        {"@type": {"toString": 1}},
        {"@graph": 5, "mainEntity": "x"},
        {"map": 1, "length": -1, "__proto__": {"@type": "Product"}},
        {"@type": "Product", "sku": {"a": 1}, "offers": [[[None]]]},
        "]]>",
        "<!-- {} -->",
        deep,
        wide,
    ]
    for number, thing in enumerate(hostile):
        shop.page(f"/hostile/{number}", json_ld(thing))
        page.goto(shop.url(f"/hostile/{number}"))
        watch.settle()
        assert page.title() == f"/hostile/{number}"
    assert watch.complaints == []


def test_an_explicit_view_says_what_it_was_given(
    page: Page, shop: Shop, recorder: Recorder, watch: Watch, land: Callable[..., None]
) -> None:
    land()
    given = {"contents": [{"id": "a", "quantity": 2, "item_price": 1.5}], "value": 3, "currency": "USD"}
    page.evaluate("given => cnct('view', given)", given)
    assert recorder.wait_for("events")[0]["custom_data"] == given
    watch.settle()
    assert watch.sent == ["landing", "events"]


def test_a_price_is_read_whole_or_not_at_all_and_never_without_its_currency(
    page: Page, shop: Shop, recorder: Recorder, land: Callable[..., None]
) -> None:
    """The collector refuses a value without a currency, and the whole view with it."""
    land()
    prices: list[tuple[Any, Any]] = [
        ("1,299.00", None), ("1.299,00", None), ("39 USD", None), (1299, 1299), ("1299.5", 1299.5), (1299.5, 1299.5),
    ]  # fmt: skip
    bodies = [
        json_ld({"@type": "Product", "sku": f"S{number}", "offers": {"price": price, "priceCurrency": "USD"}})
        for number, (price, _) in enumerate(prices)
    ]
    values = [data.get("value") for data in found(page, shop, recorder, bodies)]
    assert values == [value for _, value in prices]
    shop.page("/bare", json_ld({"@type": "Product", "sku": "bare", "offers": {"price": 5}}))
    page.goto(shop.url("/bare"))
    recorder.wait(lambda: len(recorder.views()) > len(prices), "view without a currency")
    assert recorder.views()[-1]["custom_data"] == {"content_ids": ["bare"], "content_type": "product"}
