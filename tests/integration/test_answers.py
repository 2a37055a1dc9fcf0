"""An answer leaves in one piece: each piece is a system call for us, and one more waking for whoever waits."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
from starlette.types import Receive, Scope, Send

from collector.edge.connection import Connection, _Way
from tests.processes import serving

HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
OPEN = {"type": "http.response.start", "status": 200, "headers": []}


class Watched:
    """A transport that keeps what is written to it, piece by piece."""

    def __init__(self, transport: asyncio.Transport, pieces: list[bytes]) -> None:
        self._transport = transport
        self._pieces = pieces

    def write(self, data: bytes) -> None:
        self._pieces.append(bytes(data))
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    """What the path asks for: an answer whole, in two bodies, in chunks, without a body, broken off, or after the request's body."""
    kind = scope["path"][1:]
    if kind == "read":
        await receive()
    await send(OPEN if kind == "chunks" else HEAD if kind != "nothing" else HEAD | {"status": 204, "headers": []})
    if kind == "broken":
        return
    if kind in ("halves", "chunks"):
        await send({"type": "http.response.body", "body": b"\r\n", "more_body": True})
        await send({"type": "http.response.body", "body": b"\r\n"})
    else:
        await send({"type": "http.response.body", "body": b"" if kind == "nothing" else b"\r\n\r\n"})


@pytest.fixture
def pieces() -> list[bytes]:
    """What the server wrote, each time."""
    return []


@pytest.fixture
def line(pieces: list[bytes]) -> Iterator[socket.socket]:
    """A connection to a server whose writes are kept."""

    class Kept(Connection):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
            super().connection_made(cast(asyncio.Transport, Watched(transport, pieces)))

    with (
        serving(answer, lifespan="off", http=Kept) as url,
        socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=10) as opened,
    ):
        yield opened


def ask(line: socket.socket, method: bytes, kind: bytes, more: bytes = b"") -> bytes:
    """All that comes until the connection ends."""
    line.sendall(method + b" /" + kind + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + more + b"\r\n")
    received = b""
    while chunk := line.recv(4096):
        received += chunk
    return received


@pytest.mark.parametrize(
    ("method", "kind", "end", "count"),
    [
        (b"GET", b"whole", b"\r\n\r\n\r\n\r\n", 1),
        (b"GET", b"nothing", b"\r\n\r\n", 1),
        (b"HEAD", b"whole", b"\r\n\r\n", 1),
        (b"GET", b"halves", b"\r\n\r\n\r\n\r\n", 2),
        (b"GET", b"chunks", b"\r\n\r\n2\r\n\r\n\r\n2\r\n\r\n\r\n0\r\n\r\n", 2),
    ],
)
def test_the_head_of_an_answer_leaves_with_the_first_of_its_body(
    line: socket.socket, pieces: list[bytes], method: bytes, kind: bytes, end: bytes, count: int
) -> None:
    received = ask(line, method, kind)
    assert received.startswith(b"HTTP/1.1 20")
    head, _, _ = received.partition(b"\r\n\r\n")
    assert received == head + end
    assert pieces[0].startswith(head + b"\r\n\r\n")
    assert len(pieces) == count


def test_an_answer_that_breaks_off_shows_its_head(line: socket.socket) -> None:
    received = ask(line, b"GET", b"broken")
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert received.endswith(b"\r\n\r\n")


def test_who_asks_to_be_told_to_go_on_is_told_at_once(line: socket.socket, pieces: list[bytes]) -> None:
    line.sendall(b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
    assert line.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
    line.sendall(b"body")
    assert line.recv(4096).endswith(b"\r\n\r\n\r\n\r\n")
    assert len(pieces) == 2


def test_two_requests_that_come_at_once_are_answered_one_by_one(line: socket.socket, pieces: list[bytes]) -> None:
    line.sendall(b"GET /whole HTTP/1.1\r\nHost: x\r\n\r\n" + b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
    received = b""
    while received.count(b"HTTP/1.1 20") < 2 and (chunk := line.recv(4096)):
        received += chunk
    assert received.index(b"200 OK") < received.index(b"204 No Content")
    assert len(pieces) == 2


def test_a_head_without_a_body_waits_for_none(line: socket.socket) -> None:
    line.settimeout(2)
    line.sendall(b"HEAD /whole HTTP/1.1\r\nHost: x\r\n\r\n")
    assert line.recv(4096).endswith(b"content-length: 4\r\n\r\n")


def test_nothing_is_written_to_a_connection_that_has_ended() -> None:
    """uvloop raises there, and the fault that ended the answer would be lost behind that."""
    pieces: list[bytes] = []

    class Ended(asyncio.Transport):
        def is_closing(self) -> bool:
            return True

        def close(self) -> None:
            pieces.append(b"closed")

    way = _Way(Ended())
    way.write(b"HTTP/1.1 200 OK\r\n\r\n")
    way.close()
    assert pieces == [b"closed"]
