"""`collector destination`: who takes a business's events, Meta itself or Connectly."""

import click

from collector.commands import Misused
from collector.commands.printing import answer, fields, json_option
from collector.commands.session import Session, read_secret, within
from collector.directory import channels, onboarding
from collector.store.face import BusinessRow


@click.group("destination")
def destination_command() -> None:
    """Choose who takes the events: Meta itself or Connectly."""


@destination_command.command("set")
@click.argument("business_id")
@click.argument("destination", type=click.Choice(["connectly", "meta"]))
@click.option("--connectly-business-id", help="The business's UUID at Connectly.")
@json_option
def set_(business_id: str, destination: str, connectly_business_id: str | None, as_json: bool) -> None:
    """Choose the destination.

    Connectly's API key comes from COLLECTOR_ACCESS_TOKEN or standard input.

    \b
    collector destination set ID connectly --connectly-business-id 7d2b… < key.txt
    collector destination set ID meta
    """
    if (destination == "connectly") != (connectly_business_id is not None):
        raise Misused("connectly needs --connectly-business-id, and meta does not take it")
    account = connectly_business_id and onboarding.checked_uuid("connectly_business_id", connectly_business_id)
    token = read_secret("Connectly's API key") if account else ""

    async def work(session: Session) -> BusinessRow:
        return await channels.set_destination(
            session.directory,
            session.vault,
            business_id=business_id,
            connectly_business_id=account,
            token=token,
            now=session.now,
        )

    row = within(work)
    told = {
        "business_id": row.business_id,
        "destination": row.destination,
        "connectly_business_id": account,
    }
    text = [("Business", row.name), ("Destination", row.destination), ("Account", account)]
    answer(as_json, told, fields(text))
