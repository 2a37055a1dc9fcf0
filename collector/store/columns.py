"""Between the structs that the store keeps and the columns of its statements. Pure.

Columns are positional; each function belongs to the statement in `sql/` that it names.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import msgspec

from collector.attribution import Click
from collector.event import Event
from collector.policy import Policy
from collector.store import face

Row: TypeAlias = tuple[Any, ...]


def take(e: Event, d: face.Delivery, r: face.Record) -> Row:
    """For take. What delivery and record repeat of the event is not sent again."""
    c = e.click
    return (
        e.business_id, e.id, e.event_name, e.event_id, e.event_at, e.received_at, e.channel, e.source, c.cnct_tracking_id,
        c.sendout_id, c.ctwa_clid, c.ad_id, e.consent, e.custom_data, e.currency, e.value_micros, e.user_data, e.page_url,
        e.order_id, int(e.test), e.digest, e.revision, e.options, d.destination, d.lane, d.state, d.reason, d.attempts, d.due_at,
        d.deadline_at, d.reference, d.error, d.lease_ms, r.id, r.received_at, r.payload,
    )  # fmt: skip


def record(r: face.Record) -> Row:
    """For note_records and, with the mark behind it, revise_records."""
    c = r.click
    return (
        r.business_id, r.id, r.received_at, r.source, r.event_row, r.event_name, r.event_id, int(r.duplicate), r.revision,
        r.failure_stage, r.error, c.cnct_tracking_id, c.sendout_id, c.ctwa_clid, c.ad_id, r.payload,
    )  # fmt: skip


def revised_delivery(standing: face.Delivery, d: face.Delivery, mark: str) -> Row:
    """For revise_deliveries: the fence first."""
    return (
        d.business_id, d.id, standing.state, standing.revision, standing.attempts, d.destination, d.lane, d.state, d.reason,
        d.revision, d.attempts, d.due_at, d.deadline_at, d.reference, d.error, d.lease_ms, d.trigger, mark,
    )  # fmt: skip


def revised_event(e: Event, mark: str) -> Row:
    """For revise_events."""
    c = e.click
    return (
        e.business_id, e.id, mark, e.event_at, e.channel, e.source, c.cnct_tracking_id, c.sendout_id, c.ctwa_clid, c.ad_id,
        e.consent, e.custom_data, e.currency, e.value_micros, e.user_data, e.page_url, e.order_id, int(e.test), e.digest,
        e.revision, e.options,
    )  # fmt: skip


def landing(row: face.Landing) -> Row:
    """For land."""
    c = row.click
    return (
        row.business_id, row.ref, c.cnct_tracking_id, c.sendout_id, c.ctwa_clid, c.ad_id, row.at, row.consent, row.page_url,
        row.referrer, row.visitor,
    )  # fmt: skip


def link(row: face.Link) -> Row:
    """For link."""
    c = row.click
    return (row.business_id, row.kind, row.id, row.ref, c.cnct_tracking_id, c.sendout_id, c.ctwa_clid, c.ad_id, row.at)


def conversation(row: face.Conversation) -> Row:
    """For converse."""
    c = row.click
    return (row.business_id, row.kind, row.id, row.message_id, row.asset_id, c.ctwa_clid, c.ad_id, row.at)


def stored_conversation(row: Sequence[Any]) -> face.Conversation:
    """From conversations."""
    return face.Conversation(
        business_id=row[0],
        kind=row[1],
        id=row[2],
        message_id=row[3],
        asset_id=row[4],
        click=Click(ctwa_clid=row[5], ad_id=row[6]),
        at=row[7],
    )


def settlement(s: face.Settlement) -> Row:
    """For settle."""
    a = s.attempt
    return (
        a.business_id, a.delivery_id, a.number, s.state, s.reason, s.due_at, s.reference, s.error, a.trigger, a.at, a.outcome,
        a.http_status, a.code, a.subcode, a.duration_ms, a.reference, a.answer,
    )  # fmt: skip


def stored_event(row: Sequence[Any]) -> face.StoredEvent:
    """From the view stored_events."""
    return face.StoredEvent(
        event=Event(
            business_id=row[0], id=row[1], event_name=row[2], event_id=row[3], event_at=row[4], received_at=row[5],
            channel=row[6], source=row[7], click=Click(row[8], row[9], row[10], row[11]), consent=row[12], custom_data=row[13],
            currency=row[14], value_micros=row[15], user_data=row[16], page_url=row[17], order_id=row[18], test=bool(row[19]),
            digest=row[20], revision=row[21], options=row[22],
        ),
        delivery=face.Delivery(
            business_id=row[0], id=row[1], destination=row[23], lane=row[24], state=row[25], reason=row[26], revision=row[27],
            attempts=row[28], due_at=row[29], deadline_at=row[30], reference=row[31], error=row[32], trigger=row[33],
        ),
    )  # fmt: skip


def stored_delivery(row: Sequence[Any]) -> face.Delivery:
    """From states."""
    return face.Delivery(
        business_id=row[0], id=row[1], destination=row[2], lane=row[3], state=row[4], reason=row[5], revision=row[6],
        attempts=row[7], due_at=row[8], deadline_at=row[9], reference=row[10], error=row[11],
    )  # fmt: skip


def stored_landing(row: Sequence[Any]) -> face.StoredLanding:
    """From landing."""
    return face.StoredLanding(
        business_id=row[0], ref=row[1], click=Click(row[2], row[3], row[4], row[5]), at=row[6], consent=row[7], page_url=row[8],
        referrer=row[9], last_at=row[10], hits=row[11], visitor=row[12],
    )  # fmt: skip


def stored_link(row: Sequence[Any]) -> face.Link:
    """From links."""
    return face.Link(
        business_id=row[0], kind=row[1], id=row[2], ref=row[3], click=Click(row[4], row[5], row[6], row[7]), at=row[8]
    )


def stored_attempt(row: Sequence[Any]) -> face.Attempt:
    """From attempts."""
    return face.Attempt(
        business_id=row[0], delivery_id=row[1], number=row[2], trigger=row[3], at=row[4], outcome=row[5], http_status=row[6],
        code=row[7], subcode=row[8], duration_ms=row[9], reference=row[10], answer=row[11],
    )  # fmt: skip


_RECORD_COLUMNS = (
    "id", "received_at", "success", "failure_stage", "error", "event_id", "event_name", "event_row", "duplicate", "revision",
    "forward_reference_id", "cnct_tracking_id", "sendout_id", "ctwa_clid", "ad_id", "payload",
)  # fmt: skip


def viewed_record(row: Sequence[Any]) -> dict[str, object]:
    """From event_records and records."""
    found: dict[str, object] = dict(zip(_RECORD_COLUMNS, row, strict=True))
    found["success"] = None if row[2] is None else bool(row[2])
    found["duplicate"] = bool(row[8])
    return found


def business(b: face.BusinessRow) -> Row:
    """For put_business."""
    return (
        b.business_id, b.name, msgspec.json.encode(b.origins).decode(), b.destination, b.cookie_name, b.cookie_domain, b.timezone,
        b.region, b.mode, b.test_event_code, int(b.consent_required), msgspec.json.encode(b.policy).decode(), b.created_at,
    )  # fmt: skip


def stored_business(row: Sequence[Any]) -> face.BusinessRow:
    """From businesses."""
    return face.BusinessRow(
        business_id=row[0], name=row[1], origins=msgspec.json.decode(row[2], type=tuple[str, ...]), destination=row[3],
        cookie_name=row[4], cookie_domain=row[5], timezone=row[6], region=row[7], mode=row[8], test_event_code=row[9],
        consent_required=bool(row[10]), policy=msgspec.json.decode(row[11], type=Policy), created_at=row[12],
    )  # fmt: skip


def channel(c: face.ChannelRow) -> Row:
    """For put_channel."""
    return (c.business_id, c.channel, c.asset_id, c.dataset_id, c.sealed_token, c.credential, c.updated_at)


def stored_channel(row: Sequence[Any]) -> face.ChannelRow:
    """From channels."""
    return face.ChannelRow(
        business_id=row[0], channel=row[1], asset_id=row[2], dataset_id=row[3], sealed_token=row[4], credential=row[5],
        held=row[6], updated_at=row[7],
    )  # fmt: skip


def credential(c: face.CredentialRow) -> Row:
    """For put_credential."""
    return (c.name, c.sealed_token, c.updated_at)


def stored_credential(row: Sequence[Any]) -> face.CredentialRow:
    """From credentials."""
    return face.CredentialRow(name=row[0], sealed_token=row[1], updated_at=row[2])


def key(k: face.KeyRow) -> Row:
    """For put_key."""
    return (k.business_id, k.key_id, k.name, k.digest, k.hint, k.created_at, k.expires_at, k.revoked_at)


def stored_key(row: Sequence[Any]) -> face.KeyRow:
    """From api_keys."""
    return face.KeyRow(
        business_id=row[0], key_id=row[1], name=row[2], digest=row[3], hint=row[4], created_at=row[5], expires_at=row[6],
        revoked_at=row[7],
    )  # fmt: skip
