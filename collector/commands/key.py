"""`collector key`: the API keys that shops' servers call with."""

import os
import re
from datetime import UTC, datetime, timedelta

import click

from collector.commands.printing import answer, fields, json_option, moment, table
from collector.commands.session import Session, within
from collector.directory import onboarding
from collector.errors import InvalidField, NotFound
from collector.store.face import KeyRow


@click.group("key")
def key_command() -> None:
    """Make and revoke the API keys that shops' servers call with."""


@key_command.command()
@click.argument("business_id")
@click.option("--name", default="key", show_default=True, help="What it is for, to know it again.")
@click.option("--expires", help="90d, or a day such as 2030-01-31 (until its beginning, UTC). Unset: never.")
@json_option
def create(business_id: str, name: str, expires: str | None, as_json: bool) -> None:
    """Make a key; prints it this once.

    \b
    collector key create ID --name checkout --expires 90d
    """

    async def work(session: Session) -> tuple[str, KeyRow]:
        onboarding.find_business((await session.directory.snapshot()).businesses, business_id)
        expires_at = None if expires is None else expiry(expires, session.now)
        plaintext, row = onboarding.new_key(
            business_id, name=name, now=session.now, random=os.urandom, expires_at=expires_at
        )
        await session.directory.put_key(row)
        return plaintext, row

    plaintext, row = within(work)
    text = fields(
        [
            ("API key", f"{plaintext}  (shown this once; it belongs on the shop's server)"),
            ("ID", row.key_id),
            ("Name", row.name),
            ("Expires", moment(row.expires_at)),
        ]
    )
    answer(as_json, {"api_key": plaintext, **_told(row)}, text)


@key_command.command("list")
@click.argument("business_id")
@json_option
def list_(business_id: str, as_json: bool) -> None:
    """List a business's keys; nobody can read them again."""

    async def work(session: Session) -> tuple[int, list[KeyRow]]:
        snapshot = await session.directory.snapshot()
        onboarding.find_business(snapshot.businesses, business_id)
        return session.now, [row for row in snapshot.keys if row.business_id == business_id]

    now, rows = within(work)
    lines = [(row.key_id, row.name, f"{row.hint}…", moment(row.created_at), _state(row, now)) for row in rows]
    head = ("ID", "NAME", "KEY", "MADE", "STATE")
    empty = f"No key. Make one: collector key create {business_id}"
    answer(as_json, {"keys": [_told(row) for row in rows]}, table(head, lines, empty))


@key_command.command()
@click.argument("business_id")
@click.argument("key_id")
@json_option
def revoke(business_id: str, key_id: str, as_json: bool) -> None:
    """Revoke a key; calls with it are refused from now on."""

    async def work(session: Session) -> int:
        if not await session.directory.revoke_key(business_id, key_id, session.now):
            raise NotFound(f"business {business_id} has no usable key {key_id}")
        return session.now

    revoked_at = within(work)
    answer(as_json, {"key_id": key_id, "revoked_at": revoked_at}, f"{key_id} is revoked")


def expiry(text: str, now: int) -> int:
    """The instant (UTC ms) that `90d` or `2030-01-31` means. Raises `InvalidField` for anything else and for what is over."""
    try:
        if days := re.fullmatch(r"([0-9]{1,5})d", text):
            end = datetime.fromtimestamp(now / 1000, UTC) + timedelta(days=int(days[1]))
        else:
            end = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidField("expires", "must look like 90d or 2030-01-31") from None
    at = int(end.timestamp() * 1000)
    if at <= now:
        raise InvalidField("expires", "must be in the future")
    return at


def _state(row: KeyRow, now: int) -> str:
    if row.revoked_at is not None:
        return f"revoked {moment(row.revoked_at)}"
    if row.expires_at is None:
        return "usable"
    return f"{'expired' if row.expires_at <= now else 'until'} {moment(row.expires_at)}"


def _told(row: KeyRow) -> dict[str, object]:
    return {
        "key_id": row.key_id,
        "name": row.name,
        "hint": row.hint,
        "created_at": row.created_at,
        "expires_at": row.expires_at,
        "revoked_at": row.revoked_at,
    }
