"""Origins of a shop's pages, and the domain that its cookies belong to. Pure."""

import ipaddress
import re
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from collector.errors import InvalidField
from collector.settings import is_local

DEFAULT_PORTS = {"https": 443, "http": 80}
LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
HOST_CHARACTERS = 253


def normalise(text: str) -> str:
    """An origin as browsers write it into `Origin`: scheme, host in ASCII (IDNA), port where it is not the scheme's own.

    Raises `InvalidField`. Plain http is for this machine only: elsewhere the cookies, which are Secure, would not be kept.
    """
    try:
        url = urlsplit(text.strip())
        port = url.port
    except ValueError:
        raise InvalidField("origin", f"{text!r} is not a URL") from None
    if url.scheme not in DEFAULT_PORTS or not url.hostname or port == 0 or not text.isprintable() or "%" in url.netloc:
        raise InvalidField("origin", f"{text!r} must look like https://shop.example")
    if url.path not in {"", "/"} or url.query or url.fragment or "@" in url.netloc:
        raise InvalidField("origin", f"{text!r} must be scheme and host alone: no path, query or user")
    host = _host(url.hostname, text)
    if url.scheme == "http" and not is_local(host):
        raise InvalidField("origin", f"{text!r} must be https (http is for localhost)")
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{shown}" + ("" if port in {None, DEFAULT_PORTS[url.scheme]} else f":{port}")


def _host(host: str, text: str) -> str:
    try:
        return ipaddress.ip_address(host).compressed
    except ValueError:
        pass
    host = host.removesuffix(".")
    if not host.isascii():
        import idna  # its tables are large, and few hosts need them

        try:
            host = idna.encode(host, uts46=True).decode()
        except idna.IDNAError as error:
            raise InvalidField("origin", f"{text!r} has no valid host name: {error}") from None
    labels = host.split(".")
    # A numeric last label is an address to browsers, and would have been one above were it whole.
    if not all(map(LABEL.fullmatch, labels)) or labels[-1].isdigit() or len(host) > HOST_CHARACTERS:
        raise InvalidField("origin", f"{text!r} has no valid host name")
    return host


def host_of(origin: str) -> str:
    """The host of a normalised origin."""
    return urlsplit(origin).hostname or ""


def cookie_domain(origin: str) -> str | None:
    """The widest domain that browsers let this origin's cookies have, or None: the host alone.

    `https://shop.merchant.co.uk` → `merchant.co.uk` by Mozilla's public suffix list, its private part included: shops on a platform
    (`x.myshopify.com`) do not share theirs. None for addresses, for `localhost`, and for a host that is a public suffix itself.
    """
    host = host_of(origin)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        domain: str | None = _suffixes().privatesuffix(host)
        return domain
    return None


@cache
def _suffixes() -> Any:
    from publicsuffixlist import PublicSuffixList  # reads its list when made: commands that need none start faster

    return PublicSuffixList()


def checked_domain(text: str, origin: str) -> str | None:
    """A cookie domain of the operator's own for this origin; `none` means the host alone. Raises `InvalidField`."""
    domain = text.strip().lower().removeprefix(".")
    if domain in {"", "none"}:
        return None
    host, widest = host_of(origin), cookie_domain(origin)
    if not within(host, domain):
        raise InvalidField(
            "cookie_domain", f"{domain} is neither {host} nor above it: browsers would refuse the cookie"
        )
    if widest is None or not within(domain, widest):
        raise InvalidField("cookie_domain", f"{domain} is a public suffix: browsers would refuse the cookie")
    return domain


def within(host: str, domain: str) -> bool:
    """True where `host` is the domain or lies below it."""
    return host == domain or host.endswith(f".{domain}")
