"""`collector deliveries`: where events stand on their way to the destination."""

from typing import Any, get_args

import click
import msgspec

from collector.commands.printing import answer, fields, json_option, moment, table
from collector.commands.session import Session, within
from collector.delivery import State
from collector.directory import onboarding
from collector.errors import NotFound
from collector.store.face import Attempt, Delivery, StoredEvent


@click.group("deliveries")
def deliveries_command() -> None:
    """See where events stand on their way."""


@deliveries_command.command("list")
@click.argument("business_id")
@click.option("--state", type=click.Choice(get_args(State)))
@click.option("--event-name", help="Such as Purchase.")
@click.option("--event-id", help="The shop's order id, in most cases.")
@click.option("--cursor", help="Where the page before ended.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@json_option
def list_(business_id: str, limit: int, as_json: bool, cursor: str | None, **wanted: str | None) -> None:
    """List a business's deliveries, newest first.

    \b
    collector deliveries list ID --state dead
    collector deliveries list ID --event-id ORD-7821
    """

    async def work(session: Session) -> list[StoredEvent]:
        onboarding.find_business((await session.directory.snapshot()).businesses, business_id)
        return await session.ledger.events(
            business_id, wanted["event_name"], wanted["event_id"], wanted["state"], cursor, limit + 1
        )

    found = within(work)
    rows, more = found[:limit], found[limit - 1].event.id if len(found) > limit else None
    lines = [
        (
            row.event.id,
            row.event.event_name,
            row.event.event_id,
            _state(row.delivery),
            row.delivery.attempts,
            moment(row.event.received_at),
        )
        for row in rows
    ]
    text = table(("ID", "EVENT", "EVENT ID", "STATE", "TRIES", "RECEIVED"), lines, "No such delivery.")
    if more:
        text += f"\nmore: --cursor {more}"
    answer(as_json, {"deliveries": [_told(row) for row in rows], "next_cursor": more}, text)


@deliveries_command.command()
@click.argument("business_id")
@click.argument("id")
@json_option
def show(business_id: str, id: str, as_json: bool) -> None:
    """Tell one event's journey, with each try and the destination's words."""

    async def work(session: Session) -> tuple[StoredEvent, list[Attempt]]:
        stored = await session.ledger.event(business_id, id)
        if stored is None:
            raise NotFound(f"business {business_id} has no event {id}")
        return stored, await session.ledger.attempts(business_id, id)

    stored, attempts = within(work)
    event, delivery = stored.event, stored.delivery
    told = _told(stored) | {
        "deadline_at": delivery.deadline_at,
        "forward_reference_id": delivery.reference,
        "error": delivery.error,
        "custom_data": msgspec.Raw(event.custom_data.encode()),
        "attempts": [msgspec.structs.asdict(attempt) for attempt in attempts],
    }
    head = fields(
        [
            ("Event", f"{event.event_name} {event.event_id}"),
            ("ID", event.id),
            ("State", _state(delivery)),
            ("To", delivery.destination),
            ("Happened", moment(event.event_at)),
            ("Received", moment(event.received_at)),
            ("Next try", moment(delivery.due_at) if delivery.state in {"pending", "retrying"} else None),
            ("Deadline", None if delivery.state in {"delivered", "dead"} else moment(delivery.deadline_at)),
            ("Reference", delivery.reference),
            ("Error", delivery.error),
        ]
    )
    lines = [
        (each.number, moment(each.at), each.trigger, each.outcome, each.http_status, each.code) for each in attempts
    ]
    tries = table(("TRY", "AT", "TRIGGER", "OUTCOME", "HTTP", "CODE"), lines, "Not tried yet.")
    answer(as_json, told, f"{head}\n\n{tries}")


def _state(delivery: Delivery) -> str:
    return delivery.state if delivery.reason is None else f"{delivery.state} ({delivery.reason})"


def _told(row: StoredEvent) -> dict[str, Any]:
    event, delivery = row.event, row.delivery
    return {
        "id": event.id,
        "event_name": event.event_name,
        "event_id": event.event_id,
        "destination": delivery.destination,
        "state": delivery.state,
        "reason": delivery.reason,
        "revision": delivery.revision,
        "tries": delivery.attempts,
        "event_at": event.event_at,
        "received_at": event.received_at,
        "due_at": delivery.due_at,
    }
