"""The demo shop's pages."""

import json
import re

import pytest

from collector.sandbox.shop.catalogue import PRODUCTS
from tests.sandbox.samples import BUSINESS
from tests.sandbox.shopping import COLLECTOR, Collector, Visitor, open_shop


def test_the_way_leads_from_landing_to_thank_you(visitor: Visitor) -> None:
    landing = visitor.client.get("/?ctwa_clid=x&cnct_tracking_id=y").text
    for sku in PRODUCTS:
        assert f'href="/products/{sku}"' in landing
    assert "Add to cart" in visitor.client.get("/products/moka-3").text
    assert "$78.00" in visitor.add("moka-3", "2").text
    assert "Pay $78.00" in visitor.client.get("/checkout").text
    thanks = visitor.client.get(f"/orders/{visitor.pay()}").text
    assert "Thank you, Ana" in thanks
    assert "$78.00" in thanks


def test_every_page_carries_the_tag_and_runs_under_a_strict_policy(visitor: Visitor) -> None:
    visitor.add("moka-3")
    tag = f'<script async src="{COLLECTOR}/cnct.js" data-business="{BUSINESS}"></script>'
    for path in ("/", "/products/moka-3", "/cart", "/checkout", "/nowhere"):
        page = visitor.client.get(path)
        assert tag in page.text, path
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert policy["script-src"] == policy["connect-src"] == f"'self' {COLLECTOR}"
        scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page.text, re.DOTALL)
        assert all(not text or "application/ld+json" in head for head, text in scripts), path
        assert not re.search(r"<style|\sstyle=|\son\w+=", page.text), path


def test_the_tag_says_what_is_out_of_the_ordinary() -> None:
    with open_shop(cookie_name="cnct_5f2c8f", cookie_mode="foreign") as visitor:
        page = visitor.client.get("/").text
    assert f'data-business="{BUSINESS}" data-cookie="cnct_5f2c8f" data-site="foreign"></script>' in page


@pytest.mark.parametrize("sku", PRODUCTS)
def test_products_describe_themselves_to_machines(visitor: Visitor, sku: str) -> None:
    page = visitor.client.get(f"/products/{sku}").text
    match = re.search(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert match
    schema = json.loads(match[1])
    assert (schema["@type"], schema["sku"], schema["name"]) == ("Product", sku, PRODUCTS[sku].name)
    assert schema["offers"]["priceCurrency"] == "USD"
    assert float(schema["offers"]["price"]) * 100 == pytest.approx(PRODUCTS[sku].cents)
    assert f'<link rel="canonical" href="{schema["url"]}">' in page


def test_the_cart_adds_sets_and_removes(visitor: Visitor) -> None:
    visitor.add("moka-3")
    visitor.add("moka-3", "2")
    visitor.add("mug-stone", "99")
    assert "3 × $39.00" in visitor.client.get("/cart").text
    assert "10 × $18.50" in visitor.client.get("/cart").text
    assert "Moka" not in visitor.add("moka-3", "0", set="1").text


@pytest.mark.parametrize(
    "cookie", ["x", "moka-3", "moka-3:-1", "moka-3:1e9", "nope:1", "moka-3:٣", ":::...", "moka-3:99999999999999999999"]
)
def test_a_cart_that_makes_no_sense_is_empty(visitor: Visitor, cookie: str) -> None:
    page = visitor.client.get("/cart", headers={b"Cookie": f"cart={cookie}".encode()})
    assert (page.status_code, "Nothing in it yet" in page.text) == (200, True)


def test_checkout_needs_something_in_the_cart(visitor: Visitor, collector: Collector) -> None:
    assert visitor.client.get("/checkout").url.path == "/cart"
    assert visitor.client.post("/checkout", data={"name": "x"}).url.path == "/cart"
    assert collector.calls == []


@pytest.mark.parametrize(
    "path", ["/products/none", "/orders/MD-0000000000", "/orders/x/report", "/x/y", "/static/../app.py"]
)
def test_what_is_not_there_is_404(visitor: Visitor, path: str) -> None:
    assert visitor.client.get(path).status_code == 404


def test_a_form_too_large_is_an_empty_form(visitor: Visitor) -> None:
    assert visitor.client.post("/cart", content=b"sku=moka-3&x=" + b"y" * 20_000).status_code == 200
    assert "Nothing in it yet" in visitor.client.get("/cart").text


def test_a_name_is_shown_as_text(visitor: Visitor) -> None:
    visitor.add("moka-3")
    thanks = visitor.client.get(f"/orders/{visitor.pay(name='<script>alert(1)</script>')}").text
    assert "<script>alert" not in thanks
    assert "&lt;script&gt;alert" in thanks
