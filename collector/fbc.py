"""Meta's browser ids: `fbc` (the click on an ad) and `fbp` (the browser). Built and checked as Meta's parameter builder does. Pure.

Both read `fb.<subdomain index>.<creation time in ms>.<payload>`, sometimes with a fifth part that the parameter builder appends (who wrote
it); ours are written without. The payload of an `fbc` is the `fbclid`, case and all: never a `ctwa_clid`, which is another kind of click.
"""

import re
from typing import Final

import msgspec

CHARS_MAX: Final = 512

_CLICK: Final = r"[!-\-/-~]+"
_SUFFIX: Final = r"(?:\.(AQ|Ag|Aw|BA|BQ|Bg|[A-Za-z0-9_-]{8}))?"
_SHAPE = re.compile(rf"fb\.(\d)\.(\d{{1,16}})\.({_CLICK}){_SUFFIX}", re.ASCII)
_FBC = re.compile(rf"fb\.\d\.[1-9]\d{{12}}\.{_CLICK}{_SUFFIX}", re.ASCII)
_FBP = re.compile(rf"fb\.\d\.[1-9]\d{{12}}\.\d+{_SUFFIX}", re.ASCII)
_FBCLID = re.compile(_CLICK, re.ASCII)

SHAPE_RULE: Final = "must look like fb.1.<milliseconds>.<id>, with nothing after it but Meta's own suffix"
TIME_RULE: Final = "its creation time must be in milliseconds (13 digits)"
NUMBER_RULE: Final = "must end in the number that Meta's pixel drew"


class BrowserId(msgspec.Struct, frozen=True, gc=False):
    """The parts of an `fbc` or `fbp`. `payload` is the fbclid, or the number that the pixel drew; `suffix` the builder's fifth part."""

    subdomain_index: int
    at_ms: int
    payload: str
    suffix: str | None = None


def parse(value: str) -> BrowserId:
    """The parts of an `fbc` (or `fbp`). Raises ValueError with the rule that it breaks."""
    if rule := fbc_fault(value):
        raise ValueError(rule)
    _, index, at_ms, payload, *suffix = value.split(".")
    return BrowserId(int(index), int(at_ms), payload, *suffix)


def fbc_fault(value: str) -> str | None:
    """Name the rule that an `fbc` breaks, or None. Seconds are told from milliseconds."""
    if len(value) > CHARS_MAX:
        return f"at most {CHARS_MAX} characters"
    if _FBC.fullmatch(value):
        return None
    return TIME_RULE if _SHAPE.fullmatch(value) else SHAPE_RULE


def fbp_fault(value: str) -> str | None:
    """Name the rule that an `fbp` breaks, or None."""
    if len(value) <= CHARS_MAX and _FBP.fullmatch(value):
        return None
    return fbc_fault(value) or NUMBER_RULE


def build(fbclid: str, at_ms: int, index: int = 1) -> str:
    """The `fbc` of a click at `at_ms`. Raises ValueError for a click id that is empty, too long, or holds a dot, a space or non-ASCII."""
    if not _FBCLID.fullmatch(fbclid):
        raise ValueError("must be printable ASCII without dot and space")
    value = f"fb.{index}.{at_ms}.{fbclid}"
    if len(value) > CHARS_MAX:
        raise ValueError(f"at most {CHARS_MAX} characters with its prefix")
    return value


def subdomain_index(domain: str | None) -> int:
    """How many dots the cookie's domain has (`example.com` 1, `example.com.br` 2); 1 without a domain, 0 for an address.

    `domain` is the one that the business's cookies have, not the page's host.
    """
    if domain is None:
        return 1
    domain = domain.strip(".")
    if ":" in domain or domain.rpartition(".")[2].isdecimal():
        return 0
    return min(domain.count("."), 9)


def from_landing(fbclid: str | None, cookie: str | None, at_ms: int, domain: str | None) -> str | None:
    """The `fbc` of a visitor who landed at `at_ms`: what the cookie says while it tells the same click, else a new one from the `fbclid`.

    A cookie of another shape counts as absent, and so does a click id that is empty or can be none. `domain` as in `subdomain_index`.
    None where there was no click.
    """
    kept = cookie if cookie and fbc_fault(cookie) is None else None
    if fbclid and (kept is None or kept.split(".")[3] != fbclid):
        try:
            return build(fbclid, at_ms, subdomain_index(domain))
        except ValueError:
            pass  # a click id that no fbc can hold says nothing
    return kept
