"""`collector sandbox` as a process."""

import json
import signal
import socket
import time

import httpx2
from click.testing import CliRunner

from collector.commands import main
from tests.processes import collector
from tests.sandbox.conftest import Sandbox, arrived
from tests.sandbox.samples import WHATSAPP_DATASET, whatsapp


def test_it_serves_and_says_where(free_port: int) -> None:
    with collector("sandbox", "--port", str(free_port), "--any-click", "--json", listens_on=free_port) as process:
        url = f"http://127.0.0.1:{free_port}"
        assert json.loads(process.output)["url"] == url
        with httpx2.Client(base_url=url, trust_env=False) as client:
            user = whatsapp()["user_data"] | {"ctwa_clid": "INVENTED"}
            answer = Sandbox(client).graph(whatsapp(user_data=user, event_time=int(time.time())))
        assert answer.status_code == 200


def test_it_stops_when_told_although_requests_hang(free_port: int) -> None:
    with (
        collector("sandbox", "--port", str(free_port), listens_on=free_port) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{free_port}", trust_env=False) as client,
        socket.create_connection(("127.0.0.1", free_port)) as hung,
    ):
        Sandbox(client).faults({"kind": "hang"})
        head = f"POST /v25.0/{WHATSAPP_DATASET}/events?access_token=sandbox-token HTTP/1.1\r\nHost: x\r\n\r\n"
        hung.sendall(head.encode())
        arrived(Sandbox(client), 1)
        assert process.terminate(seconds=5) == -signal.SIGTERM


def test_a_port_in_use_is_said_before_anything_is_promised() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(main, ["sandbox", "--port", str(port)])
    assert result.exit_code == 1
    assert result.output == (
        f"Error: the sandbox cannot listen on http://127.0.0.1:{port}: Address already in use; take another --port\n"
    )
