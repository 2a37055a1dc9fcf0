"""`collector sandbox`: the stand-in for Graph and Connectly, to send to and to watch; and the webhooks that Meta would send."""

import os
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import click
import msgspec

from collector.commands import Failed, Misused
from collector.commands.printing import answer, fields, json_option

if TYPE_CHECKING:
    from collector.sandbox import webhook_call

BODY_SHOWN = 1000
SECRET_VARIABLE = "COLLECTOR_META_APP_SECRET"  # noqa: S105  the variable's name


@click.group("sandbox", invoke_without_command=True)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--any-click", is_flag=True, help="Accept every click id, not only registered ones.")
@click.option("--thin", is_flag=True, help="Check and remember as little as possible: for load tests of the sender.")
@json_option
@click.pass_context
def sandbox_command(ctx: click.Context, host: str, port: int, any_click: bool, thin: bool, as_json: bool) -> None:
    """Stand in for Graph and Connectly, and show what arrives.

    Open its address in a browser to watch. Send a collector there with COLLECTOR_GRAPH_URL and COLLECTOR_CONNECTLY_URL; the access
    token is sandbox-token, Connectly's key sandbox-key.

    \b
    collector sandbox --any-click
    collector sandbox send-webhook --help
    """
    if ctx.invoked_subcommand is not None:
        return
    import uvicorn  # heavy: only this command pays for it

    from collector.sandbox import create_sandbox

    url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise Failed(
            f"the sandbox cannot listen on {url}: {os.strerror(error.errno or 0)}; take another --port"
        ) from None
    answer(
        as_json,
        {"url": url, "access_token": "sandbox-token", "connectly_key": "sandbox-key"},
        f"The sandbox listens on {url}: open it to watch events arrive. Stop with Ctrl+C.",
    )
    config = uvicorn.Config(
        create_sandbox(any_click=any_click, thin=thin),
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,  # longer than a sender keeps its connections, so that it never meets a closing one
        timeout_graceful_shutdown=1,  # requests that hang by order must not hold up the end
    )
    uvicorn.Server(config).run(sockets=[listener])


@sandbox_command.command("send-webhook")
@click.option(
    "--channel",
    type=click.Choice(["whatsapp", "messenger", "instagram"]),
    default="whatsapp",
    show_default=True,
    help="Where the chat is.",
)
@click.option(
    "--to",
    "url",
    default="http://127.0.0.1:8000/webhooks/meta",
    show_default=True,
    help="Where the collector takes webhooks.",
)
@click.option("--asset-id", help="WhatsApp Business account, Page or Instagram account; default the sandbox's.")
@click.option("--sender", help="Who writes: phone number, PSID or IGSID.")
@click.option("--ctwa-clid", help="Click id of the ad that led here (whatsapp).")
@click.option("--ad-id", help="Ad that led here.")
@click.option("--ref", help="Reference in the ad or link that led here (messenger, instagram).")
@click.option("--message-id", help="Id of the message; Meta repeats it when it sends again. Default a new one.")
@click.option(
    "--placement",
    type=click.Choice(["message", "referral", "postback"]),
    default="message",
    show_default=True,
    help="What the click stands in; on whatsapp always the message.",
)
@click.option("--count", default=1, show_default=True, type=click.IntRange(1, 1000), help="Updates in this one call.")
@click.option("--status-only", is_flag=True, help="Tell of delivered messages; nobody writes.")
@click.option("--sandbox-url", help="Sandbox that shall know this click or person, so that it accepts events about it.")
@json_option
def send_webhook(
    channel: Literal["whatsapp", "messenger", "instagram"],
    url: str,
    asset_id: str | None,
    sender: str | None,
    ctwa_clid: str | None,
    ad_id: str | None,
    ref: str | None,
    message_id: str | None,
    placement: Literal["message", "referral", "postback"],
    count: int,
    status_only: bool,
    sandbox_url: str | None,
    as_json: bool,
) -> None:
    """Post a webhook to a collector, as Meta does.

    It tells of a chat, and is signed: the app secret comes from COLLECTOR_META_APP_SECRET (of several, the last signs). Ends with 1
    unless the answer is a 2xx.

    \b
    collector sandbox send-webhook --ctwa-clid NEW-CLICK --sandbox-url http://127.0.0.1:8001
    collector sandbox send-webhook --channel messenger --ad-id 120210000000000001 --placement postback
    collector sandbox send-webhook --status-only --count 1000
    """
    from collector.sandbox import webhook, webhook_call

    secret = os.environ.get(SECRET_VARIABLE, "").split(",")[-1].strip()
    if not secret:
        raise Misused(f"{SECRET_VARIABLE} is not set: it signs the call")
    first = message_id or webhook.message_id(channel, os.urandom(24))
    try:
        told = webhook.Webhook(
            channel=channel,
            asset_id=asset_id or webhook.ASSETS[channel],
            sender=sender or webhook.SENDERS[channel],
            message_ids=(first, *(f"{first}.{number}" for number in range(2, count + 1))),
            at_ms=time.time_ns() // 1_000_000,
            click=webhook.Click(ctwa_clid=ctwa_clid, ad_id=ad_id, ref=ref),
            placement=placement,
            status_only=status_only,
        )
    except ValueError as error:
        raise Misused(str(error)) from None
    body = webhook.encode(webhook.payload(told))
    try:
        registered = webhook_call.register(sandbox_url, webhook.known(told)) if sandbox_url else []
        heard = webhook_call.call(url, body, webhook.signature(body, secret))
    except webhook_call.NoAnswer as error:
        raise Failed(str(error)) from None
    sent = {"url": url, "bytes": len(body), "message_ids": told.message_ids, "registered": registered}
    answer(as_json, sent | msgspec.structs.asdict(heard), _told(url, body, told.message_ids, registered, heard))
    if not 200 <= heard.status < 300:
        raise SystemExit(1)


def _told(
    url: str, body: bytes, message_ids: Sequence[str], registered: Sequence[str], heard: "webhook_call.Answer"
) -> str:
    """How the call went, for people."""
    updates = f"{len(message_ids)} update{'s' if len(message_ids) > 1 else ''}"
    return fields(
        [
            ("Sent", f"{updates} in {len(body)} bytes to {url}"),
            ("Message", message_ids[0]),
            ("Registered", ", ".join(registered) or None),
            ("Answer", f"{heard.status} after {heard.duration_ms} ms"),
            ("", heard.body[:BODY_SHOWN] or None),
        ]
    )
