"""`collector channel`: where a business's events go at Meta."""

from typing import Any

import click

from collector.commands import Misused
from collector.commands.printing import answer, fields, json_option, moment, table
from collector.commands.session import Session, read_secret, within
from collector.delivery import LaneName
from collector.directory import onboarding
from collector.errors import NotFound
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
@click.option("--dataset-id", required=True, help="Dataset that takes the channel's events.")
@json_option
def set_(business_id: str, channel: Channel, dataset_id: str, as_json: bool, **assets: str | None) -> None:
    """Connect a channel to its dataset.

    The access token comes from COLLECTOR_ACCESS_TOKEN or standard input. What the channel held is sent now.

    \b
    collector channel set ID whatsapp --waba-id 100000000000001 --dataset-id 200000000000001 < token.txt
    collector channel set ID website --dataset-id 200000000000004
    """
    asset = onboarding.ASSETS[channel]
    for name, value in assets.items():
        if value is not None and name != asset:
            raise Misused(f"--{name.replace('_', '-')} does not belong to {channel}")
    token = read_secret(f"the access token of {channel}")

    async def work(session: Session) -> ChannelRow:
        return await onboarding.set_channel(
            session.directory,
            session.vault,
            business_id=business_id,
            channel=channel,
            asset_id=assets[asset] if asset else None,
            dataset_id=dataset_id,
            token=token,
            now=session.now,
        )

    row = within(work)
    told = [
        ("Channel", row.channel),
        ("Account", row.asset_id),
        ("Dataset", row.dataset_id),
        ("Token", "stored, encrypted"),
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
    lines = [(row.channel, row.asset_id, row.dataset_id, row.held, moment(row.updated_at)) for row in rows]
    head = ("CHANNEL", "ACCOUNT", "DATASET", "HELD", "SET")
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
        snapshot = await session.directory.snapshot()
        onboarding.find_business(snapshot.businesses, business_id)
        if not any((row.business_id, row.channel) == (business_id, channel) for row in snapshot.channels):
            raise NotFound(f"business {business_id} has no channel {channel}", "channel_lookup")
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
        "held": row.held,
        "updated_at": row.updated_at,
    }
