"""Plays the whole story over HTTP as a shopper's browser would: ad link, product, order. For `collector demo --once`."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import httpx2

PATIENCE_SECONDS = 20.0
_POLL_SECONDS = 0.1


class StoryBroken(Exception):
    """A step did not come out as it must; the message says which and how."""


class Shopper:
    """A browser without a screen: keeps the shop's cookies and sends Origin and fetch metadata as browsers do.

    Names below `.localhost` lead to this machine everywhere; libraries do not know that, so the name travels in the Host header.
    """

    def __init__(self, client: httpx2.AsyncClient, shop_origin: str) -> None:
        self._client = client
        self._shop_origin = shop_origin
        self.cookies: dict[str, str] = {}

    async def visit(self, url: str, form: dict[str, str] | None = None) -> httpx2.Response:
        """Open a page of the shop, or post a form there; follows redirects."""
        answer = await self._send("POST" if form else "GET", url, data=form)
        while answer.is_redirect:
            answer = await self._send("GET", f"{self._shop_origin}{answer.headers['location']}")
        return answer

    async def script(self, url: str, body: dict[str, Any]) -> httpx2.Response:
        """What the snippet does on a page: a simple POST with credentials."""
        headers = {"origin": self._shop_origin, "sec-fetch-site": "same-site", "sec-fetch-mode": "cors"}
        return await self._send("POST", url, json=body, headers=headers | {"content-type": "text/plain"})

    async def _send(self, method: str, url: str, headers: dict[str, str] | None = None, **body: Any) -> httpx2.Response:
        parts = urlsplit(url)
        here = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl()
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        sent = {"host": parts.netloc, "cookie": cookies} | (headers or {})
        answer = await self._client.request(method, here, headers=sent, **body)
        for line in answer.headers.get_list("set-cookie"):
            for name, morsel in SimpleCookie(line).items():
                self.cookies[name] = morsel.value
        return answer


async def play(campaign_link: str, collector_origin: str, business_id: str, sandbox_url: str) -> AsyncIterator[str]:
    """Play it, telling each step that came out right. Raises StoryBroken at the first that does not."""
    landing = urlsplit(campaign_link)
    shop = f"{landing.scheme}://{landing.netloc}"
    click = dict(pair.split("=", 1) for pair in landing.query.split("&"))["ctwa_clid"]
    edge = f"{collector_origin}/b/{business_id}"
    async with httpx2.AsyncClient(trust_env=False, timeout=10) as client:
        shopper = Shopper(client, shop)
        page = await shopper.visit(campaign_link)
        _must(f"{collector_origin}/cnct.js" in page.text, "the landing page carries the script tag")
        yield "A shopper taps the ad and lands on the shop."
        body = {"query": landing.query, "page_url": campaign_link, "at_ms": int(time.time() * 1000)}
        landed = await shopper.script(f"{edge}/landing", body)
        _must(landed.status_code == 200 and "cnct" in shopper.cookies, f"the landing sets the cookie ({landed.text})")
        yield "The collector signs the click into the cookies cnct and cnct_ref."

        product = await _view(shopper, shop, page.text, edge)
        yield f"The shopper looks at {product}: ViewContent."
        order_id = await _buy(shopper, shop, product)
        report = await _until(client, shopper, f"{shop}/orders/{order_id}/report")
        yield f"Order {order_id}: the shop's server calls the hook and hears {report}."
        seen = (await client.get(f"{sandbox_url}/sandbox/events")).json()["events"]
        for name in ("ViewContent", "Purchase"):
            found = [each["event"] for each in seen if each["event"]["event_name"] == name]
            _must(len(found) == 1, f"Meta's stand-in has one {name}, not {len(found)}")
            _must(found[0]["user_data"].get("ctwa_clid") == click, f"the {name} carries the ad's click id")
        yield "Meta's stand-in has ViewContent and Purchase, each once, with the ad's click id."


async def _view(shopper: Shopper, shop: str, landing_html: str, edge: str) -> str:
    links: list[str] = re.findall(r'href="/products/([a-z0-9-]+)"', landing_html)
    _must(bool(links), "the landing page shows products")
    await shopper.visit(f"{shop}/products/{links[0]}")
    view = {
        "event_name": "ViewContent",
        "event_id": f"view-{int(time.time() * 1000):x}",
        "page_url": f"{shop}/products/{links[0]}",
        "custom_data": {"content_type": "product", "content_ids": [links[0]]},
    }
    answer = await shopper.script(f"{edge}/events", view)
    _must(answer.status_code == 200, f"the view is taken ({answer.status_code} {answer.text})")
    return links[0]


async def _buy(shopper: Shopper, shop: str, product: str) -> str:
    await shopper.visit(f"{shop}/cart", {"sku": product, "quantity": "2"})
    form = await shopper.visit(f"{shop}/checkout")
    order = re.search(r'name="order_id" value="([^"]+)"', form.text)
    _must(order is not None, "the checkout has an order id")
    order_id = order[1] if order else ""
    thanks = await shopper.visit(f"{shop}/checkout", {"order_id": order_id, "name": "Ana"})
    _must(thanks.status_code == 200, f"the order is taken ({thanks.status_code})")
    return order_id


async def _until(client: httpx2.AsyncClient, shopper: Shopper, url: str) -> str:
    """What the collector answered to the shop's server, once it did."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        parts = urlsplit(url)
        here = parts._replace(netloc=f"127.0.0.1:{parts.port}").geturl()
        headers = {"host": parts.netloc, "accept": "application/json"}
        attempts = (await client.get(here, headers=headers)).json()["attempts"]
        if attempts and attempts[-1].get("status") == 200:
            return f"{attempts[-1]['status']} {attempts[-1].get('answer') or ''}".strip()
        await asyncio.sleep(_POLL_SECONDS)
    raise StoryBroken("the shop's server did not hear 200 from the collector")


def _must(true: bool, what: str) -> None:
    if not true:
        raise StoryBroken(f"it must be so that {what}")
