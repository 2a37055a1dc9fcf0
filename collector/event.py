"""Conversion events: what a shop or a page reports, checked and in one shape. Pure."""

from typing import Literal

import msgspec

from collector.attribution import Click
from collector.consent import Consent

Channel = Literal["whatsapp", "messenger", "instagram", "website"]
Source = Literal["browser", "server"]


class Event(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One conversion, as it is stored and as destinations read it.

    `id` is ours (`X-Event-Id`, 32 lowercase hex characters, sorts by time of arrival); `event_id` is the one that Meta sees.
    `event_at` and `received_at` are UTC milliseconds. `custom_data` is JSON text in Meta's names: currency, value, order_id, content_type,
    content_ids, num_items, contents. `currency` and `value_micros` repeat the money for reports. `digest` identifies the
    normalised body, so that a repeat with another body is seen.
    """

    business_id: str
    id: str
    event_name: str
    event_id: str
    event_at: int
    received_at: int
    channel: Channel = "whatsapp"
    source: Source = "server"
    click: Click = Click()
    consent: Consent = "unknown"
    custom_data: str = "{}"
    currency: str | None = None
    value_micros: int | None = None
    user_data: str = "{}"
    page_url: str | None = None
    order_id: str | None = None
    test: bool = False
    digest: str = ""
    revision: int = 1
