"""What the shop must know of the collector."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class ShopSettings:
    """Addresses, key and set-up of one shop.

    - `shop_origin`: where browsers see the shop, e.g. `http://shop.localhost:8002`.
    - `collector_origin`: where browsers see the collector, for the script tag.
    - `collector_internal_url`: where the shop's server reaches it.
    - `cookie_mode`: `same-site`, where the collector sets the cookies, or `foreign`, where the snippet writes them.
    - `retry_seconds`: the pauses between tries of the server's call.
    """

    shop_origin: str
    collector_origin: str
    collector_internal_url: str
    business_id: str
    api_key: str
    cookie_name: str = "cnct"
    cookie_mode: Literal["same-site", "foreign"] = "same-site"
    retry_seconds: tuple[float, ...] = (0.5, 1, 2, 4, 8)
    timeout_seconds: float = 8.0  # the collector itself waits up to 5 s for Meta's verdict
