"""The one door to the network: bounded in sockets, time and size; no proxy or setting of the environment, no redirect, TLS but on loopback."""

import asyncio
import ipaddress
import ssl
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from types import TracebackType
from typing import Final, Literal, Self
from urllib.parse import urlsplit

import httpcore2
import httpx2

from collector.destinations.answer import Answer, Wire, redact

READ_MAX: Final = 65_536
"""Bytes of an answer that are read at all."""

KEEPALIVE_SECONDS: Final = 4.0
"""Shorter than common servers keep an idle connection: a request into one that just closes is an outcome that nobody knows."""

_NOTHING_SENT: Final = (
    httpcore2.ConnectError,
    httpcore2.ConnectTimeout,
    httpcore2.PoolTimeout,
    httpcore2.LocalProtocolError,
)
"""What goes wrong before the first byte of a request is on its way."""

_Idle = deque[httpcore2.AsyncHTTPConnection]
_BROKEN: Final = (httpcore2.NetworkError, httpcore2.ProtocolError, httpcore2.TimeoutException)


def require_tls(url: str) -> str:
    """Give back the base URL, without a slash at its end. Raises ValueError unless it is https, or http to this machine itself."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise ValueError("must be a plain https URL")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("must be https: only this machine itself may be reached without TLS")
    return url.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Outbound:
    """Sends requests. At most `sockets` are on their way; each is given up after `seconds`, all in all.

    `authorities` (PEM file) replaces the certificate authorities that come with the package. The client library's own pool would look at all
    of its connections twice a request, each with a system call; here the one that was used last is used first.
    """

    def __init__(
        self, sockets: int = 128, seconds: float = 10.0, connect_seconds: float = 3.0, authorities: str | None = None
    ) -> None:
        self.seconds = seconds
        # A request that runs out of its time has begun: waiting and connecting end before.
        self._step_seconds = min(connect_seconds, seconds * 0.4)
        self._tls = (
            ssl.create_default_context(cafile=authorities)
            if authorities
            else httpx2.create_ssl_context(trust_env=False)
        )
        self._sockets = asyncio.Semaphore(sockets)
        self._idle: dict[tuple[bytes, bytes, int], _Idle] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection that waits for its next request."""
        for idle in self._idle.values():
            while idle:
                await _close(idle.pop())

    async def send(self, wire: Wire) -> Answer:
        """Send one request. Whatever goes wrong is an answer; only cancellation is raised."""
        try:
            request = _request(wire, self._step_seconds)
        except Exception as error:  # noqa: BLE001  # whatever the reason, nothing has left
            return _lost("unavailable", error, wire)
        try:
            async with asyncio.timeout(self.seconds), self._connection(request.url.origin) as connection:
                response = await connection.handle_async_request(request)
                body, cut = await _read(response)
        except Exception as error:  # noqa: BLE001  # a send never raises: what is unforeseen is an unknown outcome, not a lost event
            return _lost("unavailable" if isinstance(error, _NOTHING_SENT) else "unknown", error, wire)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(status=response.status, headers=headers, body=redact(body, wire.secrets), cut=cut)

    @asynccontextmanager
    async def _connection(self, origin: httpcore2.Origin) -> AsyncIterator[httpcore2.AsyncHTTPConnection]:
        """A connection for one request, open or new. Raises PoolTimeout where too many are on their way for too long."""
        try:
            async with asyncio.timeout(self._step_seconds):
                await self._sockets.acquire()
        except TimeoutError:
            raise httpcore2.PoolTimeout("no socket was free in time") from None
        try:
            idle = self._idle.setdefault((origin.scheme, origin.host, origin.port), deque())
            connection = await self._latest(idle) or httpcore2.AsyncHTTPConnection(
                origin, ssl_context=self._tls, keepalive_expiry=KEEPALIVE_SECONDS
            )
            try:
                yield connection
            finally:
                await self._give_back(connection, idle)
        finally:
            self._sockets.release()

    async def _latest(self, idle: _Idle) -> httpcore2.AsyncHTTPConnection | None:
        """The connection that was used last, unless the server or its time has ended it."""
        while idle:
            connection = idle.pop()
            if not connection.has_expired():
                return connection
            await _close(connection)
        return None

    async def _give_back(self, connection: httpcore2.AsyncHTTPConnection, idle: _Idle) -> None:
        """Keep a connection whose answer was read to its end, and let go of those that nobody has needed for long."""
        if connection.is_connected() and connection.is_idle():
            idle.append(connection)
        else:
            await _close(connection)
        while idle and idle[0].has_expired():
            await _close(idle.popleft())


async def _close(connection: httpcore2.AsyncHTTPConnection) -> None:
    """Whatever its end is like, it changes no answer."""
    with suppress(OSError, *_BROKEN):
        await connection.aclose()


@lru_cache(maxsize=256)
def _target(url: str) -> tuple[httpcore2.URL, bytes]:
    """Where a request goes, and its Host. Raises InvalidURL, UnsupportedProtocol."""
    read = httpx2.URL(url)
    if read.scheme not in ("http", "https"):
        raise httpcore2.UnsupportedProtocol(f"no request is made by {read.scheme}")
    target = httpcore2.URL(scheme=read.raw_scheme, host=read.raw_host, port=read.port, target=read.raw_path)
    return target, read.netloc


def _request(wire: Wire, connect_seconds: float) -> httpcore2.Request:
    target, host = _target(wire.url)
    headers = {"content-length": str(len(wire.body)), **wire.headers, "accept-encoding": "identity"}
    return httpcore2.Request(
        wire.method,
        target,
        headers=[(b"host", host), *((name.encode(), value.encode("latin-1")) for name, value in headers.items())],
        content=wire.body,
        extensions={"timeout": {"connect": connect_seconds}},
    )


def _lost(fate: Literal["unavailable", "unknown"], error: Exception, wire: Wire) -> Answer:
    text = redact(f"{type(error).__name__}: {error}".encode("utf-8", "replace"), wire.secrets)
    return Answer(lost=fate, error=text.decode("utf-8", "replace").rstrip(": "))


async def _read(response: httpcore2.Response) -> tuple[bytes, bool]:
    """The body as it comes, never decompressed, up to its limit; the second value says that it is not whole."""
    body = bytearray()
    try:
        async for chunk in response.aiter_stream():
            body += chunk
            if len(body) > READ_MAX:
                return bytes(body[:READ_MAX]), True
    except _BROKEN:
        return bytes(body), True
    finally:
        with suppress(OSError, *_BROKEN):  # the body has been read by then
            await response.aclose()
    return bytes(body), False
