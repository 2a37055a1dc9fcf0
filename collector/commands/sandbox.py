"""`collector sandbox`: the stand-in for Graph and Connectly, to send to and to watch."""

import click

from collector.commands.printing import answer, json_option


@click.command("sandbox")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--any-click", is_flag=True, help="Accept every click id, not only registered ones.")
@click.option("--thin", is_flag=True, help="Check and remember as little as possible: for load tests of the sender.")
@json_option
def sandbox_command(host: str, port: int, any_click: bool, thin: bool, as_json: bool) -> None:
    """Look like Meta's Graph and like Connectly, and show what arrives.

    Open its address in a browser to watch. Send a collector there with COLLECTOR_GRAPH_URL and COLLECTOR_CONNECTLY_URL; the access
    token is sandbox-token, Connectly's key sandbox-key.
    """
    import uvicorn  # heavy: only this command pays for it

    from collector.sandbox import create_sandbox

    url = f"http://{host}:{port}"
    answer(
        as_json,
        {"url": url, "access_token": "sandbox-token", "connectly_key": "sandbox-key"},
        f"The sandbox listens on {url}: open it to watch events arrive. Stop with Ctrl+C.",
    )
    uvicorn.run(
        create_sandbox(any_click=any_click, thin=thin),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        timeout_keep_alive=75,  # longer than a sender keeps its connections, so that it never meets a closing one
        timeout_graceful_shutdown=1,  # requests that hang by order must not hold up the end
    )
