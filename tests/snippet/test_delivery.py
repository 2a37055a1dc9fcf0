"""Landing and cookie survive a page that is left at once, over TLS and a slow network."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme
from playwright.sync_api import Browser

from tests.processes import serving
from tests.snippet.conftest import FAR, NEAR, SHOP, Shop, cookies
from tests.snippet.far_away import delayed
from tests.snippet.recording import Recorder

TRIALS = 3
DELAY_SECONDS = 0.1


@pytest.fixture
def secure(recorder: Recorder, tmp_path: Path) -> Iterator[tuple[str, int]]:
    """The shop's base URL over TLS, and the port of the same server as seen from far away."""
    pem = tmp_path / "server.pem"
    pem.write_bytes(trustme.CA().issue_cert(SHOP, NEAR, FAR).private_key_and_cert_chain_pem.bytes())
    with serving(recorder.app(), ssl_certfile=str(pem), ssl_keyfile=str(pem)) as url:
        port = urlsplit(url).port or 0
        with delayed(port, DELAY_SECONDS) as far_port:
            yield f"https://{SHOP}:{port}", far_port


def test_leaving_at_once_loses_neither_landing_nor_cookie(
    browser: Browser, recorder: Recorder, shop: Shop, secure: tuple[str, int]
) -> None:
    base, far_port = secure
    tag = shop.tag(collector=f"https://{NEAR}:{far_port}/").replace(shop.url("", NEAR), base)
    shop.page("/leave", head=f"{tag}<script>location.href = 'about:blank'</script>")
    for trial in range(1, TRIALS + 1):
        context = browser.new_context()  # no connection is left over from the last trial
        page = context.new_page()
        page.goto(f"{base}/leave?ctwa_clid={trial}", wait_until="commit")
        page.wait_for_url("about:blank")
        assert recorder.wait_for("landing", trial)[-1]["query"] == f"ctwa_clid={trial}"
        recorder.wait(lambda: "cnct" in cookies(context), "cookie", polled=True)  # noqa: B023  # waited for at once
        context.close()


def test_the_cookies_of_a_foreign_collector_are_secure_over_tls(
    browser: Browser, recorder: Recorder, shop: Shop, secure: tuple[str, int]
) -> None:
    base, _ = secure
    shop.page("/foreign", head=shop.tag(FAR, site="foreign").replace(shop.url("", FAR), base.replace(SHOP, FAR)))
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{base}/foreign?ctwa_clid=1")
    page.wait_for_function("document.cookie.includes('cnct=token.')")
    assert all(cookie["secure"] for cookie in cookies(context).values())
    context.close()
