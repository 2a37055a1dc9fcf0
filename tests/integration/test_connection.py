"""A request's head has an end: in bytes and in time."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from collector.edge import connection
from collector.edge.connection import HEAD_BYTES_MAX, Connection
from tests.processes import serving

ANSWERED = b"HTTP/1.1 204"
REFUSED = b"HTTP/1.1 400"


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """204 to everything."""
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


@pytest.fixture
def line(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A connection to a server; where a test gives a number, its patience in seconds."""
    monkeypatch.setattr(connection, "HEAD_SECONDS_MAX", getattr(request, "param", 20.0))
    with (
        serving(answer, lifespan="off", http=Connection) as url,
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=10) as opened,
    ):
        yield opened


def head(size: int) -> bytes:
    """A whole head, about so large."""
    return b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b; " * (size // 5) + b"\r\n\r\n"


def test_a_connection_carries_many_heads_up_to_the_limit(line: socket.socket) -> None:
    for size in (0, HEAD_BYTES_MAX - 200, HEAD_BYTES_MAX - 200, 0):
        line.sendall(head(size))
        assert line.recv(4096).startswith(ANSWERED)


@pytest.mark.parametrize(
    "sent",
    [
        head(HEAD_BYTES_MAX + 200),
        b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * HEAD_BYTES_MAX + b"\r\n",
        b"GET /" + b"a" * HEAD_BYTES_MAX + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nCookie: " + b"a" * 1_000_000,
    ],
    ids=["one header", "many headers", "the address", "a header without an end"],
)
def test_a_head_that_is_too_large_is_400_and_the_connection_ends(line: socket.socket, sent: bytes) -> None:
    received = b""
    try:
        line.sendall(sent)
        while chunk := line.recv(4096):
            received += chunk
    except ConnectionError:  # it may end while we still send
        pass
    assert received == b"" or received.startswith(REFUSED)
    assert ANSWERED not in received


@pytest.mark.parametrize("line", [0.2], indirect=True)
@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_come_is_not_waited_for(line: socket.socket, sent: bytes) -> None:
    if sent:
        line.sendall(sent)
    assert line.recv(4096) == b""


@pytest.mark.parametrize("line", [0.2], indirect=True)
def test_after_an_answer_the_next_head_may_not_linger_either(line: socket.socket) -> None:
    line.sendall(head(0))
    assert line.recv(4096).startswith(ANSWERED)
    line.sendall(b"GET / HTTP/1.1\r\nHos")
    assert line.recv(4096) == b""
