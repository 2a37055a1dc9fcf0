"""Who may come in: size, type, key, origin and rate, before anything costs something."""

import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import Receive, Scope

from collector.directory.origin import within
from collector.errors import Forbidden, InvalidField, RateLimited, TooLarge, WrongType
from collector.store.face import BusinessRow

BROWSER_BODY_BYTES_MAX: Final = 64 * 1024
SERVER_BODY_BYTES_MAX: Final = 256 * 1024

Headers = Mapping[bytes, bytes]


class Disconnected(InvalidField):
    """The caller left in the middle of its body: there is nobody to answer, but it was a call."""

    def __init__(self) -> None:
        super().__init__("body", "must come whole")


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """Read a body of at most `limit` bytes. How long it may take is the connection's business.

    Raises TooLarge as soon as it is known, WrongType for a compressed body, Disconnected for one that ends too soon.
    """
    if headers.get(b"content-encoding", b"identity").strip().lower() not in (b"", b"identity"):
        raise WrongType("Content-Encoding", "must be identity; compressed bodies are not taken")
    declared = headers.get(b"content-length", b"0")[:20]  # longer numbers are too large as well
    if declared.isdigit() and int(declared) > limit:
        raise TooLarge(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise TooLarge(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def demand_json(headers: Headers) -> None:
    """Raise WrongType unless the body is declared as JSON, in UTF-8 where a charset is named."""
    declared = headers.get(b"content-type", b"").lower()
    if declared == b"application/json":
        return
    kind, _, parameters = declared.partition(b";")
    if kind.strip() != b"application/json":
        raise WrongType("Content-Type", "must be application/json")
    for parameter in parameters.replace(b" ", b"").replace(b'"', b"").split(b";"):
        if parameter.startswith(b"charset=") and parameter != b"charset=utf-8":
            raise WrongType("Content-Type", "charset must be utf-8")


def check_origin(headers: Headers, business: BusinessRow) -> str:
    """The request's Origin, if it is one of the business's.

    Simple requests take effect without CORS, so the server itself must ask. Raises Forbidden where it is absent, `null` or another's, and
    for navigations, which a script cannot have made.
    """
    if headers.get(b"sec-fetch-mode") == b"navigate":
        raise Forbidden("navigations are not taken here")
    origin = headers.get(b"origin", b"").decode("latin-1").lower()
    if origin not in business.origins:
        raise Forbidden("this Origin is not one of the business's")
    return origin


def may_set_cookie(headers: Headers, origin: str, business: BusinessRow) -> bool:
    """Whether a cookie set in this answer is the shop's own (same site): the browser says so, and the page lies within the cookie's domain.

    Otherwise the collector is on a foreign site, and the token travels in answers and bodies.
    """
    shop = (urlsplit(origin).hostname or "").lower()
    asked = _host(headers.get(b"host", b"").decode("latin-1"))
    domain = business.cookie_domain
    site = headers.get(b"sec-fetch-site")
    if site is None:  # older browsers do not say; then the host that was asked decides
        near = asked == shop or (domain is not None and within(asked, domain))
    else:
        near = site == b"same-origin" or (site == b"same-site" and domain is not None and not _beside(asked, domain))
    return near and (domain is None or within(shop, domain))


def _host(asked: str) -> str:
    """The name in a Host header, without its port; empty where it makes no sense."""
    try:
        return urlsplit(f"//{asked.rpartition('@')[2]}").hostname or ""
    except ValueError:
        return ""


def _beside(host: str, domain: str) -> bool:
    """Whether a host is on the domain's site and not within it: `t.shop.example` may not set a cookie on `www.shop.example`.

    A name that is nothing like the domain's is one that a proxy made up, and says nothing.
    """
    return not within(host, domain) and within(host, ".".join(domain.split(".")[-2:]))


class Rates:
    """Calls a minute, by address and by business: anyone can post at the browser edge."""

    def __init__(self, per_address: int, per_business: int) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._address = RateLimitItemPerMinute(per_address)
        self._business = RateLimitItemPerMinute(per_business)

    def check(self, scope: Scope, business_id: str) -> None:
        """Count one call. Raises RateLimited."""
        if not self._limiter.hit(self._address, "address", address(scope)):
            raise RateLimited("too many calls from this address", 60)
        if not self._limiter.hit(self._business, "business", business_id):
            raise RateLimited("too many calls for this business", 60)


def address(scope: Scope) -> str:
    """Who calls, for counting: an IPv4 address, or the /64 that one IPv6 customer has to himself."""
    host = (scope.get("client") or ("", 0))[0]
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    if ip.version == 6 and ip.ipv4_mapped is None:
        return str(ipaddress.ip_network(f"{host}/64", strict=False))
    return str(host)
