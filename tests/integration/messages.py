"""Webhooks as Meta would send them."""

import hashlib
import hmac
import json
import secrets
import time
from typing import Any

import httpx2

from tests.integration.house import House
from tests.integration.shop import Shop

SECRET, OLD_SECRET, VERIFY = "app-secret-of-today-1", "app-secret-of-the-past", "a-word-to-verify-by"


def sign(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def deliver(house: House, body: Any, secret: str = SECRET, **headers: str) -> httpx2.Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return house.client.post(
        "/webhooks/meta", content=raw, headers={"X-Hub-Signature-256": sign(raw, secret), **headers}
    )


def message(
    shop: Shop, sender: str, message_id: str = "wamid.1", at: float | None = None, clid: str | None = None
) -> dict[str, Any]:
    referral = {"source_type": "ad", "source_id": "1202100000001", "ctwa_clid": clid or shop.click.ctwa_clid}
    told = {
        "from": sender,
        "id": message_id,
        "timestamp": str(int(at or time.time() - 60)),
        "type": "text",
        "referral": referral,
    }
    value = {"messaging_product": "whatsapp", "messages": [told | {"text": {"body": "a secret wish"}}]}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": shop.waba, "changes": [{"field": "messages", "value": value}]}],
    }


def number() -> str:
    """A number of nobody, of Brazil."""
    return f"55119{secrets.randbelow(10**8):08}"
