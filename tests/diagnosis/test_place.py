"""Where shop and collector stand, and what the cookie reaches."""

from typing import Any

import pytest

from collector.diagnosis import Visit
from collector.settings import load
from tests.diagnosis.facts import business, found


def at(public_url: str) -> Any:
    return load({"COLLECTOR_PUBLIC_URL": public_url})


def test_an_origin_of_plain_http_is_for_one_machine() -> None:
    row = business(origins=("http://localhost:9000",), cookie_domain=None)
    finding = found("origins", business=row)
    assert (finding.status, finding.what) == ("warning", "http://localhost:9000 is seen from this machine alone")
    assert "--origin https://" in str(finding.remedy)
    beside = found("origins", business=row, settings=at("http://localhost:8000"))
    assert (beside.status, beside.what) == ("ok", "http://localhost:9000 (this machine alone)")


@pytest.mark.parametrize(
    ("visits", "status", "what"),
    [
        ([(200, None)], "ok", "answers"),
        ([(503, None)], "ok", "answers"),
        ([(200, None), (200, None)], "ok", "all 2 origins answer"),
        ([(301, "/en/")], "ok", "answers"),
        ([(302, "https://coffee.example/en")], "ok", "answers"),
        ([(301, "https://www.coffee.example/")], "warning", "leads to https://www.coffee.example, which is no origin"),
        ([(200, "https://www.coffee.example/")], "ok", "answers"),
        ([(302, "https://COFFEE.example:443/en")], "ok", "answers"),
    ],
)
def test_a_shop_that_leads_elsewhere_is_said(visits: Any, status: str, what: str) -> None:
    shop = tuple(Visit(url="https://coffee.example/", status=code, location=where) for code, where in visits)
    finding = found("shop", shop=shop)
    assert finding.status == status
    assert what in finding.what
    wanted = "--origin https://coffee.example --origin https://www.coffee.example"
    assert (wanted in str(finding.remedy)) == (status == "warning")


@pytest.mark.parametrize(
    "location",
    ["https://x.example;touch${IFS}here/", "https://[x/", "http://www.coffee.example/", "javascript:alert(1)"],
)
def test_where_nobody_can_go_is_no_part_of_a_command(location: str) -> None:
    finding = found("shop", shop=(Visit(url="https://coffee.example/", status=302, location=location),))
    assert finding.what.startswith("https://coffee.example/ leads to nowhere")
    assert (finding.status, finding.remedy) == ("warning", "mend where it leads")


def test_a_shop_that_is_not_reached_is_a_warning() -> None:
    finding = found("shop", shop=(Visit(url="https://coffee.example/", error="ConnectError: no such host"),))
    assert (finding.status, "no such host" in finding.what) == ("warning", True)


def test_a_collector_that_is_not_reached_is_a_warning_and_one_that_is_none_a_fault() -> None:
    url = "https://t.coffee.example/cnct.js"
    lost = found("collector", "pages", snippet=Visit(url=url, error="ConnectError"))
    assert (lost.status, "collector serve" in str(lost.remedy)) == ("warning", True)
    other = found("collector", "pages", snippet=Visit(url=url, status=404))
    assert (other.status, other.what) == ("fault", f"{url} answers 404: shoppers get no snippet")
    assert "proxy" in str(other.remedy)


@pytest.mark.parametrize(
    ("public_url", "changes", "status", "what", "remedy"),
    [
        (
            "https://t.coffee.example",
            {},
            "ok",
            "the collector, t.coffee.example, is on the shop's site coffee.example",
            None,
        ),
        ("https://coffee.example/_c", {"cookie_domain": None}, "ok", "on the shop's own host coffee.example", None),
        ("http://localhost:8000", {}, "fault", "http://localhost:8000 is this machine", "set COLLECTOR_PUBLIC_URL"),
        (
            "https://t.coffee.example",
            {"origins": ("https://www.coffee.example",), "cookie_domain": "www.coffee.example"},
            "warning",
            "the cookie's domain www.coffee.example is narrower than the site: t.coffee.example cannot set it",
            "--cookie-domain coffee.example",
        ),
        (
            "https://t.coffee.example",
            {"cookie_domain": None},
            "warning",
            "the cookie's domain coffee.example is narrower than the site",
            "--cookie-domain coffee.example",
        ),
        ("https://agency.example", {}, "warning", "is on another site than coffee.example", "such as t.coffee.example"),
        (
            "https://t.myshopify.com",
            {"origins": ("https://coffee.myshopify.com",), "cookie_domain": "coffee.myshopify.com"},
            "warning",
            "is on another site than coffee.myshopify.com",
            "t.coffee.myshopify.com",
        ),
        (
            "http://127.0.0.1:8000",
            {"origins": ("http://localhost:9000",), "cookie_domain": None},
            "warning",
            "is on another site than localhost",
            "t.localhost",
        ),
    ],
)
def test_the_collectors_site_is_judged_as_browsers_do(
    public_url: str, changes: Any, status: str, what: str, remedy: str | None
) -> None:
    finding = found("site", business=business(**changes), settings=at(public_url))
    assert finding.status == status
    assert what in finding.what
    assert (remedy or "None") in str(finding.remedy)


@pytest.mark.parametrize(
    ("origins", "domain", "status", "what", "remedy"),
    [
        (
            ("https://coffee.example", "https://pay.coffee.example"),
            "coffee.example",
            "ok",
            "coffee.example covers",
            None,
        ),
        (("https://coffee.example",), None, "ok", "cnct on coffee.example alone covers every origin", None),
        (
            ("https://coffee.example", "https://www.coffee.example"),
            None,
            "fault",
            "cnct on coffee.example does not reach https://www.coffee.example",
            "--cookie-domain coffee.example",
        ),
        (
            ("https://www.coffee.example", "https://pay.coffee.example"),
            None,
            "fault",
            "cnct on www.coffee.example does not reach https://pay.coffee.example",
            "--cookie-domain coffee.example",
        ),
        (
            ("https://coffee.example", "https://tea.example"),
            "coffee.example",
            "fault",
            "cnct on coffee.example does not reach https://tea.example",
            "collector business create NAME --origin https://tea.example",
        ),
        (
            ("http://localhost:9000", "http://127.0.0.1:9000"),
            None,
            "fault",
            "does not reach http://127.0.0.1:9000",
            "collector business create",
        ),
    ],
)
def test_an_origin_that_the_cookie_does_not_reach_is_a_fault(
    origins: tuple[str, ...], domain: str | None, status: str, what: str, remedy: str | None
) -> None:
    finding = found("cookie", business=business(origins=origins, cookie_domain=domain))
    assert finding.status == status
    assert what in finding.what
    assert (remedy or "None") in str(finding.remedy)
