"""`collector channel`: where a business's events go at Meta."""

from typing import Any

import click

from collector.commands import Misused
from collector.commands.printing import answer, fields, json_option, moment, table
from collector.commands.session import Session, read_secret, within
from collector.delivery import LaneName
from collector.directory import channels, onboarding
from collector.event import Channel
from collector.store.face import ChannelRow

CHANNELS = ("whatsapp", "messenger", "instagram", "website")


@click.group("channel")
def channel_command() -> None:
    """Connect a business's channels to their datasets at Meta."""


@channel_command.command("set")
@click.argument("business_id")
@click.argument("channel", type=click.Choice(CHANNELS))
@click.option("--waba-id", help="WhatsApp Business account (whatsapp).")
@click.option("--page-id", help="Facebook Page (messenger).")
@click.option("--ig-account-id", help="Instagram professional account (instagram).")
@click.option("--dataset-id", help="Dataset that takes the channel's events; unset: what is known of the account.")
@click.option("--credential", help="Name of a shared token, in place of one of the channel's own.")
@json_option
def set_(
    business_id: str,
    channel: Channel,
    dataset_id: str | None,
    credential: str | None,
    as_json: bool,
    **assets: str | None,
) -> None:
    """Connect a channel to its account and dataset.

    The access token comes from COLLECTOR_ACCESS_TOKEN or standard input, or is shared (--credential). What the channel held is sent now.
    Without a dataset it waits for `collector dataset create`; a website's has to be named.

    \b
    collector channel set ID whatsapp --waba-id 100000000000001 --dataset-id 200000000000001 < token.txt
    collector channel set ID messenger --page-id 100000000000002 --credential agency
    collector channel set ID website --dataset-id 200000000000004
    """
    asset = channels.ASSETS[channel]
    for name, value in assets.items():
        if value is not None and name != asset:
            raise Misused(f"--{name.replace('_', '-')} does not belong to {channel}")
    token = "" if credential else read_secret(f"the access token of {channel}")

    async def work(session: Session) -> ChannelRow:
        return await channels.set_channel(
            session.directory,
            session.vault,
            business_id=business_id,
            channel=channel,
            asset_id=assets[asset] if asset else None,
            dataset_id=dataset_id,
            token=token,
            credential=credential,
            now=session.now,
        )

    row = within(work)
    told = [
        ("Channel", row.channel),
        ("Account", row.asset_id),
        ("Dataset", row.dataset_id or "none yet"),
        ("Token", f"that of credential {credential}" if credential else "stored, encrypted"),
        ("Next", None if row.dataset_id else f"collector dataset create {business_id} {channel}"),
    ]
    answer(as_json, _told(row), fields(told))


@channel_command.command("list")
@click.argument("business_id")
@json_option
def list_(business_id: str, as_json: bool) -> None:
    """List a business's channels, and why one is held."""

    async def work(session: Session) -> list[ChannelRow]:
        snapshot = await session.directory.snapshot()
        onboarding.find_business(snapshot.businesses, business_id)
        return [row for row in snapshot.channels if row.business_id == business_id]

    rows = within(work)
    lines = [
        (row.channel, row.asset_id, row.dataset_id, row.credential or "its own", row.held, moment(row.updated_at))
        for row in rows
    ]
    head = ("CHANNEL", "ACCOUNT", "DATASET", "TOKEN", "HELD", "SET")
    empty = f"No channel yet. Connect one: collector channel set {business_id} whatsapp --waba-id … --dataset-id …"
    answer(as_json, {"channels": [_told(row) for row in rows]}, table(head, lines, empty))


@channel_command.command()
@click.argument("business_id")
@click.argument("channel", type=click.Choice([*CHANNELS, "connectly"]))
@json_option
def resume(business_id: str, channel: str, as_json: bool) -> None:
    """Let a held channel run again.

    For when the cause is mended at Meta: the same token and dataset are tried again, and what was held is sent now.

    \b
    collector channel resume ID whatsapp
    """
    destination = "connectly" if channel == "connectly" else "meta"
    lanes = LaneName(destination, business_id, channel, "").prefix

    async def work(session: Session) -> int:
        channels.find_channel(await session.directory.snapshot(), business_id, channel)
        return await session.outbox.resume(business_id, channel, lanes)

    released = within(work)
    answer(as_json, {"released": released}, f"{channel} runs; {released} deliveries released")


def _told(row: ChannelRow) -> dict[str, Any]:
    """The channel without its token, sealed as it is."""
    return {
        "business_id": row.business_id,
        "channel": row.channel,
        "asset_id": row.asset_id,
        "dataset_id": row.dataset_id,
        "credential": row.credential,
        "held": row.held,
        "updated_at": row.updated_at,
    }
