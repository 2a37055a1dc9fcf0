"""A page that the browser prepares in secret. Playwright forbids prerendering, so here Chromium runs without a driver."""

import os
import subprocess
from pathlib import Path

from tests.snippet.conftest import CLICK, Shop, moka
from tests.snippet.recording import PATIENCE_SECONDS, Recorder

LAUNCH = """<script type="speculationrules">{"prerender": [{"urls": ["/prepared?CLICK"]}]}</script>
<script>fetch('/slow').then(() => { location.href = '/prepared?CLICK'; });</script>"""

PREPARED = """<script>
addEventListener('load', () => setTimeout(() => fetch(document.prerendering ? '/hidden' : '/open')));
document.addEventListener('prerenderingchange', () => fetch('/activated'));
</script>"""


def test_nothing_is_sent_before_the_page_is_activated(shop: Shop, recorder: Recorder, tmp_path: Path) -> None:
    shop.page("/launch", LAUNCH.replace("CLICK", CLICK), head="")
    shop.page("/prepared", moka() + PREPARED)
    shop.page("/slow", head="")
    command = [
        os.environ.get("COLLECTOR_TEST_CHROMIUM", "/usr/bin/chromium"),
        "--headless=new", "--no-sandbox", "--no-first-run", "--disable-background-networking",
        f"--user-data-dir={tmp_path / 'profile'}", shop.url("/launch"),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as browser:
        try:
            recorder.wait(lambda: "GET /hidden" in recorder.others, "prerendered page")
            assert recorder.posts == []
            recorder.released.set()
            [body] = recorder.wait_for("landing")
            assert body["view"]["custom_data"]["content_ids"] == ["moka"]
            recorder.wait(lambda: "GET /activated" in recorder.others, "activation")
        finally:
            browser.terminate()
            browser.wait(PATIENCE_SECONDS)
