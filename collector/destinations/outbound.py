"""The one door to the network: bounded in sockets, time and size; no proxy or setting of the environment, no redirect, TLS but on loopback."""

import asyncio
import ipaddress
import ssl
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

import httpx2

from collector.destinations.answer import Answer, Wire, redact

READ_MAX: Final = 65_536
"""Bytes of an answer that are read at all."""

KEEPALIVE_SECONDS: Final = 4.0
"""Shorter than common servers keep an idle connection: a request into one that just closes is an outcome that nobody knows."""

_NOTHING_SENT: Final = (
    httpx2.UnsupportedProtocol,
    httpx2.ConnectError,
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.InvalidURL,
    httpx2.LocalProtocolError,
)
"""What goes wrong before the first byte of a request is on its way."""


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
    """Sends requests. At most `sockets` connections are open; a request is given up after `seconds`, all in all.

    `authorities` (PEM file) replaces the certificate authorities that come with the package.
    """

    def __init__(
        self, sockets: int = 64, seconds: float = 10.0, connect_seconds: float = 3.0, authorities: str | None = None
    ) -> None:
        self.seconds = seconds
        step = min(
            connect_seconds, seconds * 0.4
        )  # a request that runs out of its time has begun: waiting and connecting end before
        self._timeouts = {"connect": step, "pool": step, "read": seconds, "write": seconds}
        # The transport without its client around it: it knows no cookies, redirects, environment or log of URLs.
        self._transport = httpx2.AsyncHTTPTransport(
            verify=ssl.create_default_context(cafile=authorities) if authorities else True,
            trust_env=False,
            limits=httpx2.Limits(
                max_connections=sockets, max_keepalive_connections=sockets, keepalive_expiry=KEEPALIVE_SECONDS
            ),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def send(self, wire: Wire) -> Answer:
        """Send one request. Whatever goes wrong is an answer; only cancellation is raised."""
        try:
            request = httpx2.Request(
                wire.method,
                wire.url,
                headers=wire.headers | {"accept-encoding": "identity"},
                content=wire.body,
                extensions={"timeout": self._timeouts},
            )
            async with asyncio.timeout(self.seconds):
                response = await self._transport.handle_async_request(request)
                body, cut = await _read(response)
        except Exception as error:  # noqa: BLE001  # a send never raises: what is unforeseen is an unknown outcome, not a lost event
            text = redact(f"{type(error).__name__}: {error}".encode("utf-8", "replace"), wire.secrets)
            return Answer(
                lost="unavailable" if isinstance(error, _NOTHING_SENT) else "unknown",
                error=text.decode("utf-8", "replace").rstrip(": "),
            )
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(status=response.status_code, headers=headers, body=redact(body, wire.secrets), cut=cut)


async def _read(response: httpx2.Response) -> tuple[bytes, bool]:
    """The body as it comes, never decompressed, up to its limit; the second value says that it is not whole."""
    body = bytearray()
    try:
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > READ_MAX:
                return bytes(body[:READ_MAX]), True
    except httpx2.HTTPError:
        return bytes(body), True
    finally:
        await response.aclose()
    return bytes(body), False
