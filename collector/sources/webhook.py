"""Meta's webhooks: which messages came from an ad. Read tolerantly: Meta adds fields and objects at will, and retries what is refused.

Only what credits an ad is taken: of a message neither its text nor its sender's name. Source: Meta's webhook reference for WhatsApp, Messenger
and Instagram.
"""

import hashlib
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

import msgspec

from collector.attribution import Click, id_fault
from collector.event import Channel
from collector.identity import SenderKind, mobile_key
from collector.phone import DIGITS_MAX, DIGITS_MIN

UPDATES_MAX: Final = 5000
"""Messages of a body that are looked at; Meta promises at most 1000 updates."""
MARK: Final = b'"referral"'
"""Without it there is nothing to find: receipts and read marks, most of all bodies, cost no parsing."""


class Touch(msgspec.Struct, frozen=True, gc=False):
    """A message that an ad brought. `asset_id` is the WABA, Page or Instagram account that got it, `at_ms` the message's own time.

    `kind` and `id` name the sender as look-ups do: a phone number is hashed. So is `message_id`: WhatsApp's ids of messages hold the number.
    """

    channel: Channel
    asset_id: str
    kind: SenderKind
    id: str
    message_id: str
    at_ms: int | None
    click: Click


_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")

_decoder: Final = msgspec.json.Decoder()


def read(body: bytes) -> Iterator[Touch] | None:
    """The touches that a webhook's body tells, one by one: who reads many lets others have their turn in between.

    None where it is no JSON object. Never raises: what is broken in it is passed over.
    """
    if MARK not in body:
        return iter(())
    told = _decoded(body)
    if told is None:  # a headline that was cut in the middle of an emoji is no JSON, but nobody reads it here
        told = _decoded(_SURROGATE.sub(rb"\\ufffd", body))
    if not isinstance(told, dict):
        return None
    match told.get("object"):
        case "whatsapp_business_account":
            found = _whatsapp(told)
        case "page":
            found = _messaging(told, "messenger", "page_scoped_user_id")
        case "instagram":
            found = _messaging(told, "instagram", "ig_sid")
        case _:
            found = iter(())
    return islice(found, UPDATES_MAX)


def _decoded(body: bytes) -> object:
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _whatsapp(told: dict[str, Any]) -> Iterator[Touch]:
    """`entry[].changes[].value.messages[].referral`, on a message of any type."""
    for entry in _objects(told, "entry"):
        for change in _objects(entry, "changes"):
            value = _object(change, "value")
            contacts = _objects(value, "contacts")
            for message in _objects(value, "messages"):
                referral = _object(message, "referral")
                asset_id, message_id = _id(entry.get("id")), _id(message.get("id"))
                sender = _whatsapp_sender(message, contacts)
                ad = referral.get("source_id") if referral.get("source_type") in ("ad", None) else None
                click = Click(ctwa_clid=_id(referral.get("ctwa_clid")), ad_id=_id(ad))
                if asset_id and message_id and sender and (click.ctwa_clid or click.ad_id):
                    at_ms = _instant(message.get("timestamp"), 1000)
                    yield Touch("whatsapp", asset_id, *sender, _hashed(message_id), at_ms, click)


def _whatsapp_sender(message: dict[str, Any], contacts: list[dict[str, Any]]) -> tuple[SenderKind, str] | None:
    """The sender's number; of those who hide it, the id that WhatsApp gave them for this business."""
    user_id = _id(message.get("from_user_id"))
    contact = _contact(user_id, contacts)
    for number in (message.get("from"), contact.get("wa_id")):
        digits = _id(number) or ""
        if digits.isdecimal() and DIGITS_MIN <= len(digits) <= DIGITS_MAX:
            return "mobile_number", mobile_key(digits)
    given = user_id or _id(contact.get("user_id"))
    return ("whatsapp_user_id", given) if given else None


def _contact(user_id: str | None, contacts: list[dict[str, Any]]) -> dict[str, Any]:
    """Who has this id; else the only one there is, unless he has another."""
    for contact in contacts:
        known = _id(contact.get("user_id"))
        if (known and known == user_id) or (len(contacts) == 1 and None in (known, user_id)):
            return contact
    return {}


def _messaging(told: dict[str, Any], channel: Channel, kind: SenderKind) -> Iterator[Touch]:
    """`entry[].messaging[]`: the referral stands alone, in the message or in the postback."""
    for entry in _objects(told, "entry"):
        for item in [*_objects(entry, "messaging"), *_objects(entry, "standby")]:
            message, postback = _object(item, "message"), _object(item, "postback")
            places = (item, message, postback)
            referral = next((found for place in places if (found := _object(place, "referral"))), {})
            asset_id, sender = _id(entry.get("id")), _id(_object(item, "sender").get("id"))
            click = Click(ctwa_clid=_id(referral.get("ctwa_clid")), ad_id=_id(referral.get("ad_id")))
            if not (asset_id and sender and (click.ctwa_clid or click.ad_id)) or message.get("is_echo") is True:
                continue
            at_ms = _instant(item.get("timestamp"), 1)
            message_id = _id(message.get("mid")) or _id(postback.get("mid")) or f"{channel}-{at_ms}-{click.ad_id}"
            yield Touch(channel, asset_id, kind, sender, _hashed(message_id), at_ms, click)


def _objects(holder: dict[str, Any], name: str) -> list[dict[str, Any]]:
    found = holder.get(name)
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _object(holder: dict[str, Any], name: str) -> dict[str, Any]:
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def _id(value: object) -> str | None:
    """An id as text: Meta writes some as numbers."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return value if isinstance(value, str) and id_fault(value) is None else None


def _hashed(message_id: str) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()[:32]


def _instant(value: object, unit_ms: int) -> int | None:
    """A time of Meta's, text or number, in UTC milliseconds; None where it is none."""
    text = _id(value) or ""
    return int(text) * unit_ms if text.isdecimal() and len(text) <= 13 else None
