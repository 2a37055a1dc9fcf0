"""A page's address, without what is ours in it, what opens a door and what names a person. Pure."""

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from collector.attribution import IDS

OWN_PARAMETERS: Final = frozenset((*IDS, "attribution_source"))
OWN_PREFIX: Final = "cnct_"

_TELLING: Final = re.compile(
    "token|secret|passw|pwd|senha|auth|session|signature|api_?key|e-?mail|correo|phone|telef|celular|mobile|whatsapp|^tel$",
    re.IGNORECASE,
)
"""Names of parameters whose values open a door or name a person."""


def cleaned(url: str) -> str | None:
    """The address with its query, whose parameters are kept but for ours, secrets, and those that hold an e-mail address.

    None where it is no address of http or https.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not host:
        return None
    written = parts.query.replace("&amp;", "&")  # as landings are read
    kept = [pair for pair in parse_qsl(written, keep_blank_values=True) if not _tells(*pair)]
    query = f"?{urlencode(kept)}" if kept else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{path(parts.path)}{query}"


def path(given: str) -> str:
    """A path in which `-` stands for what holds an e-mail address: /orders/jane@shop.example is /orders/-."""
    return "/".join("-" if _is_email(part) else part for part in given.split("/"))


def _is_email(part: str) -> bool:
    """Told without a pattern: anybody may send a path, and one of nothing but %40 would keep a pattern busy for seconds."""
    name, _, host = part.replace("%40", "@").lstrip("@").partition("@")
    return bool(name) and "." in host[1:-1]


def _tells(key: str, value: str) -> bool:
    ours = key.lower() in OWN_PARAMETERS or key.lower().startswith(OWN_PREFIX)
    return ours or "@" in unquote(key + value) or bool(_TELLING.search(key))
