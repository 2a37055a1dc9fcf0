"""`collector demo`: the whole way on one machine, with nothing configured."""

import asyncio
import json
import os
import socket
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from collector import log
from collector.commands.printing import json_option
from collector.settings import load

if TYPE_CHECKING:
    from collector.settings import Settings

NAME = "Demo shop"
CLICK = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a"
"""The click that the sandbox knows: the sample of Meta's guide."""
CAMPAIGN = f"cnct_tracking_id=demo-visitor-1&sendout_id=demo-campaign-1&ctwa_clid={CLICK}&ad_id=120210000000000001&attribution_source=meta_ctwa"


@click.command("demo")
@click.option("--once", is_flag=True, help="Play the whole story without a browser, say how it went, and end.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(1, 65533),
    help="Port of the collector; sandbox and shop take the next two.",
)
@json_option
def demo_command(once: bool, port: int, as_json: bool) -> None:
    """Run collector, sandbox and a shop; print a link to open.

    Nothing is kept: keys and database live in a temporary directory. Ports in use are replaced by free ones.

    \b
    collector demo
    collector demo --once
    """
    log.configure("warning")
    import uvloop  # with what it brings, only for this command

    ports = [free_port(wanted) for wanted in range(port, port + 3)]
    with (
        tempfile.TemporaryDirectory(prefix="collector-demo-") as directory,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        done = runner.run(_demo(Path(directory), ports, once, as_json))
    raise SystemExit(0 if done else 1)


def free_port(wanted: int) -> int:
    """The wanted port, or another where it is taken."""
    for number in (wanted, 0):
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise click.ClickException(f"no free port near {wanted}")


async def _demo(directory: Path, ports: list[int], once: bool, as_json: bool) -> bool:
    from collector.app import open_application
    from collector.sandbox import create_sandbox
    from collector.sandbox.shop import ShopSettings, create_shop
    from collector.server import Server, run

    collector_port, sandbox_port, shop_port = ports
    collector_origin = f"http://t.shop.localhost:{collector_port}"
    shop_origin = f"http://shop.localhost:{shop_port}"
    sandbox_url = f"http://127.0.0.1:{sandbox_port}"
    settings = load(
        {
            "COLLECTOR_DATA_DIR": str(directory),
            "COLLECTOR_GRAPH_URL": sandbox_url,
            "COLLECTOR_CONNECTLY_URL": sandbox_url,
            "COLLECTOR_PUBLIC_URL": f"http://localhost:{collector_port}",
        }
    )
    business_id, api_key = await _set_up(settings, shop_origin)
    shop = create_shop(
        ShopSettings(
            shop_origin=shop_origin,
            collector_origin=collector_origin,
            collector_internal_url=f"http://127.0.0.1:{collector_port}",
            business_id=business_id,
            api_key=api_key,
        )
    )
    link = f"{shop_origin}/?{CAMPAIGN}"
    async with open_application(settings, "all", "retry") as app:
        servers = [
            Server(app, "127.0.0.1", collector_port),
            Server(create_sandbox(), "127.0.0.1", sandbox_port),
            Server(shop, "127.0.0.1", shop_port),
        ]
        task = asyncio.create_task(run(servers))
        for each in servers:
            await each.up.wait()
        if once:
            told = await _play(link, collector_origin, business_id, sandbox_url, as_json)
            for each in servers:
                each.should_exit = True
            return await task and told
        shown = {
            "campaign_link": link,
            "sandbox": sandbox_url.replace("127.0.0.1", "localhost"),
            "collector": collector_origin,
        }
        click.echo(json.dumps(shown) if as_json else INVITATION.format(**shown))
        return await task


async def _set_up(settings: "Settings", shop_origin: str) -> tuple[str, str]:
    """A business with a WhatsApp channel, as the commands would make it."""
    from collector.directory.channels import set_channel
    from collector.directory.onboarding import create_business
    from collector.store.opening import open_store
    from collector.vault import open_vault

    now = time.time_ns() // 1_000_000
    vault = open_vault(settings.data_dir, settings.secret_keys)
    async with open_store(settings.database_url, serving=False) as store:
        row, api_key = await create_business(
            store.directory, name=NAME, origins=(shop_origin,), now=now, random=os.urandom
        )
        await set_channel(
            store.directory,
            vault,
            business_id=row.business_id,
            channel="whatsapp",
            asset_id="100000000000001",
            dataset_id="200000000000001",
            token="sandbox-token",  # noqa: S106  built into the sandbox
            now=now,
        )
    return row.business_id, api_key


async def _play(link: str, collector_origin: str, business_id: str, sandbox_url: str, as_json: bool) -> bool:
    from collector.sandbox.story import StoryBroken, play

    steps: list[str] = []
    fault: str | None = None
    try:
        async for step in play(link, collector_origin, business_id, sandbox_url):
            steps.append(step)
            if not as_json:
                click.echo(f"  ✓ {step}")
    except StoryBroken as broken:
        fault = str(broken)
    if as_json:
        click.echo(json.dumps({"ok": fault is None, "steps": steps, "error": fault}))
    else:
        click.echo("The loop is closed." if fault is None else f"  ✗ {fault}", err=fault is not None)
    return fault is None


INVITATION = """
The collector runs, with a stand-in for Meta and a small shop. Nothing leaves this machine.

  1. Open the campaign link, as an ad would:
     {campaign_link}
  2. Look at a product, buy it.
  3. Watch the events arrive at Meta's stand-in:
     {sandbox}

  The collector itself: {collector}/readyz
  Stop with Ctrl+C; nothing is kept.
"""
