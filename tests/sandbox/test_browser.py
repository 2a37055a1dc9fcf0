"""The scripts of both pages, in a real browser and under their own content security policy."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import whatsapp
from tests.sandbox.shopping import REF, TOKEN, Collector, open_shop

pytestmark = pytest.mark.anyio
NAMES = (os.environ.get("COLLECTOR_TEST_CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome")


@pytest.fixture
async def tab() -> AsyncIterator[Page]:
    """A page; it fails its test when anything is blocked or thrown in it."""
    path = next((found for name in NAMES if name and (found := shutil.which(name))), None)
    if path is None:
        pytest.fail("no Chromium: install it (make test does, through apt) or name one in COLLECTOR_TEST_CHROMIUM")
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-quic"])
        page = await browser.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
        await browser.close()
    assert complaints == []


async def test_events_arrive_on_the_open_page_and_opened_ones_stay_open(sandbox: Sandbox, tab: Page) -> None:
    await tab.goto(sandbox.url)
    await expect(tab.get_by_text("Nothing has arrived yet.")).to_be_visible()
    sandbox.graph(whatsapp(event_id="first"))
    await expect(tab.locator("#rows > li")).to_have_count(1)
    await expect(tab.get_by_text("Nothing has arrived yet.")).to_be_hidden()
    await tab.locator("#rows summary").click()
    await expect(tab.get_by_text('"event_id": "first"')).to_be_visible()
    sandbox.graph(whatsapp(event_name="Lead"))
    await expect(tab.locator("#rows > li").first).to_contain_text("Messaging Event Invalid Event Type")
    await expect(tab.locator("#rows > li")).to_have_count(2)
    await expect(tab.locator(".counts")).to_contain_text("1 refused")
    await expect(tab.get_by_text('"event_id": "first"')).to_be_visible()
    await expect(tab.locator("#live")).to_have_text("live")


async def test_the_form_carries_a_reference_that_came_after_the_page(tab: Page) -> None:
    """The snippet's cookie may be set while the shopper already fills the form in."""
    collector = Collector(answers=[(503, {}), (200, {"X-Delivery-State": "delivered"})])
    with open_shop(collector, serves_script=True, cookie_mode="foreign") as visitor:
        url = str(visitor.client.base_url)
        await tab.goto(f"{url}/products/moka-3")
        await tab.get_by_role("button", name="Add to cart").click()
        await tab.get_by_role("link", name="Checkout").click()
        await tab.context.add_cookies(
            [{"name": "cnct_ref", "value": REF, "url": url}, {"name": "cnct", "value": TOKEN, "url": url}]
        )
        await tab.get_by_role("button", name="Pay").click()
        await expect(tab.get_by_text("The collector has the order")).to_be_visible()
        await expect(tab.get_by_text("X-Delivery-State: delivered")).to_be_visible()
    assert [call["body"]["ref"] for call in collector.calls] == [REF, REF]
