"""The webhook calls that Meta makes about chats: what they carry, how they are written and signed. Pure.

Shapes are those of Meta's references for the WhatsApp Cloud API, Messenger and Instagram messaging. A click on an ad stands in
the message (WhatsApp), or in a message, a postback or alone (Messenger, Instagram); only WhatsApp's carries a click id.
"""

import base64
import hashlib
import hmac
import json
import re
from typing import Any, Literal

import msgspec

from .state import INSTAGRAM, PAGE, WABA

Json = dict[str, Any]
Channel = Literal["whatsapp", "messenger", "instagram"]
Placement = Literal["message", "referral", "postback"]

ASSETS: dict[Channel, str] = {"whatsapp": WABA, "messenger": PAGE, "instagram": INSTAGRAM}
SENDERS: dict[Channel, str] = {
    "whatsapp": "16505551234",
    "messenger": "300000000000002",
    "instagram": "300000000000003",
}
AD = "120210000000000001"
UPDATES_LIMIT = 1000
"""Updates that Meta puts into one call at most."""
_REF = re.compile(r"[A-Za-z0-9_=-]+")
_LINKS: dict[Channel, str] = {"messenger": "SHORTLINK", "instagram": "IGME-SOURCE-LINK"}
# Letters beyond ASCII on purpose: Meta escapes them, and signs the escaped bytes.
_NAME, _TEXT, _TITLE = "Ana Araújo", "Olá! Vi o anúncio.", "Café da manhã"


class Click(msgspec.Struct, frozen=True, kw_only=True):
    """What led into the chat: an ad, or a link with a `ref`. `ctwa_clid` is absent for ads in WhatsApp's Status."""

    ctwa_clid: str | None = None
    ad_id: str | None = None
    ref: str | None = None

    def __bool__(self) -> bool:
        return any((self.ctwa_clid, self.ad_id, self.ref))


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """One call with an update for each of `message_ids`, all from one sender; `at_ms` is UTC milliseconds.

    `status_only`: the updates tell what became of messages the business sent; nobody wrote, and nothing was clicked.
    """

    channel: Channel
    asset_id: str
    sender: str
    message_ids: tuple[str, ...]
    at_ms: int
    click: Click = Click()
    placement: Placement = "message"
    status_only: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for what Meta never sends."""
        if not 1 <= len(self.message_ids) <= UPDATES_LIMIT:
            raise ValueError(f"a call holds 1 to {UPDATES_LIMIT} updates")
        if self.status_only and (self.click or self.placement != "message"):
            raise ValueError("a status carries no click and has no other placement")
        if self.channel == "whatsapp":
            if self.click.ref is not None:
                raise ValueError("whatsapp knows no ref")
            if self.placement != "message":
                raise ValueError("on whatsapp a referral stands in the message")
        elif self.click.ctwa_clid is not None:
            raise ValueError(f"{self.channel} knows no ctwa_clid: the person's id stands for the click")
        if self.placement == "referral" and not self.click:
            raise ValueError("a referral on its own needs an ad_id or a ref")
        if self.click.ref is not None and not _REF.fullmatch(self.click.ref):
            raise ValueError("a ref holds letters, digits, -, _ and = only")


def payload(webhook: Webhook) -> Json:
    """The call's body, as Meta would build it."""
    if webhook.channel == "whatsapp":
        changes = [{"value": _value(webhook, message_id), "field": "messages"} for message_id in webhook.message_ids]
        return {"object": "whatsapp_business_account", "entry": [{"id": webhook.asset_id, "changes": changes}]}
    return {
        "object": "page" if webhook.channel == "messenger" else "instagram",
        "entry": [
            {
                "time": webhook.at_ms,
                "id": webhook.asset_id,
                "messaging": [_messaging(webhook, message_id) for message_id in webhook.message_ids],
            }
        ],
    }


def encode(body: Json) -> bytes:
    """The bytes on the wire: compact, all but ASCII escaped as lowercase `\\uXXXX`."""
    return json.dumps(body, separators=(",", ":")).encode()


def signature(body: bytes, app_secret: str) -> str:
    """The value of `X-Hub-Signature-256` for exactly these bytes."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def message_id(channel: Channel, random: bytes) -> str:
    """An id such as the channel gives to messages, made of some random bytes."""
    text = base64.urlsafe_b64encode(random).decode().rstrip("=")
    return {"whatsapp": "wamid.HBgL", "messenger": "m_", "instagram": "aWdfZAG1f"}[channel] + text


def known(webhook: Webhook) -> Json:
    """What a sandbox must know to accept events about this chat: a patch for its state, empty where there is nothing."""
    match webhook.channel:
        case "messenger":
            return {"psids": {webhook.sender: webhook.asset_id}}
        case "instagram":
            return {"igsids": {webhook.sender: webhook.asset_id}}
    if webhook.click.ctwa_clid is None:
        return {}
    return {"clicks": {webhook.click.ctwa_clid: {"waba_id": webhook.asset_id, "ad_id": webhook.click.ad_id or AD}}}


def _value(webhook: Webhook, message: str) -> Json:
    """WhatsApp's `changes[].value` for one message or status."""
    head: Json = {
        "messaging_product": "whatsapp",
        "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
    }
    seconds = str(webhook.at_ms // 1000)
    if webhook.status_only:
        status: Json = {"id": message, "status": "delivered", "timestamp": seconds, "recipient_id": webhook.sender}
        conversation = {"id": hashlib.sha256(message.encode()).hexdigest()[:32], "origin": {"type": "service"}}
        pricing = {"billable": True, "pricing_model": "PMP", "category": "service"}
        return head | {"statuses": [status | {"conversation": conversation, "pricing": pricing}]}
    text: Json = {"from": webhook.sender, "id": message, "timestamp": seconds, "type": "text", "text": {"body": _TEXT}}
    if webhook.click:
        text["referral"] = _referral_of_ad(webhook.click)
    contact = {"profile": {"name": _NAME}, "wa_id": webhook.sender}
    return head | {"contacts": [contact], "messages": [text]}


def _referral_of_ad(click: Click) -> Json:
    """WhatsApp's referral."""
    referral: Json = {
        "source_url": "https://fb.me/3cr4Wqqkv",
        "source_id": click.ad_id or AD,
        "source_type": "ad",
        "body": "Café torrado na hora.",
        "headline": _TITLE,
        "media_type": "image",
        "image_url": "https://scontent.xx.fbcdn.net/v/t45.1-4/ad.jpg",
    }
    if click.ctwa_clid is not None:
        referral["ctwa_clid"] = click.ctwa_clid
    return referral | {"welcome_message": {"text": "Oi! Como podemos ajudar?"}}


def _messaging(webhook: Webhook, mid: str) -> Json:
    """One item of Messenger's or Instagram's `messaging`."""
    item: Json = {
        "sender": {"id": webhook.sender},
        "recipient": {"id": webhook.asset_id},
        "timestamp": webhook.at_ms,
    }
    if webhook.status_only:
        read = {"delivery": {"mids": [mid], "watermark": webhook.at_ms}}
        return item | (read if webhook.channel == "messenger" else {"read": {"mid": mid}})
    referral = {"referral": _referral_of_thread(webhook)} if webhook.click else {}
    match webhook.placement:
        case "referral":
            return item | referral
        case "postback":
            return item | {"postback": {"mid": mid, "title": "Começar", "payload": "GET_STARTED"} | referral}
        case "message":
            return item | {"message": {"mid": mid, "text": _TEXT} | referral}


def _referral_of_thread(webhook: Webhook) -> Json:
    """Messenger's and Instagram's referral: of an ad, or of a link that carries a ref."""
    click = webhook.click
    referral: Json = {} if click.ref is None else {"ref": click.ref}
    if click.ad_id is None:
        return referral | {"source": _LINKS[webhook.channel], "type": "OPEN_THREAD"}
    context = {"ad_title": _TITLE, "photo_url": "https://scontent.xx.fbcdn.net/v/ad.jpg", "post_id": "120000000000009"}
    return referral | {"ad_id": click.ad_id, "source": "ADS", "type": "OPEN_THREAD", "ads_context_data": context}
