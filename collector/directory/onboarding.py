"""What an operator sets up: a business, its keys, the tag for its pages. Every rule on those values is here."""

import base64
import html
import re
import uuid
import zoneinfo
from typing import Any, Literal

import msgspec

from collector import phone
from collector.directory import digest, origin
from collector.errors import CollectorError, InvalidField, NotFound
from collector.policy import MESSAGING_NAMES, Policy
from collector.store import face
from collector.vault import Random

COOKIE_NAME = "cnct"
WINDOW_DAYS_MAX = 90
"""What began a conversation is kept as long as a landing, which is 90 days unless it is set."""


class Taken(CollectorError):
    """The id, or the cookie name on that domain, is another business's."""


# ------------------------------------------------------------------ businesses


async def create_business(
    store: face.Directory,
    *,
    name: str,
    origins: tuple[str, ...],
    now: int,
    random: Random,
    business_id: str | None = None,
    destination: Literal["meta", "connectly"] = "meta",
    timezone: str = "UTC",
    region: str | None = None,
) -> tuple[face.BusinessRow, str]:
    """Store a business with its first API key; gives the row and the key's plaintext, which nobody can read again.

    Where another business has the cookie name on that domain, the cookie is called `cnct_<last 6 of the id>`. Raises `InvalidField`, `Taken`.
    """
    known = (await store.snapshot()).businesses
    if business_id is None:
        business_id = str(uuid.UUID(bytes=random(16), version=4))
    row = checked(
        face.BusinessRow(
            business_id=checked_uuid("business_id", business_id),
            name=name,
            origins=_origins(origins),
            destination=destination,
            timezone=timezone,
            region=region,
            created_at=now,
        )
    )
    if any(other.business_id == row.business_id for other in known):
        raise Taken(f"business {row.business_id} exists; change it with: collector business set")
    row = msgspec.structs.replace(row, cookie_domain=origin.cookie_domain(row.origins[0]))
    for cookie_name in (COOKIE_NAME, f"{COOKIE_NAME}_{row.business_id[-6:]}"):
        row = msgspec.structs.replace(row, cookie_name=cookie_name)
        if not any(_share_cookie(row, other) for other in known) and await store.put_business(row):
            break
    else:
        raise Taken(f"the cookie names {COOKIE_NAME} and {row.cookie_name} are taken on {_scope(row)}")
    plaintext, key = new_key(row.business_id, name="first", now=now, random=random)
    await store.put_key(key)
    return row, plaintext


async def change_business(store: face.Directory, business_id: str, **changes: Any) -> face.BusinessRow:
    """Change fields of a business row; `policy` is a dict of the fields of its policy that change.

    A cookie domain that was computed follows new origins. Raises `InvalidField`, `NotFound`, `Taken`.
    """
    known = (await store.snapshot()).businesses
    old = find_business(known, business_id)
    if "origins" in changes:
        changes["origins"] = _origins(changes["origins"])
        if old.cookie_domain == origin.cookie_domain(old.origins[0]):
            changes.setdefault("cookie_domain", origin.cookie_domain(changes["origins"][0]))
    if "policy" in changes:
        changes["policy"] = _policy(old.policy, changes["policy"])
    row = msgspec.structs.replace(old, **changes)
    if row.cookie_domain is not None:
        row = msgspec.structs.replace(row, cookie_domain=origin.checked_domain(row.cookie_domain, row.origins[0]))
    row = checked(row)
    others = [other for other in known if other.business_id != business_id]
    if any(_share_cookie(row, other) for other in others) or not await store.put_business(row):
        raise Taken(
            f"cookie name {row.cookie_name} is another business's on {_scope(row)}; choose one with --cookie-name"
        )
    return row


def find_business(businesses: tuple[face.BusinessRow, ...], business_id: str) -> face.BusinessRow:
    """The business with this id. Raises `NotFound`."""
    for row in businesses:
        if row.business_id == business_id:
            return row
    raise NotFound(f"no business {business_id}", "business_lookup")


def tag(row: face.BusinessRow, public_url: str) -> str:
    """The script tag for the pages of the shop.

    It names the cookie where that is not the usual one, and says so where the collector stands on another site than the shop:
    browsers drop the collector's own cookies there, and the snippet has to write them.
    """
    host = origin.host_of(public_url)
    near = row.cookie_domain is not None and origin.within(host, row.cookie_domain)
    attributes = f' data-business="{row.business_id}"'
    if row.cookie_name != COOKIE_NAME:
        attributes += f' data-cookie="{row.cookie_name}"'
    if not near and host not in map(origin.host_of, row.origins):
        attributes += ' data-site="foreign"'
    return f'<script async src="{html.escape(public_url)}/cnct.js"{attributes}></script>'


def checked_uuid(field: str, text: str) -> str:
    """A UUID as 36 lowercase characters. Raises `InvalidField`."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        raise InvalidField(field, "must be a UUID") from None


def checked_test_code(text: str) -> str:
    """A code that marks test events. Raises `InvalidField`."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", text):
        raise InvalidField("test_event_code", "must be a code from Meta's Test Events page, such as TEST12345")
    return text


def _origins(texts: tuple[str, ...]) -> tuple[str, ...]:
    origins = tuple(dict.fromkeys(map(origin.normalise, texts)))
    if not origins:
        raise InvalidField("origin", "at least one is needed")
    return origins


def _policy(old: Policy, changes: dict[str, Any]) -> Policy:
    """The changed policy, its names once each. Raises `InvalidField`."""
    names = tuple(dict.fromkeys(changes.get("messaging_names", old.messaging_names)))
    for name in names:
        if name not in MESSAGING_NAMES:
            raise InvalidField("messaging_names", f"{name!r} is none of {', '.join(MESSAGING_NAMES)}")
    policy = msgspec.structs.replace(old, **changes | {"messaging_names": names})
    if not 1 <= policy.window_days <= WINDOW_DAYS_MAX:
        raise InvalidField("window_days", f"must be 1 to {WINDOW_DAYS_MAX}")
    return policy


def checked(row: face.BusinessRow) -> face.BusinessRow:
    """The row, its region in capitals. Raises `InvalidField`."""
    if not 1 <= len(row.name.strip()) <= 100 or not row.name.isprintable():
        raise InvalidField("name", "must have 1 to 100 printable characters")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,39}(?<!_ref)", row.cookie_name):
        raise InvalidField(
            "cookie_name", "must be letters, digits and _, at most 40, a letter first, no _ref at the end"
        )
    if row.test_event_code is not None:
        checked_test_code(row.test_event_code)
    if row.policy.purchases == "website" and row.destination != "meta":
        raise InvalidField(
            "purchases", "website needs the destination meta: Connectly tells them as business_messaging"
        )
    if row.region is not None and not phone.is_region(row.region.upper()):
        raise InvalidField("region", "must be an ISO 3166 country of two letters, such as BR")
    if row.timezone != "UTC":  # known even where the machine has no time zone data
        try:
            zoneinfo.ZoneInfo(row.timezone)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise InvalidField(
                "timezone", f"{row.timezone!r} is no IANA time zone, such as America/Sao_Paulo"
            ) from None
    return msgspec.structs.replace(row, name=row.name.strip(), region=row.region and row.region.upper())


def _scope(row: face.BusinessRow) -> str:
    return row.cookie_domain or origin.host_of(row.origins[0])


def _share_cookie(row: face.BusinessRow, other: face.BusinessRow) -> bool:
    """True where one browser could hold the cookie of both: same name, and one scope lies within the other."""
    a, b = _scope(row), _scope(other)
    return row.cookie_name == other.cookie_name and (origin.within(a, b) or origin.within(b, a))


# ------------------------------------------------------------------ keys


def new_key(
    business_id: str, *, name: str, now: int, random: Random, expires_at: int | None = None
) -> tuple[str, face.KeyRow]:
    """A new API key: its plaintext (`ck_` + 32 random bytes in base64url) and the row to store. Raises `InvalidField`."""
    if not 1 <= len(name.strip()) <= 100 or not name.isprintable():
        raise InvalidField("name", "must have 1 to 100 printable characters")
    plaintext = "ck_" + base64.urlsafe_b64encode(random(32)).rstrip(b"=").decode()
    row = face.KeyRow(
        business_id=business_id,
        key_id=random(8).hex(),
        name=name.strip(),
        digest=digest(plaintext),
        hint=plaintext[:7],
        created_at=now,
        expires_at=expires_at,
    )
    return plaintext, row
