"""Both cookies: what is set, and which of those that come back is believed."""

import pytest
from starlette.types import Scope

from collector.attribution import AGE_SECONDS_MAX, Attribution, Click, sign
from collector.edge.visit import cookies, read_cookie
from tests.unit.samples import BUSINESS, CLICK, KEY, NOW, OTHER, business

OLD, NEW = Attribution(Click("old"), NOW - 100), Attribution(CLICK, NOW)
GOOD, OLDER = sign(NEW, BUSINESS, [KEY]), sign(OLD, BUSINESS, [KEY])
FOREIGN = sign(NEW, OTHER, [KEY])
EXPIRED = sign(Attribution(CLICK, NOW - AGE_SECONDS_MAX - 1), BUSINESS, [KEY])
FORGED = GOOD[:-2] + "AA"


def attributes(line: bytes) -> tuple[str, set[str]]:
    pair, *rest = line.decode().split("; ")
    assert len(set(rest)) == len(rest)
    return pair, set(rest)


@pytest.mark.parametrize(
    ("origin", "domain", "secure"),
    [
        ("https://shop.example", "shop.example", True),
        ("https://shop.example", None, True),
        ("http://localhost:8000", None, False),
        ("http://shop.localhost:8000", "shop.localhost", False),
        ("https://shop.localhost", "shop.localhost", True),
    ],
)
def test_both_cookies_carry_their_attributes_and_no_others(origin: str, domain: str | None, secure: bool) -> None:
    token, ref = cookies(business(cookie_domain=domain), origin, "t.k.n", "r" * 22, 7_776_000)
    shared = {"Max-Age=7776000", "Path=/", "SameSite=Lax"}
    shared |= {f"Domain={domain}"} if domain else set()
    shared |= {"Secure"} if secure else set()
    assert (token[0], attributes(token[1])) == (b"set-cookie", ("cnct=t.k.n", shared | {"HttpOnly"}))
    assert (ref[0], attributes(ref[1])) == (b"set-cookie", (f"cnct_ref={'r' * 22}", shared))


def test_the_business_names_its_cookies() -> None:
    token, ref = cookies(business(cookie_name="cnct_5f2c8f"), "https://shop.example", "t", "r", 1)
    assert token[1].startswith(b"cnct_5f2c8f=t; ")
    assert ref[1].startswith(b"cnct_5f2c8f_ref=r; ")


def test_expiring_empties_both_with_the_attributes_that_they_were_set_with() -> None:
    set_lines = cookies(business(), "https://shop.example", "t", "r", 7)
    gone_lines = cookies(business(), "https://shop.example", "", "", 0)
    for (_, kept), (_, gone) in zip(set_lines, gone_lines, strict=True):
        assert attributes(gone)[0].endswith("=")
        assert attributes(gone)[1] == attributes(kept)[1] - {"Max-Age=7"} | {"Max-Age=0"}


def scope(*lines: str) -> Scope:
    return {"headers": [(b"host", b"x"), *((b"cookie", line.encode("latin-1")) for line in lines)]}


@pytest.mark.parametrize(
    ("lines", "found", "faults"),
    [
        ((), None, ()),
        (("",), None, ()),
        (("cnct",), None, ()),
        (("cnct=",), None, ()),
        (("cnct_ref=x; other=y; CNCT=z; xcnct=w",), None, ()),
        ((f"cnct={GOOD}",), NEW, ()),
        ((f"a=b;cnct={GOOD} ;c=d",), NEW, ()),
        (("a=b", f"cnct={GOOD}"), NEW, ()),
        ((f"cnct={OLDER}; cnct={GOOD}",), NEW, ()),
        ((f"cnct={GOOD}; cnct={OLDER}",), NEW, ()),
        ((f"cnct={GOOD}", f"cnct={OLDER}"), NEW, ()),
        ((f"cnct={FORGED}",), None, ("token-forged",)),
        ((f"cnct={FOREIGN}",), None, ("token-forged",)),
        ((f"cnct={EXPIRED}",), None, ("token-expired",)),
        ((f"cnct={FORGED}; cnct={EXPIRED}; cnct=x",), None, ("token-forged", "token-expired")),
        ((f"cnct={FORGED}; cnct={GOOD}; cnct=\xff",), NEW, ("token-forged",)),
        ((f'cnct="{GOOD}"',), None, ("token-forged",)),
    ],
)
def test_of_the_cookies_that_come_the_newest_that_verifies_counts(
    lines: tuple[str, ...], found: Attribution | None, faults: tuple[str, ...]
) -> None:
    assert read_cookie(scope(*lines), business(), [KEY], NOW) == (found, faults)


def test_only_the_businesss_own_name_counts() -> None:
    named = business(cookie_name="cnct_5f2c8f")
    assert read_cookie(scope(f"cnct={GOOD}"), named, [KEY], NOW) == (None, ())
    assert read_cookie(scope(f"cnct_5f2c8f={GOOD}"), named, [KEY], NOW) == (NEW, ())
