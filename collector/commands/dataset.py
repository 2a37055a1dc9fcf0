"""`collector dataset`: the dataset that Meta keeps for a WhatsApp account, a Page or an Instagram account."""

from typing import Literal

import click

from collector.commands import Failed, Misused
from collector.commands.channel import CHANNELS
from collector.commands.printing import answer, fields, json_option
from collector.commands.session import Session, within
from collector.destinations.graph import Graph, Problem, read_datasets
from collector.destinations.outbound import Outbound
from collector.diagnosis.trouble import asset, explain, renewal
from collector.directory import channels, open_token
from collector.store.face import ChannelRow
from collector.vault import CannotOpen


@click.group("dataset")
def dataset_command() -> None:
    """Ask Meta for the dataset of a channel's account."""


@dataset_command.command()
@click.argument("business_id")
@click.argument("channel", type=click.Choice(CHANNELS))
@json_option
def create(business_id: str, channel: str, as_json: bool) -> None:
    """Create the dataset of a channel's account, and store it.

    Meta keeps one dataset for each account: where it exists already, it is found. What the channel held is sent now.

    \b
    collector channel set ID whatsapp --waba-id 100000000000001 < token.txt
    collector dataset create ID whatsapp
    """
    _check(business_id, channel)

    async def work(session: Session) -> tuple[ChannelRow, str, list[ChannelRow]]:
        row, found = await _ask(session, business_id, channel, "POST")
        if not found:
            raise Failed(f"Graph names no dataset for {asset(row)}")
        return row, found[0], await channels.set_dataset(session.directory, row, found[0], session.now)

    row, dataset_id, changed = within(work)
    others = [each.business_id for each in changed if each.business_id != business_id]
    mine = any(each.business_id == business_id for each in changed)
    still_held = row.held is not None and not mine
    text = fields(
        [
            ("Channel", channel),
            ("Account", row.asset_id),
            ("Dataset", dataset_id),
            ("Stored", "now" if mine else "it was already"),
            ("Also for", ", ".join(f"business {each}" for each in others) or None),
            ("Held", f"{row.held}; go on: collector channel resume {business_id} {channel}" if still_held else None),
        ]
    )
    told = {
        "business_id": business_id,
        "channel": channel,
        "asset_id": row.asset_id,
        "dataset_id": dataset_id,
        "changed": mine,
        "also_changed": others,
    }
    answer(as_json, told, text)


@dataset_command.command()
@click.argument("business_id")
@click.argument("channel", type=click.Choice(CHANNELS))
@json_option
def show(business_id: str, channel: str, as_json: bool) -> None:
    """Show an account's dataset, at Meta and stored here.

    \b
    collector dataset show ID whatsapp
    """
    _check(business_id, channel)

    async def work(session: Session) -> tuple[ChannelRow, tuple[str, ...]]:
        return await _ask(session, business_id, channel, "GET")

    row, found = within(work)
    agree = row.dataset_id is not None and row.dataset_id in found
    text = fields(
        [
            ("Channel", channel),
            ("Account", row.asset_id),
            ("At Meta", ", ".join(found) or "none"),
            ("Stored", row.dataset_id or "none"),
            ("Next", None if agree else f"collector dataset create {business_id} {channel}"),
        ]
    )
    told = {
        "business_id": business_id,
        "channel": channel,
        "asset_id": row.asset_id,
        "dataset_id": row.dataset_id,
        "at_meta": found,
    }
    answer(as_json, told, text)


def _check(business_id: str, channel: str) -> None:
    if channel == "website":
        raise Misused(
            "a website's dataset (its pixel) is made in Meta's Events Manager; name it here: "
            f"collector channel set {business_id} website --dataset-id DATASET"
        )


async def _ask(
    session: Session, business_id: str, channel: str, method: Literal["GET", "POST"]
) -> tuple[ChannelRow, tuple[str, ...]]:
    """The channel, and the datasets that Graph names for its asset. Raises Failed with the remedy, errors.NotFound."""
    snapshot = await session.directory.snapshot()
    row = channels.find_channel(snapshot, business_id, channel)
    try:
        token = open_token(session.vault, row, {each.name: each for each in snapshot.credentials})
    except CannotOpen as error:
        raise Failed(f"the stored token does not open: {error}\n  store it again: {renewal(row)}") from None
    async with Outbound() as outbound:
        graph = Graph(outbound, session.settings.graph_url, session.settings.graph_version)
        found = read_datasets(await graph.ask(token, f"{row.asset_id}/dataset", method))
    if isinstance(found, Problem):
        told = explain(found, row, asset(row))
        raise Failed(f"{told.what}\n  {told.remedy}")
    return row, found
