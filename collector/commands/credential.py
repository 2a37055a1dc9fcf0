"""`collector credential`: access tokens that many channels share."""

from typing import Any

import click

from collector.commands.printing import answer, fields, json_option, moment, table
from collector.commands.session import Session, read_secret, within
from collector.directory import channels
from collector.store.face import ChannelRow, DirectorySnapshot


@click.group("credential")
def credential_command() -> None:
    """Keep access tokens that many channels share."""


@credential_command.command("set")
@click.argument("name")
@json_option
def set_(name: str, as_json: bool) -> None:
    """Store a token under a name, or replace it.

    It comes from COLLECTOR_ACCESS_TOKEN or standard input. All channels that name it use it from now on; what they held is sent now.

    \b
    collector credential set agency < token.txt
    collector channel set ID whatsapp --waba-id 100000000000001 --credential agency
    """
    text = read_secret(f"the access token {name}")

    async def work(session: Session) -> tuple[ChannelRow, ...]:
        return await channels.set_credential(session.directory, session.vault, name=name, token=text, now=session.now)

    users = within(work)
    told = [("Credential", name), ("Token", "stored, encrypted"), ("Used by", _count(users))]
    answer(as_json, {"name": name, "channels": _listed(users)}, fields(told))


@credential_command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the tokens' names, and how many channels use each."""

    async def work(session: Session) -> DirectorySnapshot:
        return await session.directory.snapshot()

    snapshot = within(work)
    users = {row.name: channels.users(snapshot, row.name) for row in snapshot.credentials}
    told = [
        {"name": row.name, "channels": _listed(users[row.name]), "updated_at": row.updated_at}
        for row in snapshot.credentials
    ]
    lines = [(row.name, _count(users[row.name]), moment(row.updated_at)) for row in snapshot.credentials]
    empty = "No credential yet. Store one: collector credential set NAME < token.txt"
    answer(as_json, {"credentials": told}, table(("NAME", "USED BY", "SET"), lines, empty))


def _count(users: tuple[ChannelRow, ...]) -> str:
    if not users:
        return "no channel"
    businesses = len({row.business_id for row in users})
    of = f" of {businesses} businesses" if businesses > 1 else ""
    return f"{len(users)} channel{'s' if len(users) > 1 else ''}{of}"


def _listed(users: tuple[ChannelRow, ...]) -> list[dict[str, Any]]:
    return [{"business_id": row.business_id, "channel": row.channel} for row in users]
