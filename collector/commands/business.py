"""`collector business`: the merchants this collector works for."""

import os
from typing import Any

import click

from collector.commands import Misused
from collector.commands.printing import answer, fields, json_option, moment, table
from collector.commands.session import Session, within
from collector.directory import onboarding
from collector.policy import WINDOW_DAYS, Policy
from collector.store.face import BusinessRow, ChannelRow


@click.group("business")
def business_command() -> None:
    """Set up the merchants this collector works for."""


@business_command.command()
@click.argument("name")
@click.option(
    "--origin", "origins", multiple=True, required=True, help="The shop's origin, https://shop.example; repeatable."
)
@click.option("--id", "business_id", help="Keep this UUID, so that a path made for Connectly stays.")
@click.option("--destination", type=click.Choice(["meta", "connectly"]), default="meta", show_default=True)
@click.option("--timezone", default="UTC", show_default=True, help="IANA time zone of its reports.")
@click.option("--region", help="ISO country of its phone numbers, such as BR.")
@json_option
def create(name: str, as_json: bool, **given: Any) -> None:
    """Set up a business.

    Prints its id, its first API key (this once) and the script tag for its pages.

    \b
    collector business create "Coffee Shop" --origin https://coffee.example
    collector business create Café --origin https://cafe.example --timezone America/Sao_Paulo --region BR --json
    """

    async def work(session: Session) -> tuple[BusinessRow, str, str]:
        row, api_key = await onboarding.create_business(
            session.directory, name=name, now=session.now, random=os.urandom, **given
        )
        return row, api_key, onboarding.tag(row, session.settings.public_url)

    row, api_key, tag = within(work)
    answer(
        as_json,
        {"business_id": row.business_id, "api_key": api_key, "tag": tag},
        fields(
            [
                *_told(row),
                ("API key", f"{api_key}  (shown this once; it belongs on the shop's server)"),
                ("Tag", tag),
                ("Next", _next(row)),
            ]
        ),
    )


def _next(row: BusinessRow) -> str:
    if row.destination == "connectly":
        return f"collector destination set {row.business_id} connectly --connectly-business-id …"
    return f"collector channel set {row.business_id} whatsapp --waba-id … --dataset-id …"


@business_command.command("set")
@click.argument("business_id")
@click.option("--name")
@click.option(
    "--origin", "origins", multiple=True, help="All origins of the shop, in place of those it has; repeatable."
)
@click.option("--destination", type=click.Choice(["meta", "connectly"]))
@click.option("--timezone", help="IANA time zone of its reports.")
@click.option("--region", help="ISO country of its phone numbers; empty: none.")
@click.option(
    "--mode", type=click.Choice(["live", "test"]), help="test: stored and marked, sent only with a test code."
)
@click.option("--test-event-code", help="Code from Meta's Test Events page; empty: none.")
@click.option("--consent-required/--no-consent-required", default=None, help="Hold events until the shopper agrees.")
@click.option("--cookie-domain", help="Domain of the cookies; none: the shop's host alone.")
@click.option("--cookie-name", help="Name of the cookie; changes the script tag.")
@click.option(
    "--messaging-names", metavar="A,B", help="Events that its conversations may have; empty: all of Meta's 14."
)
@click.option("--lead-submitted/--no-lead-submitted", default=None, help="Send a conversation's Lead as LeadSubmitted.")
@click.option(
    "--other-names",
    type=click.Choice(["refuse", "system_generated"]),
    help="Any other event of a conversation: refuse it, or send it as system_generated.",
)
@click.option(
    "--purchases",
    type=click.Choice(["business_messaging", "website"]),
    help="Tell what happens on the shop's pages as the conversation's, or as the website's.",
)
@click.option(
    "--website-click-id/--no-website-click-id", default=None, help="Send the click id with the website's events too."
)
@click.option(
    "--window-days", type=int, help="Days that a conversation's click may lie before its conversion: 1 to 90."
)
@json_option
def set_(business_id: str, as_json: bool, **given: Any) -> None:
    """Change a business.

    \b
    collector business set ID --mode test --test-event-code TEST12345
    collector business set ID --mode live --timezone America/Sao_Paulo
    """
    changes = {name: value for name, value in given.items() if value not in (None, ())}
    if not changes:
        raise Misused("name what to change; see: collector business set --help")
    for optional in ("region", "test_event_code"):
        if changes.get(optional) == "":
            changes[optional] = None
    if "messaging_names" in changes:
        changes["messaging_names"] = tuple(filter(None, map(str.strip, changes["messaging_names"].split(","))))
    if policy := {name: changes.pop(name) for name in Policy.__struct_fields__ if name in changes}:
        changes["policy"] = policy

    async def work(session: Session) -> tuple[BusinessRow, str]:
        row = await onboarding.change_business(session.directory, business_id, **changes)
        return row, onboarding.tag(row, session.settings.public_url)

    row, tag = within(work)
    answer(as_json, {"business": row, "tag": tag}, fields([*_told(row), ("Tag", tag)]))


@business_command.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List all businesses."""

    async def work(session: Session) -> tuple[BusinessRow, ...]:
        return (await session.directory.snapshot()).businesses

    rows = within(work)
    lines = [(row.business_id, row.name, row.origins[0], row.destination, row.mode) for row in rows]
    empty = "No business yet. Set one up: collector business create NAME --origin https://shop.example"
    answer(as_json, {"businesses": rows}, table(("ID", "NAME", "ORIGIN", "DESTINATION", "MODE"), lines, empty))


@business_command.command()
@click.argument("business_id")
@json_option
def show(business_id: str, as_json: bool) -> None:
    """Show a business, its channels and its script tag."""

    async def work(session: Session) -> tuple[BusinessRow, list[ChannelRow], str]:
        snapshot = await session.directory.snapshot()
        row = onboarding.find_business(snapshot.businesses, business_id)
        channels = [channel for channel in snapshot.channels if channel.business_id == business_id]
        return row, channels, onboarding.tag(row, session.settings.public_url)

    row, channels, tag = within(work)
    listed = [
        {"channel": each.channel, "asset_id": each.asset_id, "dataset_id": each.dataset_id, "held": each.held}
        for each in channels
    ]
    names = ", ".join(each.channel + (f" (held: {each.held})" if each.held else "") for each in channels)
    text = fields([*_told(row), ("Channels", names or "none yet"), ("Tag", tag)])
    answer(as_json, {"business": row, "channels": listed, "tag": tag}, text)


def _told(row: BusinessRow) -> list[tuple[str, object]]:
    mode = row.mode if row.test_event_code is None else f"{row.mode} (code {row.test_event_code})"
    return [
        ("Business", row.name),
        ("ID", row.business_id),
        ("Origins", ", ".join(row.origins)),
        ("Cookie", f"{row.cookie_name} on {row.cookie_domain or 'the host alone'}"),
        ("Destination", row.destination),
        ("Mode", mode),
        ("Consent", "required" if row.consent_required else None),
        *_policy(row.policy),
        ("Time zone", row.timezone),
        ("Region", row.region),
        ("Since", moment(row.created_at)),
    ]


def _policy(policy: Policy) -> list[tuple[str, object]]:
    """What is not as usual."""
    system = policy.other_names == "system_generated"
    return [
        ("Chat events", ", ".join(policy.messaging_names) or None),
        ("Chat's Lead", "sent as LeadSubmitted" if policy.lead_submitted else None),
        ("Chat's others", "sent as system_generated" if system else None),
        ("Purchases", "told as the website's" if policy.purchases == "website" else None),
        ("Click id", "goes with the website's events too" if policy.website_click_id else None),
        ("Click window", f"{policy.window_days} days" if policy.window_days != WINDOW_DAYS else None),
    ]
