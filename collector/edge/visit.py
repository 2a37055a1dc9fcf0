"""One guarded call from a page: whose it is, what cookie it carries, what it may set."""

import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, Protocol
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Receive, Scope, Send

from collector import attribution, fbc, identity
from collector.attribution import Attribution
from collector.edge import answer, guard
from collector.edge.answer import Header, Reply, reason
from collector.edge.guard import Disconnected, Headers
from collector.errors import BadToken, CollectorError, InvalidField, NotFound
from collector.store.face import BusinessRow

SECOND: Final = 1000


class Directory(Protocol):
    """What the browser edge asks of the directory."""

    @property
    def version(self) -> int:
        """The version that everything below is of."""
        ...

    def business(self, business_id: str) -> BusinessRow | None:
        """The business, or None."""

    async def fresh(self) -> None:
        """Load again if the store holds a newer version."""


class Visit(msgspec.Struct, gc=False):
    """One guarded call: whose page it came from, what it carried, what it may set."""

    business: BusinessRow
    origin: str
    scope: Scope
    body: bytes
    cookie: Attribution | None
    faults: tuple[str, ...]
    same_site: bool


Handler = Callable[[Visit], Awaitable[Reply]]


class BrowserEdge:
    """Guards a route of the browser edge: method, business, origin, size; then `handler` answers under CORS."""

    def __init__(
        self,
        handler: Handler,
        directory: Directory,
        signing_keys: Sequence[bytes],
        clock: Callable[[], int],
        body_bytes_max: int,
    ) -> None:
        self._handler = handler
        self._directory = directory
        self._keys = tuple(signing_keys)
        self._clock = clock
        self._body_bytes_max = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        headers: Headers = dict(reversed(scope["headers"]))
        common: tuple[Header, ...] = ((b"vary", b"Origin"), (b"cache-control", b"no-store"))
        cors: tuple[Header, ...] = ()
        try:
            business = self._directory.business(scope["path_params"]["business_id"])
            if business is None:
                await self._directory.fresh()
                business = self._directory.business(scope["path_params"]["business_id"])
            if business is None:
                raise NotFound("no such business", "business_lookup")
            origin = guard.check_origin(headers, business)
            cors = _cors(origin)
            if scope["method"] == "OPTIONS":
                reply = Reply(204, b"", _PREFLIGHT)
            else:
                body = await guard.read_body(receive, headers, self._body_bytes_max)
                reply = await self._handler(self._visit(scope, headers, business, origin, body))
        except Disconnected:
            return
        except CollectorError as problem:
            reply = answer.error(problem).plus(reason(str(problem)[:200]))
            if not cors and scope["method"] != "OPTIONS":
                cors = _refused(headers)
        await reply.plus(*common, *cors).send(send)

    def _visit(self, scope: Scope, headers: Headers, business: BusinessRow, origin: str, body: bytes) -> Visit:
        cookie, faults = read_cookie(scope, business, self._keys, self._clock() // SECOND)
        same_site = guard.may_set_cookie(headers, origin, business)
        return Visit(business, origin, scope, body, cookie, faults, same_site)


_PREFLIGHT: Final[tuple[Header, ...]] = (
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"content-type"),
    (b"access-control-max-age", b"7200"),
)


def _cors(origin: str) -> tuple[Header, ...]:
    return (
        (b"access-control-allow-origin", origin.encode()),
        (b"access-control-allow-credentials", b"true"),
        (b"access-control-expose-headers", b"X-Collector-Reason, Retry-After"),
    )


_ORIGIN: Final = re.compile(rb"https?://[a-z0-9.:\[\]-]{1,300}", re.IGNORECASE)


def _refused(headers: Headers) -> tuple[Header, ...]:
    """Lets the page that was refused read why. The answer is the same for everyone and sets nothing; unread, the page would try for ever."""
    origin = headers.get(b"origin", b"")
    return _cors(origin.decode("ascii")) if _ORIGIN.fullmatch(origin) else ()


def read_cookie(
    scope: Scope, business: BusinessRow, keys: Sequence[bytes], now_seconds: int
) -> tuple[Attribution | None, tuple[str, ...]]:
    """The attribution that the cookie carries, and what was wrong with cookies of that name.

    A page's script can plant a second cookie of the same name; of those that verify, the newest counts.
    """
    best: Attribution | None = None
    faults: dict[str, None] = {}
    for name, value in scope["headers"]:
        if name != b"cookie":
            continue
        for pair in value.decode("latin-1").split(";"):
            key, _, text = pair.strip().partition("=")
            if key != business.cookie_name or not text:
                continue
            try:
                found = attribution.verify(text, business.business_id, keys, now_seconds)
            except BadToken as fault:
                faults[fault.reason] = None
                continue
            if best is None or found.first_at_seconds > best.first_at_seconds:
                best = found
    return best, tuple(faults)


def cookies(business: BusinessRow, origin: str, token: str, ref: str, max_age: int) -> tuple[Header, ...]:
    """Set, renew or (with `max_age` 0) expire both cookies. Secure is left off for plain-http localhost only."""
    shared = f"; Max-Age={max_age}; Path=/; SameSite=Lax"
    if business.cookie_domain is not None:
        shared += f"; Domain={business.cookie_domain}"
    if not origin.startswith("http://"):
        shared += "; Secure"
    name = business.cookie_name
    return (
        (b"set-cookie", f"{name}={token}{shared}; HttpOnly".encode()),
        (b"set-cookie", f"{name}_ref={ref}{shared}".encode()),
    )


def visitor(visit: Visit, query: str, at_ms: int) -> str:
    """Who came, for conversions of the website, as JSON in Meta's names: address and browser as this call shows them, fbc and fbp from Meta's
    cookies, which only a collector on the shop's own site is sent, and from the landing's `fbclid`. What is not fit to be sent is left out."""
    headers: Headers = dict(visit.scope["headers"])
    sent = dict(
        pair.strip().partition("=")[::2]
        for name, value in visit.scope["headers"]
        if name == b"cookie"
        for pair in value.decode("latin-1").split(";")
    )
    fbclid = next((value for key, value in parse_qsl(query.lstrip("?")) if key == "fbclid"), None)
    seen = {
        "client_ip_address": (visit.scope.get("client") or ("",))[0],
        "client_user_agent": headers.get(b"user-agent", b"").decode("latin-1"),
        "fbc": fbc.from_landing(fbclid, sent.get("_fbc"), at_ms, visit.business.cookie_domain),
        "fbp": sent.get("_fbp"),
    }
    kept: dict[str, object] = {}
    for key, value in seen.items():
        with suppress(InvalidField):
            kept |= identity.read(identity.UserData(**{key: value}), None).wire if value else {}
    return msgspec.json.encode(kept).decode()
