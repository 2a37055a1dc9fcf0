"""A request has an end: its head in bytes, head and body in time."""

import json
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
    """204 to every whole request, with the length of its body and the names of its headers."""
    length = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        length += len(message.get("body", b""))
        if not message.get("more_body", False):
            break
    names = b" ".join(sorted({name for name, _ in scope["headers"]}))
    told = [(b"length", b"%d" % length), (b"names", names)]
    await send({"type": "http.response.start", "status": 204, "headers": told})
    await send({"type": "http.response.body"})


@pytest.fixture
def line(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A connection to a server; where a test gives a number, its patience in seconds."""
    for name in ("HEAD_SECONDS_MAX", "BODY_SECONDS_MAX"):
        monkeypatch.setattr(connection, name, getattr(request, "param", 20.0))
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


def test_a_head_that_begins_behind_another_request_has_the_same_limit(line: socket.socket) -> None:
    large = head(HEAD_BYTES_MAX + 200)
    line.sendall(head(0) + large[:40_000])
    assert line.recv(4096).count(ANSWERED) == 1
    line.sendall(large[40_000:])
    assert line.recv(4096).startswith(REFUSED)


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


def test_a_long_body_does_not_count_for_the_head_behind_it(line: socket.socket) -> None:
    line.sendall(post(b"x" * HEAD_BYTES_MAX * 2, 0) + head(0))
    received = b""
    while received.count(ANSWERED) < 2 and (chunk := line.recv(4096)):
        received += chunk
    assert received.count(ANSWERED) == 2
    assert REFUSED not in received


def post(body: bytes, missing: int) -> bytes:
    """A request that declares more than it brings."""
    return b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (len(body) + missing) + body


@pytest.mark.parametrize("line", [0.2], indirect=True)
def test_a_body_that_stops_is_400_in_json_and_not_waited_for(line: socket.socket) -> None:
    line.sendall(post(b"half", 4))
    received = b""
    while chunk := line.recv(4096):
        received += chunk
    assert received.startswith(REFUSED)
    assert json.loads(received.partition(b"\r\n\r\n")[2])["error"]["code"] == 400
    assert ANSWERED not in received


def test_a_body_in_pieces_is_taken(line: socket.socket) -> None:
    for piece in (post(b"ha", 4), b"lf", b"es"):
        line.sendall(piece)
    assert line.recv(4096).startswith(ANSWERED)


def test_what_stands_behind_a_body_in_pieces_does_not_speak_for_the_head(line: socket.socket) -> None:
    for _ in range(2):
        line.sendall(
            b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Api-Key: y\r\n\r\n"
        )
        received = line.recv(4096)
        assert b"\r\nlength: 2\r\nnames: host transfer-encoding\r\n" in received


def test_a_body_behind_an_offer_of_http2_is_read(line: socket.socket) -> None:
    """As Java's client sends it. Unread, the body would be taken for the next request."""
    offer = b"Connection: Upgrade, HTTP2-Settings\r\nContent-Length: 4\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAB\r\n"
    line.sendall(b"POST / HTTP/1.1\r\nHost: x\r\n" + offer + b"\r\nbody")
    assert b"\r\nlength: 4\r\n" in line.recv(4096)
