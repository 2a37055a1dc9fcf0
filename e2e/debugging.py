"""Pictures of what a developer sees with `?cnct_debug=1`, for the manual: the browser's own developer tools on a right and on wrong installations.

python -m e2e.debugging     writes docs/images/debug-*.png
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx2
from playwright.sync_api import BrowserContext, Page, ViewportSize, sync_playwright

from e2e.conftest import Stage, staged
from e2e.test_journey import campaign
from tests.processes import HOST, free_port

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
SIZE: ViewportSize = {"width": 1180, "height": 290}
CLICK = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwLF4XvnO2E4Nx0"


def right(page: Page, stage: Stage) -> None:
    """A landing, a second page, an event that the page reports."""
    page.goto(stage.url("/product/moka", cnct_debug="1", **campaign(CLICK)))
    page.wait_for_function("document.cookie.includes('cnct_ref=') && !Object.keys(localStorage).length")
    page.evaluate("cnct('track', 'AddToCart', {content_ids: ['moka'], value: 39, currency: 'USD'})")
    page.wait_for_function("!Object.keys(localStorage).length")


def wrong_origin(page: Page, stage: Stage) -> None:
    """The tag on a host that the business does not list."""
    with page.expect_response("**/landing"):
        page.goto(stage.url("/product/moka", host="outlet.merchant.example", cnct_debug="1", **campaign(CLICK)))
    page.wait_for_function("!Object.keys(localStorage).length")


def wrong_tag(page: Page, stage: Stage) -> None:
    """A tag whose data attributes were stripped, and a Purchase reported by the page."""
    tag, shop = stage.shop.tags["same"], stage.shop
    shop.tags["same"] = tag.replace(f' data-business="{shop.business_id}"', "")
    page.goto(stage.url("/product/moka", cnct_debug="1", **campaign(CLICK)))
    page.evaluate("cnct('track', 'Purchase', {value: 39, currency: 'USD'})")
    shop.tags["same"] = tag


def picture(context: BrowserContext, port: int, stage: Stage, scene: Callable[[Page, Stage], None], path: Path) -> None:
    """Open the developer tools, then the page, and photograph the tools."""
    page = context.new_page()
    page.goto("about:blank#seen")
    listed = httpx2.get(f"http://{HOST}:{port}/json/list", trust_env=False).json()
    [target] = [each["id"] for each in listed if each["url"] == "about:blank#seen"]
    tools = context.new_page()
    tools.set_viewport_size(SIZE)
    inspected = f"ws={HOST}:{port}/devtools/page/{target}"
    tools.goto(f"http://{HOST}:{port}/devtools/devtools_app.html?{inspected}&panel=console")
    tools.get_by_role("tab", name="Console").wait_for()
    scene(page, stage)
    tools.wait_for_timeout(1500)  # the tools draw when they like
    tools.screenshot(path=path)


def main() -> None:
    """Take all pictures."""
    port = free_port()
    arguments = [
        "--no-sandbox", "--ignore-certificate-errors", "--host-resolver-rules=MAP * 127.0.0.1",
        f"--remote-debugging-port={port}", "--remote-allow-origins=*",
    ]  # fmt: skip
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, staged(Path(directory)) as stage, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        for scene in (right, wrong_origin, wrong_tag):
            context = browser.new_context(bypass_csp=True)  # else the driver could not wait for a condition
            picture(context, port, stage, scene, IMAGES / f"debug-{scene.__name__.replace('_', '-')}.png")
            context.close()


if __name__ == "__main__":
    main()
