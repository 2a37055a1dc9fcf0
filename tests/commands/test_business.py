"""`collector business`."""

import uuid
from pathlib import Path

import pytest

from tests.commands.conftest import Run, Tell

ORIGIN = "https://shop.merchant.co.uk"
OWN_ID = "0b8e2e8a-9f3b-4c57-8a43-1f2e3d4c5b6a"


def test_create_answers_with_id_key_and_tag_alone(tell: Tell) -> None:
    told = tell("business", "create", "Coffee Shop", "--origin", "https://coffee.example")
    assert set(told) == {"business_id", "api_key", "tag"}
    assert uuid.UUID(told["business_id"]).version == 4
    assert told["api_key"].startswith("ck_")
    assert len(told["api_key"]) == 3 + 43
    assert told["tag"] == (
        f'<script async src="http://localhost:8000/cnct.js" data-business="{told["business_id"]}" data-site="foreign"></script>'
    )


def test_two_businesses_differ_in_id_and_key(tell: Tell) -> None:
    one, two = (tell("business", "create", name, "--origin", f"https://{name}.example") for name in ("a", "b"))
    assert one["business_id"] != two["business_id"]
    assert one["api_key"] != two["api_key"]


def test_the_tag_names_the_public_address(tell: Tell) -> None:
    told = tell(
        "business", "create", "A", "--origin", ORIGIN, env={"COLLECTOR_PUBLIC_URL": "https://t.merchant.co.uk/c/"}
    )
    assert 'src="https://t.merchant.co.uk/c/cnct.js"' in told["tag"]


@pytest.mark.parametrize(
    ("address", "shop", "foreign"),
    [
        ("https://shop.merchant.co.uk/_c", ORIGIN, False),
        ("https://t.merchant.co.uk", ORIGIN, False),
        ("https://other.co.uk", ORIGIN, True),
        ("https://merchant.co.uk.evil.example", ORIGIN, True),
        ("https://t.myshopify.com", "https://shop.myshopify.com", True),
        ("http://127.0.0.1:8000", "http://127.0.0.1:9000", False),
        ("http://127.0.0.1:8000", "http://127.0.0.2:9000", True),
        ("http://t.shop.localhost:8000", "http://shop.localhost:9000", False),
    ],
)
def test_the_tag_says_where_the_collector_is_on_another_site(
    tell: Tell, address: str, shop: str, foreign: bool
) -> None:
    told = tell("business", "create", "A", "--origin", shop, env={"COLLECTOR_PUBLIC_URL": address})
    assert (' data-site="foreign"' in told["tag"]) == foreign


def test_people_read_a_short_answer(run: Run) -> None:
    result = run("business", "create", "Coffee Shop", "--origin", ORIGIN)
    assert result.exit_code == 0
    assert result.stderr == ""
    first, *_ = result.stdout.splitlines()
    assert first == "Business     Coffee Shop"
    assert "Cookie       cnct on merchant.co.uk" in result.stdout
    assert "shown this once" in result.stdout
    assert result.stdout.count("ck_") == 1
    assert "\x1b" not in result.stdout
    assert len(result.stdout.splitlines()) < 15


def test_an_id_made_for_connectly_is_kept(tell: Tell) -> None:
    assert tell("business", "create", "A", "--origin", ORIGIN, "--id", OWN_ID.upper())["business_id"] == OWN_ID


def test_an_id_is_given_once(run: Run, tell: Tell) -> None:
    tell("business", "create", "A", "--origin", ORIGIN, "--id", OWN_ID)
    result = run("business", "create", "B", "--origin", "https://b.example", "--id", OWN_ID)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "exists" in result.stderr
    assert [row["name"] for row in tell("business", "list")["businesses"]] == ["A"]


def test_a_second_business_on_the_domain_gets_a_cookie_of_its_own(tell: Tell) -> None:
    tell("business", "create", "A", "--origin", ORIGIN)
    second = tell("business", "create", "B", "--origin", "https://www.merchant.co.uk", "--id", OWN_ID)
    assert second["tag"].endswith(f' data-business="{OWN_ID}" data-cookie="cnct_4c5b6a" data-site="foreign"></script>')
    shown = tell("business", "show", OWN_ID)["business"]
    assert (shown["cookie_name"], shown["cookie_domain"]) == ("cnct_4c5b6a", "merchant.co.uk")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("http://127.0.0.1:8002", "http://127.0.0.1:9002"),
        ("http://localhost:8002", "http://localhost:9002"),
        ("https://a.merchant.example", "https://merchant.example"),
    ],
)
def test_cookies_ignore_ports_and_so_do_we(tell: Tell, one: str, two: str) -> None:
    assert "data-cookie" not in tell("business", "create", "A", "--origin", one)["tag"]
    assert "data-cookie" in tell("business", "create", "B", "--origin", two)["tag"]


def test_shops_on_one_platform_do_not_share_a_cookie(tell: Tell) -> None:
    for name in ("a", "b"):
        assert "data-cookie" not in tell("business", "create", name, "--origin", f"https://{name}.myshopify.com")["tag"]


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["A"], "--origin"),
        (["A", "--origin", "http://shop.example"], "https"),
        (["A", "--origin", "https://shop.example/cart"], "no path"),
        (["", "--origin", ORIGIN], "name"),
        (["A\nB", "--origin", ORIGIN], "name"),
        (["A" * 101, "--origin", ORIGIN], "name"),
        (["A", "--origin", ORIGIN, "--id", "7"], "UUID"),
        (["A", "--origin", ORIGIN, "--id", ""], "UUID"),
        (["A", "--origin", ORIGIN, "--timezone", "Mars/Olympus"], "time zone"),
        (["A", "--origin", ORIGIN, "--timezone", "../../etc/passwd"], "time zone"),
        (["A", "--origin", ORIGIN, "--timezone", "America"], "time zone"),
        (["A", "--origin", ORIGIN, "--region", "UK"], "country"),
        (["A", "--origin", ORIGIN, "--timezone", ""], "time zone"),
        (["A", "--origin", ORIGIN, "--region", "BRA"], "region"),
        (["A", "--origin", ORIGIN, "--destination", "google"], "destination"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_stored(run: Run, tell: Tell, arguments: list[str], word: str) -> None:
    result = run("business", "create", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert word in result.stderr
    assert "Traceback" not in result.stderr
    assert tell("business", "list") == {"businesses": []}


def test_set_changes_what_is_named_and_nothing_else(tell: Tell, shop: str) -> None:
    before = tell("business", "show", shop)["business"]
    after = tell(
        *("business", "set", shop, "--mode", "test", "--test-event-code", "TEST123", "--consent-required"),
        *("--timezone", "America/Sao_Paulo", "--region", "br", "--name", "Café"),
    )["business"]
    expected = {
        "mode": "test",
        "test_event_code": "TEST123",
        "consent_required": True,
        "timezone": "America/Sao_Paulo",
        "region": "BR",
        "name": "Café",
    }
    assert after == before | expected
    assert tell("business", "show", shop)["business"] == after


def test_what_was_set_can_be_taken_back(tell: Tell, shop: str) -> None:
    before = tell("business", "show", shop)["business"]
    tell("business", "set", shop, "--mode", "test", "--test-event-code", "T1", "--consent-required", "--region", "BR")
    tell("business", "set", shop, "--mode", "live", "--test-event-code", "", "--no-consent-required", "--region", "")
    assert tell("business", "show", shop)["business"] == before


def test_a_policy_is_changed_field_by_field_and_taken_back(run: Run, tell: Tell, shop: str) -> None:
    assert tell("business", "show", shop)["business"]["policy"] == {}
    tell("business", "set", shop, "--messaging-names", " Purchase, LeadSubmitted,,Purchase", "--lead-submitted")
    told = tell(
        *("business", "set", shop, "--other-names", "system_generated", "--purchases", "website"),
        *("--website-click-id", "--window-days", "90"),
    )
    assert told["business"]["policy"] == {
        "messaging_names": ["Purchase", "LeadSubmitted"],
        "lead_submitted": True,
        "other_names": "system_generated",
        "purchases": "website",
        "website_click_id": True,
        "window_days": 90,
    }
    words = run("business", "show", shop).stdout
    for line in (
        "Chat events    Purchase, LeadSubmitted",
        "Purchases      told as the website's",
        "Click window   90 days",
    ):
        assert f"\n{line}\n" in words
    tell("business", "set", shop, "--messaging-names", "", "--no-lead-submitted", "--other-names", "refuse")
    tell("business", "set", shop, "--purchases", "business_messaging", "--no-website-click-id", "--window-days", "28")
    assert tell("business", "show", shop)["business"]["policy"] == {}
    assert "Click window" not in run("business", "show", shop).stdout


def test_purchases_of_the_website_do_not_go_through_connectly(run: Run, tell: Tell, shop: str) -> None:
    tell("business", "set", shop, "--purchases", "website")
    result = run("destination", "set", shop, "connectly", "--connectly-business-id", OWN_ID, stdin="key")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "purchases" in result.stderr
    assert tell("channel", "list", shop) == {"channels": []}, "nothing of it is stored"


def test_a_computed_cookie_domain_follows_the_origin(tell: Tell, shop: str) -> None:
    moved = tell(
        "business", "set", shop, "--origin", "https://www.kaffee.example", "--origin", "https://pay.kaffee.example"
    )
    assert moved["business"]["cookie_domain"] == "kaffee.example"
    assert moved["business"]["origins"] == ["https://www.kaffee.example", "https://pay.kaffee.example"]


def test_a_cookie_domain_of_ones_own_stays(tell: Tell, shop: str) -> None:
    tell("business", "set", shop, "--origin", "https://www.coffee.example", "--cookie-domain", "www.coffee.example")
    moved = tell(
        "business", "set", shop, "--origin", "https://www.coffee.example", "--origin", "https://coffee.example"
    )
    assert moved["business"]["cookie_domain"] == "www.coffee.example"
    assert tell("business", "set", shop, "--cookie-domain", "none")["business"]["cookie_domain"] is None


def test_a_cookie_domain_that_no_longer_fits_is_refused(run: Run, tell: Tell, shop: str) -> None:
    tell("business", "set", shop, "--origin", "https://www.coffee.example", "--cookie-domain", "www.coffee.example")
    result = run("business", "set", shop, "--origin", "https://tea.example")
    assert result.exit_code == 2
    assert "cookie_domain" in result.stderr
    assert tell("business", "show", shop)["business"]["origins"] == ["https://www.coffee.example"]


def test_a_cookie_name_of_ones_own_is_in_the_tag(tell: Tell, shop: str) -> None:
    assert 'data-cookie="my_cookie"' in tell("business", "set", shop, "--cookie-name", "my_cookie")["tag"]


def test_a_taken_cookie_name_is_refused(run: Run, tell: Tell, shop: str) -> None:
    other = tell("business", "create", "B", "--origin", "https://www.coffee.example")["business_id"]
    result = run("business", "set", other, "--cookie-name", "cnct")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "another business's" in result.stderr


@pytest.mark.parametrize("wide_first", [True, False])
def test_a_host_below_a_domain_does_not_share_its_cookie_name(run: Run, tell: Tell, wide_first: bool) -> None:
    wide = tell("business", "create", "Wide", "--origin", "https://merchant.example")["business_id"]
    narrow = tell("business", "create", "Narrow", "--origin", "https://www.merchant.example")["business_id"]
    tell("business", "set", narrow, "--cookie-domain", "none")
    if not wide_first:
        tell("business", "set", wide, "--cookie-name", "other")
        tell("business", "set", narrow, "--cookie-name", "cnct")
    result = run("business", "set", narrow if wide_first else wide, "--cookie-name", "cnct")
    assert result.exit_code == 1
    assert "another business's" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        ([], 2, "name what to change"),
        (["--cookie-name", "a=b; Path=/"], 2, "cookie_name"),
        (["--cookie-name", "__Host-cnct"], 2, "cookie_name"),
        (["--cookie-name", "cnct_ref"], 2, "cookie_name"),
        (["--cookie-domain", "example"], 2, "cookie_domain"),
        (["--cookie-domain", "coffee.example\r\nSet-Cookie: a=b"], 2, "cookie_domain"),
        (["--test-event-code", "a b"], 2, "test_event_code"),
        (["--mode", "demo"], 2, "--mode"),
        (["--timezone", "UTC+3"], 2, "timezone"),
        (["--messaging-names", "Purchase,Lead"], 2, "'Lead' is none of Purchase, LeadSubmitted"),
        (["--messaging-names", "purchase"], 2, "messaging_names"),
        (["--window-days", "0"], 2, "window_days: must be 1 to 90"),
        (["--window-days", "91"], 2, "window_days"),
        (["--window-days", "x"], 2, "--window-days"),
        (["--other-names", "drop"], 2, "--other-names"),
        (["--purchases", "offline"], 2, "--purchases"),
        (["--purchases", "website", "--destination", "connectly"], 2, "purchases: website needs the destination meta"),
    ],
)
def test_a_bad_change_is_refused(run: Run, tell: Tell, shop: str, arguments: list[str], code: int, word: str) -> None:
    before = tell("business", "show", shop)
    result = run("business", "set", shop, *arguments)
    assert (result.exit_code, result.stdout) == (code, "")
    assert word in result.stderr
    assert tell("business", "show", shop) == before


@pytest.mark.parametrize("command", [["show"], ["set", "--mode", "test"]])
def test_an_unknown_business_is_said(run: Run, command: list[str]) -> None:
    result = run("business", command[0], OWN_ID, *command[1:])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"Error: no business {OWN_ID}\n"


def test_the_list_is_a_table_and_helps_where_it_is_empty(run: Run) -> None:
    assert "collector business create" in run("business", "list").stdout
    run("business", "create", "Coffee Shop", "--origin", ORIGIN)
    head, row = run("business", "list").stdout.splitlines()
    assert head.split() == ["ID", "NAME", "ORIGIN", "DESTINATION", "MODE"]
    assert head.index("ORIGIN") == row.index(ORIGIN)


def test_no_command_leaves_a_plaintext_key_behind(tell: Tell, tmp_path: Path) -> None:
    told = tell("business", "create", "A", "--origin", ORIGIN)
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) >= 2
    assert all(told["api_key"].encode() not in file.read_bytes() for file in files)
