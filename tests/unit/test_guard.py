"""Who may come in: body sizes, types, origins, cookies, rates."""

from typing import Any

import pytest
from starlette.types import Message, Receive

from collector.edge.guard import (
    Disconnected,
    Rates,
    address,
    check_origin,
    demand_json,
    may_set_cookie,
    read_body,
)
from collector.errors import Forbidden, RateLimited, TooLarge, WrongType
from tests.unit.samples import BUSINESS, OTHER, business

LIMIT = 10


class Caller:
    """Sends a body in chunks and counts how many were asked for."""

    def __init__(self, *chunks: bytes | None) -> None:
        """`None` is a caller that leaves."""
        self.chunks = list(chunks)
        self.asked = 0

    @property
    def receive(self) -> Receive:
        return self._receive

    async def _receive(self) -> Message:
        chunk = self.chunks[self.asked]
        self.asked += 1
        if chunk is None:
            return {"type": "http.disconnect"}
        message: dict[str, Any] = {"type": "http.request", "body": chunk, "more_body": self.asked < len(self.chunks)}
        return {name: value for name, value in message.items() if value not in (b"", False)}


@pytest.mark.parametrize("chunks", [(b"",), (b"0123456789",), (b"01234", b"56789"), (b"", b"0", b"", b"123456789")])
async def test_a_body_up_to_the_limit_is_read_whole(chunks: tuple[bytes, ...]) -> None:
    assert await read_body(Caller(*chunks).receive, {}, LIMIT) == b"".join(chunks)


@pytest.mark.parametrize("declared", [b"11", b"99999999999999999999", b"9" * 5000])
async def test_a_body_declared_too_large_is_refused_unread(declared: bytes) -> None:
    caller = Caller(b"x")
    with pytest.raises(TooLarge):
        await read_body(caller.receive, {b"content-length": declared}, LIMIT)
    assert caller.asked == 0


@pytest.mark.parametrize("declared", [None, b"", b"1", b"10", b"-1", b"x", b"\xb2", b"0" * 5000])
async def test_a_body_is_counted_whatever_was_declared(declared: bytes | None) -> None:
    caller = Caller(b"0123456789", b"0", b"never read")
    with pytest.raises(TooLarge):
        await read_body(caller.receive, {} if declared is None else {b"content-length": declared}, LIMIT)
    assert caller.asked == 2


async def test_a_caller_that_leaves_in_the_middle_gets_no_answer() -> None:
    with pytest.raises(Disconnected):
        await read_body(Caller(b"0", None).receive, {}, LIMIT)


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"deflate", b"GZIP", b"identity, gzip", b"zstd"])
async def test_a_compressed_body_is_refused_unread(encoding: bytes) -> None:
    caller = Caller(b"x")
    with pytest.raises(WrongType, match="Content-Encoding"):
        await read_body(caller.receive, {b"content-encoding": encoding}, LIMIT)
    assert caller.asked == 0


@pytest.mark.parametrize("encoding", [b"identity", b" Identity ", b""])
async def test_an_encoding_that_is_none_is_taken(encoding: bytes) -> None:
    assert await read_body(Caller(b"x").receive, {b"content-encoding": encoding}, LIMIT) == b"x"


@pytest.mark.parametrize(
    "declared",
    [
        b"application/json",
        b"Application/JSON",
        b"application/json;charset=utf-8",
        b"application/json; charset=utf-8; profile=x",
        b'application/json; charset="UTF-8"',
        b" application/json ;",
        b"application/json; profile=x",
    ],
)
def test_json_is_taken(declared: bytes) -> None:
    demand_json({b"content-type": declared})


@pytest.mark.parametrize(
    "declared",
    [
        None,
        b"",
        b"text/plain",
        b"text/json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"application/jsonx",
        b"application/json, text/plain",
        b"application/json; charset=utf-16",
        b"application/json; profile=x; charset=utf-16",
        b"application/json;charset=latin-1",
        b"\xff",
    ],
)
def test_anything_else_is_a_wrong_type(declared: bytes | None) -> None:
    with pytest.raises(WrongType, match=r"^Content-Type: "):
        demand_json({} if declared is None else {b"content-type": declared})


def test_an_origin_of_the_business_comes_in() -> None:
    shop = business(origins=("https://shop.example", "https://www.shop.example:8443"))
    assert check_origin({b"origin": b"https://shop.example"}, shop) == "https://shop.example"
    assert check_origin({b"origin": b"HTTPS://WWW.shop.example:8443"}, shop) == "https://www.shop.example:8443"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        b"",
        b"null",
        b"https://evil.example",
        b"http://shop.example",
        b"https://shop.example.evil.example",
        b"https://shop.example:8443",
        b"https://shop.example/",
        b"https://shop.example, https://evil.example",
        b"\xff",
    ],
)
def test_no_other_origin_comes_in(origin: bytes | None) -> None:
    with pytest.raises(Forbidden):
        check_origin({} if origin is None else {b"origin": origin}, business())


def test_a_navigation_does_not_come_in() -> None:
    with pytest.raises(Forbidden):
        check_origin({b"origin": b"https://shop.example", b"sec-fetch-mode": b"navigate"}, business())


SHOP, SUB, FOREIGN = "https://shop.example", "https://www.shop.example", "https://other.example"


@pytest.mark.parametrize(
    ("site", "host", "origin", "domain", "expected"),
    [
        # the browser says how near the collector is
        (b"same-origin", b"shop.example", SHOP, None, True),
        (b"same-origin", b"shop.example", SHOP, "shop.example", True),
        (b"same-site", b"t.shop.example", SHOP, "shop.example", True),
        (b"same-site", b"t.shop.example", SUB, "shop.example", True),
        (b"same-site", b"t.shop.example", SHOP, None, False),
        # the collector stands beside the domain that was chosen: browsers would refuse its cookies
        (b"same-site", b"t.shop.example", SUB, "www.shop.example", False),
        (b"same-site", b"shop.example:8443", SUB, "www.shop.example", False),
        (b"same-site", b"t.www.shop.example", SUB, "www.shop.example", True),
        (b"same-origin", b"www.shop.example", SUB, "www.shop.example", True),
        # a proxy has put a name of its own there
        (b"same-site", b"127.0.0.1:8000", SUB, "www.shop.example", True),
        (b"same-site", b"collector", SHOP, "shop.example", True),
        (b"same-site", b"", SHOP, "shop.example", True),
        (b"same-origin", b"other.example", FOREIGN, "shop.example", False),
        (b"same-site", b"t.other.example", FOREIGN, "shop.example", False),
        (b"cross-site", b"shop.example", SHOP, "shop.example", False),
        (b"none", b"shop.example", SHOP, "shop.example", False),
        (b"", b"shop.example", SHOP, "shop.example", False),
        # an older browser does not: then the host that was asked decides
        (None, b"shop.example", SHOP, None, True),
        (None, b"SHOP.example:443", SHOP, None, True),
        (None, b"t.shop.example", SHOP, None, False),
        (None, b"t.shop.example", SHOP, "shop.example", True),
        (None, b"t.shop.example:8443", SUB, "shop.example", True),
        (None, b"collector.example", SHOP, "shop.example", False),
        (None, b"xshop.example", SHOP, "shop.example", False),
        (None, b"user@shop.example", SHOP, None, True),
        (None, b"", SHOP, None, False),
        (None, b"", SHOP, "shop.example", False),
        (None, None, SHOP, "shop.example", False),
        (None, b"127.0.0.1:8000", "http://127.0.0.1:9000", None, True),
        (None, b"[::1]:8000", "http://[::1]:9000", None, True),
        # what is no host decides nothing
        (None, b"[", SHOP, "shop.example", False),
        (None, b"[::1", SHOP, "shop.example", False),
        (None, b"a]b", SHOP, "shop.example", False),
        (None, b"\xff\xbd", SHOP, "shop.example", False),
    ],
)
def test_a_cookie_is_set_only_where_it_is_the_shops_own(
    site: bytes | None, host: bytes | None, origin: str, domain: str | None, expected: bool
) -> None:
    headers = {name: value for name, value in ((b"sec-fetch-site", site), (b"host", host)) if value is not None}
    assert may_set_cookie(headers, origin, business(cookie_domain=domain)) is expected


@pytest.mark.parametrize(
    ("one", "other", "together"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("testclient", "testclient", True),
    ],
)
def test_callers_are_counted_by_address_or_by_the_network_of_one_customer(one: str, other: str, together: bool) -> None:
    assert (address({"client": (one, 1)}) == address({"client": (other, 2)})) is together


@pytest.mark.parametrize("scope", [{}, {"client": None}])
def test_a_caller_without_address_is_counted_too(scope: dict[str, Any]) -> None:
    assert address(scope) == ""


def test_calls_are_limited_by_address_whatever_business_they_name() -> None:
    rates = Rates(per_address=2, per_business=100)
    rates.check({"client": ("192.0.2.1", 1)}, BUSINESS)
    rates.check({"client": ("192.0.2.1", 2)}, OTHER)
    with pytest.raises(RateLimited, match="address") as caught:
        rates.check({"client": ("192.0.2.1", 3)}, BUSINESS)
    assert caught.value.retry_after_seconds == 60
    rates.check({"client": ("192.0.2.2", 1)}, BUSINESS)


def test_calls_are_limited_by_business_wherever_they_come_from() -> None:
    rates = Rates(per_address=100, per_business=2)
    rates.check({"client": ("192.0.2.1", 1)}, BUSINESS)
    rates.check({"client": ("192.0.2.2", 1)}, BUSINESS)
    with pytest.raises(RateLimited, match="business"):
        rates.check({"client": ("192.0.2.3", 1)}, BUSINESS)
    rates.check({"client": ("192.0.2.3", 1)}, OTHER)


def test_a_call_that_its_address_may_not_make_does_not_count_against_the_business() -> None:
    rates = Rates(per_address=1, per_business=2)
    rates.check({"client": ("192.0.2.1", 1)}, BUSINESS)
    for _ in range(5):
        with pytest.raises(RateLimited, match="address"):
            rates.check({"client": ("192.0.2.1", 1)}, BUSINESS)
    rates.check({"client": ("192.0.2.2", 1)}, BUSINESS)
