"""`collector serve`: take events and deliver them."""

import os
from typing import Literal

import click

from collector import log
from collector.commands.printing import json_option
from collector.settings import load


@click.command("serve")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@click.option(
    "--role",
    type=click.Choice(["all", "web", "deliver"]),
    default="all",
    show_default=True,
    help="Take events, deliver them, or both; on SQLite both.",
)
@click.option(
    "--on-unknown",
    type=click.Choice(["retry", "hold"]),
    default="retry",
    show_default=True,
    help="When nobody knows whether a try arrived: try again under the same event id, or hold for a person.",
)
@json_option
@click.pass_context
def serve_command(
    ctx: click.Context,
    host: str,
    port: int,
    role: Literal["all", "web", "deliver"],
    on_unknown: Literal["retry", "hold"],
    as_json: bool,
) -> None:
    """Take events and deliver them. Logs are lines of JSON, with or without --json.

    \b
    collector serve
    COLLECTOR_DATABASE_URL=postgresql://… collector serve --role web --host 0.0.0.0
    """
    settings = load(os.environ)
    log.configure(settings.log_level)
    from collector.app import serve  # brings the web server

    ctx.exit(serve(settings, host=host, port=port, role=role, on_unknown=on_unknown))
