"""Origins as browsers write them, and the domain their cookies may have."""

import pytest

from collector.directory.origin import checked_domain, cookie_domain, normalise, within
from collector.errors import InvalidField


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://shop.example", "https://shop.example"),
        (" HTTPS://Shop.Example:443/ ", "https://shop.example"),
        ("https://shop.example:8443", "https://shop.example:8443"),
        ("https://shop.example.", "https://shop.example"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://faß.example", "https://xn--fa-hia.example"),
        ("http://localhost:8002", "http://localhost:8002"),
        ("http://shop.localhost:80", "http://shop.localhost"),
        ("http://127.0.0.1:8002", "http://127.0.0.1:8002"),
        ("http://[0:0:0:0:0:0:0:1]:8002", "http://[::1]:8002"),
        ("https://192.168.0.7", "https://192.168.0.7"),
    ],
)
def test_an_origin_is_written_as_browsers_write_it(given: str, expected: str) -> None:
    assert normalise(given) == expected
    assert normalise(expected) == expected


@pytest.mark.parametrize(
    "given",
    [
        *("", "null", "*", "shop.example", "//shop.example", "https://", "ftp://shop.example", "javascript:alert(1)"),
        *(
            "https://shop.example/cart",
            "https://shop.example/?a=b",
            "https://shop.example/#a",
            "https://ann@shop.example",
        ),
        *("https://shop.example:99999", "https://shop.example:0", "https://shop.example:x", "https://[::1"),
        *(
            "https://*.shop.example",
            "https://a..b",
            "https://-a.example",
            "https://a b.example",
            "https://a\nb.example",
        ),
        *("https://127.1", "https://1.2.3.4.5", "https://[fe80::1%25eth0]", "https://" + "a" * 64 + ".example"),
        *(
            "https://" + "a." * 130 + "example",
            "https://\ud800.example",
            "https://\u202e.example",
            "https://xn--\u00fc.example",
        ),
    ],
)
def test_what_is_no_origin_is_refused(given: str) -> None:
    with pytest.raises(InvalidField) as caught:
        normalise(given)
    assert caught.value.field == "origin"


@pytest.mark.parametrize(
    "given", ["http://shop.example", "http://192.168.0.7", "http://localhost.example", "http://127.0.0.1.nip.io"]
)
def test_plain_http_is_for_this_machine(given: str) -> None:
    with pytest.raises(InvalidField, match="https"):
        normalise(given)


@pytest.mark.parametrize(
    ("origin", "domain"),
    [
        ("https://shop.merchant.co.uk", "merchant.co.uk"),
        ("https://merchant.example", "merchant.example"),
        ("https://www.loja.com.br:8443", "loja.com.br"),
        ("https://a.b.xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://x.myshopify.com", "x.myshopify.com"),
        ("https://www.x.myshopify.com", "x.myshopify.com"),
        ("http://shop.localhost:8002", "shop.localhost"),
        ("http://t.shop.localhost:8002", "shop.localhost"),
        ("http://localhost:8002", None),
        ("https://myshopify.com", None),
        ("https://co.uk", None),
        ("https://intranet", None),
        ("http://127.0.0.1:8002", None),
        ("http://[::1]:8002", None),
        ("https://192.168.0.7", None),
    ],
)
def test_the_cookie_domain_is_the_widest_that_is_the_merchants_own(origin: str, domain: str | None) -> None:
    assert cookie_domain(origin) == domain


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("merchant.co.uk", "merchant.co.uk"),
        (".Shop.Merchant.co.uk", "shop.merchant.co.uk"),
        ("none", None),
        ("", None),
    ],
)
def test_a_cookie_domain_of_ones_own(given: str, expected: str | None) -> None:
    assert checked_domain(given, "https://shop.merchant.co.uk") == expected


@pytest.mark.parametrize(
    "given", ["co.uk", "uk", "other.co.uk", "t.shop.merchant.co.uk", "op.merchant.co.uk", "merchant.co.uk; Path=/"]
)
def test_a_cookie_domain_that_browsers_would_refuse_is_refused(given: str) -> None:
    with pytest.raises(InvalidField) as caught:
        checked_domain(given, "https://shop.merchant.co.uk")
    assert caught.value.field == "cookie_domain"


@pytest.mark.parametrize("origin", ["http://127.0.0.1", "http://localhost", "https://myshopify.com"])
def test_a_host_without_a_domain_of_its_own_takes_no_cookie_domain(origin: str) -> None:
    with pytest.raises(InvalidField):
        checked_domain(origin.partition("//")[2], origin)


@pytest.mark.parametrize(
    ("host", "domain", "expected"),
    [
        ("shop.example", "shop.example", True),
        ("t.shop.example", "shop.example", True),
        ("xshop.example", "shop.example", False),
        ("example", "shop.example", False),
        ("shop.example.", "shop.example", False),
        ("", "shop.example", False),
    ],
)
def test_a_host_is_within_a_domain_when_it_is_it_or_below(host: str, domain: str, expected: bool) -> None:
    assert within(host, domain) is expected
