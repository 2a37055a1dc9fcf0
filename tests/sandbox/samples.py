"""Requests that a sandbox accepts as they stand; a test changes one thing and sees what becomes of it."""

from typing import Any

NOW = 1_800_000_000
"""The sandbox's clock in these tests, in Unix seconds."""

CLICK = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a"
WABA, PAGE, INSTAGRAM = "100000000000001", "100000000000002", "100000000000003"
WHATSAPP_DATASET, PAGE_DATASET = "200000000000001", "200000000000002"
INSTAGRAM_DATASET, WEB_DATASET = "200000000000003", "200000000000004"
BUSINESS = "5f2c8f5e-0d3b-4c0a-9a53-6a7f8e1b2c3d"
BEARER = {"Authorization": "Bearer sandbox-token"}
KEY = {"X-API-KEY": "sandbox-key"}
DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

Json = dict[str, Any]


def whatsapp(**changes: Any) -> Json:
    """A purchase in a chat that an ad began."""
    event: Json = {
        "event_name": "Purchase",
        "event_time": NOW - 60,
        "event_id": "ORDER-1",
        "action_source": "business_messaging",
        "messaging_channel": "whatsapp",
        "user_data": {"whatsapp_business_account_id": WABA, "ctwa_clid": CLICK},
        "custom_data": {"currency": "BRL", "value": 189.9},
    }
    return changed(event, changes)


def messenger(**changes: Any) -> Json:
    """A purchase in a conversation with a Page."""
    user = {"page_id": PAGE, "page_scoped_user_id": "300000000000002"}
    return changed(whatsapp(messaging_channel="messenger", user_data=user), changes)


def instagram(**changes: Any) -> Json:
    """A purchase in a conversation with an Instagram account."""
    user = {"ig_account_id": INSTAGRAM, "ig_sid": "300000000000003"}
    return changed(whatsapp(messaging_channel="instagram", user_data=user), changes)


def website(**changes: Any) -> Json:
    """A purchase on a website."""
    event = whatsapp(
        action_source="website",
        event_source_url="https://shop.example/thanks",
        user_data={"em": [DIGEST], "client_ip_address": "8.8.8.8", "client_user_agent": "Mozilla/5.0"},
    )
    del event["messaging_channel"]
    return changed(event, changes)


def connectly(**changes: Any) -> Json:
    """A purchase as Connectly's contract has it."""
    body: Json = {
        "cnct_tracking_id": "trk-81",
        "event_name": "Purchase",
        "sendout_id": "snd-12",
        "attribution": {"meta_ctwa": {"ctwa_clid": CLICK, "ad_id": "120210000000000001"}},
        "payload": {"currency": "MXN", "value": 349, "order_id": "MX-77", "event_time": NOW - 5},
    }
    return changed(body, changes)


def changed(event: Json, changes: Json) -> Json:
    """The event with some keys replaced; a key given as None is left out."""
    return {key: value for key, value in {**event, **changes}.items() if value is not None}


def without(part: Json, *keys: str) -> Json:
    """A part of an event without some keys."""
    return {key: value for key, value in part.items() if key not in keys}
