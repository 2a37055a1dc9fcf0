"""The ids of a click: read from a landing, carried in a signed token, named by a short ref. Pure.

A signature proves that this collector saw these ids on this business's site at that time, unchanged. It does not prove that Meta issued
them: a purchase is believed only from the shop's own server.
"""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import unquote_plus

import msgspec
from itsdangerous import BadData, TimestampSigner, want_bytes
from itsdangerous.encoding import base64_decode, base64_encode

from collector.errors import BadToken

ID_BYTES_MAX: Final = 512
QUERY_CHARS_MAX: Final = 32_768
AGE_SECONDS_MAX: Final = 90 * 24 * 3600
"""A token is believed for 90 days from the landing: the longest window in which Meta credits a click."""
CLOCK_SKEW_SECONDS: Final = 600

_PLAIN = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_FORMAT: Final = "1"


class Click(msgspec.Struct, frozen=True, gc=False):
    """What ties a visitor to an ad: the four ids of the landing link, each verbatim or None.

    `cnct_tracking_id` names the WhatsApp session and `sendout_id` the campaign at Connectly; `ctwa_clid` is Meta's click id, `ad_id` the ad.
    """

    cnct_tracking_id: str | None = None
    sendout_id: str | None = None
    ctwa_clid: str | None = None
    ad_id: str | None = None

    def values(self) -> tuple[str | None, str | None, str | None, str | None]:
        """The ids in the order of `IDS`."""
        return (self.cnct_tracking_id, self.sendout_id, self.ctwa_clid, self.ad_id)

    def __bool__(self) -> bool:
        """True when it can credit anything: a click id or a tracking id is there."""
        return bool(self.ctwa_clid or self.cnct_tracking_id)


LinkKind = Literal["checkout_id", "cart_token", "order_id", "customer_id"]
"""What a shop can tie to a click."""

IDS: Final = ("cnct_tracking_id", "sendout_id", "ctwa_clid", "ad_id")


class Attribution(msgspec.Struct, frozen=True, gc=False):
    """A click and the UTC second in which its landing was first seen."""

    click: Click
    first_at_seconds: int


def id_fault(value: str) -> str | None:
    """Name the rule that an id breaks, or None: 1 to 512 bytes of printable ASCII (Connectly publishes no limit; this one is ours)."""
    if not value:
        return "must not be empty"
    if len(value) > ID_BYTES_MAX:
        return f"at most {ID_BYTES_MAX} bytes"
    if not (value.isascii() and value.isprintable()):
        return "only printable ASCII"
    return None


def read_landing(query: str, fragment: str = "") -> tuple[Click, tuple[str, ...]]:
    """Read the ids from a landing's raw query, or from its fragment when the query has none.

    Pairs are decoded once, as a web form's; of repeats the last wins, because links are decorated by appending; `&amp;` is understood as `&`.
    Sets are not mixed: ids of two links would be of two clicks. Returns the click and the names of ids that broke a rule (left out).
    Never raises.
    """
    route, _, route_query = fragment.partition("?")  # `#/product?ctwa_clid=…`, or pairs alone
    for text in (query, fragment if "=" in route else route_query):
        found, refused = _ids(text)
        if found or refused:
            return Click(**found), refused
    return Click(), ()


def _ids(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    found: dict[str, str] = {}
    refused: dict[str, None] = {}
    if len(text) > QUERY_CHARS_MAX:  # the pair that the limit cuts goes with the rest: half an id is another's
        text = text[:QUERY_CHARS_MAX].rpartition("&")[0]
    for pair in text.lstrip("?#").replace("&amp;", "&").split("&"):
        name, _, raw = pair.partition("=")
        if not raw or (name := unquote_plus(name)) not in IDS:
            continue
        value = unquote_plus(raw, errors="replace")
        if id_fault(value) is None:
            found[name] = value
        else:
            refused[name] = None
    return found, tuple(name for name in refused if name not in found)


class _Signer(TimestampSigner):
    """itsdangerous' signer with the clock as an argument: a renewed token keeps the time of its landing."""

    def __init__(self, keys: Sequence[bytes], business_id: str, at_seconds: int = 0) -> None:
        super().__init__(
            list(keys),
            salt=f"cnct.attribution.{business_id}".encode(),  # binds the token to one business
            key_derivation="hmac",
            digest_method=hashlib.sha256,
        )
        self.at_seconds = at_seconds
        self._derived: dict[bytes, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        key = self.secret_keys[-1] if secret_key is None else want_bytes(secret_key)
        if key not in self._derived:  # a verifier is kept; deriving again would double the cost of a check
            self._derived[key] = super().derive_key(key)
        return self._derived[key]

    def get_timestamp(self) -> int:
        return self.at_seconds


@lru_cache(maxsize=1024)
def _verifier(keys: tuple[bytes, ...], business_id: str) -> _Signer:
    return _Signer(keys, business_id)


def sign(attribution: Attribution, business_id: str, keys: Sequence[bytes]) -> str:
    """Make the token: the ids, dotted, then time and signature; only `A-Za-z0-9._-`, so that no firewall or cookie parser minds it.

    `keys` are oldest to newest; the newest signs. An id with other characters is base64url; the format's hex digit tells which ones are.
    """
    mask = 0
    parts: list[str] = []
    for bit, value in enumerate(attribution.click.values()):
        text = value or ""
        if not _PLAIN.fullmatch(text):
            mask |= 1 << bit
            text = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
        parts.append(text)
    signer = _Signer(keys, business_id, attribution.first_at_seconds)
    return signer.sign(f"{_FORMAT}{mask:x}.{'.'.join(parts)}").decode()


def verify(token: str, business_id: str, keys: Sequence[bytes], now_seconds: int) -> Attribution:
    """Read a token back.

    Raises BadToken: `token-forged` when a byte was altered, or it is another business's or of an unknown key; `token-expired` after 90 days.
    """
    if len(token) > 8 * ID_BYTES_MAX or not _canonical(token.rpartition(".")[2]):
        raise BadToken("token-forged")
    try:
        value, signed_at = _verifier(tuple(keys), business_id).unsign(token, return_timestamp=True)
        click = _read_value(value.decode())
    except (BadData, ValueError):
        raise BadToken("token-forged") from None
    first_at = int(signed_at.timestamp())
    if first_at > now_seconds + CLOCK_SKEW_SECONDS:
        raise BadToken("token-forged")
    if now_seconds - first_at > AGE_SECONDS_MAX:
        raise BadToken("token-expired")
    return Attribution(click, first_at)


def _canonical(signature: str) -> bool:
    """Base64url's last character has spare bits; only the spelling that we wrote is ours."""
    try:
        return base64_encode(base64_decode(signature)).decode() == signature
    except (BadData, ValueError):
        return False


def _read_value(value: str) -> Click:
    head, *parts = value.split(".")
    if len(head) != len(_FORMAT) + 1 or not head.startswith(_FORMAT) or len(parts) != len(IDS):
        raise ValueError(head)
    mask = int(head[-1], 16)
    return Click(*[_read_part(part, bool(mask >> bit & 1)) for bit, part in enumerate(parts)])


def _read_part(part: str, encoded: bool) -> str | None:
    if not part:
        return None
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode() if encoded else part


def ref(click: Click, business_id: str, key: bytes) -> str:
    """The landing's short name: 128 bits over business and ids, 22 characters. The same landing always has the same ref.

    It fits where a token does not (cart attributes, Stripe's client reference) and proves nothing by itself.
    """
    text = "\0".join((business_id, *(value or "" for value in click.values())))
    digest = hmac.digest(key, text.encode(), "sha256")[:16]
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
