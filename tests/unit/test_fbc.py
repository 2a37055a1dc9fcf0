"""Meta's browser ids: the click's `fbc` and the browser's `fbp`."""

import pytest

from collector.fbc import (
    CHARS_MAX,
    NUMBER_RULE,
    SHAPE_RULE,
    TIME_RULE,
    BrowserId,
    build,
    fbc_fault,
    fbp_fault,
    from_landing,
    parse,
    subdomain_index,
)

AT = 1_750_000_000_000
EARLIER = "fb.1.1740000000000.IwAR0earlier"


@pytest.mark.parametrize(
    ("value", "parts"),
    [
        ("fb.1.1740000000000.IwAR0_-aB", BrowserId(1, 1_740_000_000_000, "IwAR0_-aB")),
        ("fb.0.1740000000000.x.AQICAQEC", BrowserId(0, 1_740_000_000_000, "x", "AQICAQEC")),
        ("fb.2.1740000000000.x.Bg", BrowserId(2, 1_740_000_000_000, "x", "Bg")),
    ],
)
def test_an_fbc_falls_into_its_parts(value: str, parts: BrowserId) -> None:
    assert parse(value) == parts
    assert fbc_fault(value) is None


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", SHAPE_RULE),
        ("IwAR0abc", SHAPE_RULE),
        ("fb.1.1740000000000", SHAPE_RULE),
        ("fb.1.1740000000000.", SHAPE_RULE),
        ("fb..1740000000000.x", SHAPE_RULE),
        ("fa.1.1740000000000.x", SHAPE_RULE),
        ("fb.1.1740000000000.x.abc", SHAPE_RULE),
        ("fb.1.1740000000000.x.AQICAQEC.x", SHAPE_RULE),
        ("fb.1.1740000000000.x y", SHAPE_RULE),
        ("fb.1.1740000000000.é", SHAPE_RULE),
        ("fb.1.1740000000000.x\n", SHAPE_RULE),
        ("fb.1.1740000000.x", TIME_RULE),
        ("fb.1.1740000000000000.x", TIME_RULE),
        ("fb.1.0740000000000.x", TIME_RULE),
        ("fb.1.1740000000000." + "x" * CHARS_MAX, f"at most {CHARS_MAX} characters"),
    ],
)
def test_what_is_no_fbc_is_told_why(value: str, rule: str) -> None:
    assert fbc_fault(value) == fbp_fault(value) == rule
    with pytest.raises(ValueError, match="^" + rule.replace("(", r"\(").replace(")", r"\)").replace(".", r"\.") + "$"):
        parse(value)


def test_an_fbp_ends_in_a_number() -> None:
    assert fbp_fault("fb.1.1740000000000.1098115397") is None
    assert fbp_fault("fb.1.1740000000000.0.AQQAAQAA") is None
    assert fbp_fault(EARLIER) == NUMBER_RULE


@pytest.mark.parametrize(
    ("domain", "index"),
    [
        ("com", 0),
        ("example.com", 1),
        (".example.com", 1),
        ("www.example.com", 2),
        ("example.com.br", 2),
        (None, 1),
        ("localhost", 0),
        ("203.0.113.7", 0),
        ("2001:db8::1", 0),
        (".".join("abcdefghijklm"), 9),
    ],
)
def test_the_index_counts_the_dots_of_the_cookies_domain(domain: str | None, index: int) -> None:
    assert subdomain_index(domain) == index


def test_a_click_becomes_an_fbc_letter_for_letter() -> None:
    assert build("IwAR_aB-1", AT, 2) == f"fb.2.{AT}.IwAR_aB-1"
    assert build("IwAR", AT) == f"fb.1.{AT}.IwAR"


@pytest.mark.parametrize("fbclid", ["", "a.b", "a b", "é", "a\n", "x" * CHARS_MAX])
def test_what_no_fbc_can_hold_is_no_click(fbclid: str) -> None:
    with pytest.raises(ValueError, match=r"^(must be printable ASCII without dot and space|at most)"):
        build(fbclid, AT)
    assert from_landing(fbclid, None, AT, "example.com") is None
    assert from_landing(fbclid, EARLIER, AT, "example.com") == EARLIER


@pytest.mark.parametrize(
    ("fbclid", "cookie", "expected"),
    [
        ("IwAR0new", None, f"fb.1.{AT}.IwAR0new"),
        ("IwAR0new", EARLIER, f"fb.1.{AT}.IwAR0new"),
        ("iwar0earlier", EARLIER, f"fb.1.{AT}.iwar0earlier"),
        ("IwAR0earlier", EARLIER, EARLIER),
        ("IwAR0earlier", f"{EARLIER}.AQICAQEC", f"{EARLIER}.AQICAQEC"),
        ("IwAR0new", "fb.1.nonsense", f"fb.1.{AT}.IwAR0new"),
        (None, EARLIER, EARLIER),
        (None, "fb.1.1740000000.seconds", None),
        (None, "", None),
        (None, None, None),
    ],
)
def test_a_landing_keeps_the_cookie_of_the_same_click_and_its_time(
    fbclid: str | None, cookie: str | None, expected: str | None
) -> None:
    assert from_landing(fbclid, cookie, AT, "example.com") == expected
