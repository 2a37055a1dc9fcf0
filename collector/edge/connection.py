"""Bounds on a request as it comes in: on its head, before there is anything to route, and on how long head and body may take.

The server has none of its own: two megabytes of cookies would hold up everybody for seconds, and half a request a connection for ever.
"""

import asyncio
import re
from collections import deque
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from collector.edge import answer
from collector.errors import Refusal

HEAD_BYTES_MAX: Final = 64 * 1024
"""Request line and headers: room for every cookie that a browser keeps of a site."""
HEAD_SECONDS_MAX: Final = 20.0
BODY_SECONDS_MAX: Final = 30.0
"""A body that drips keeps a connection, and the end of the process, for as long."""

_OFFER: Final = re.compile(rb"\r\nupgrade:[ \t]*h2c[ \t]*(?=\r\n|\Z)", re.IGNORECASE)
"""Java's client offers HTTP/2 with every first call. We may ignore that; the server would also ignore the body behind it."""


_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


class _TooLarge(Exception):
    """Ends the parsing; the parser makes it a 400."""


class _Way(asyncio.Transport):
    """The way out of one answer. Its head waits for the first of its body: one system call for both, where the server makes two.

    (An answer whose head must be seen long before its body would have to send an empty piece first; there is none.)
    """

    __slots__ = ("_begun", "_head", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self._begun = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """The head is kept; what comes next takes it along."""
        if self._begun:
            if self._head:
                data, self._head = self._head + data, b""
            self._transport.write(data)
        elif data == _CONTINUE:
            self._transport.write(data)
        else:
            self._begun, self._head = True, bytes(data)

    def close(self) -> None:
        """An answer that broke off after its head."""
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._transport.close()

    def is_closing(self) -> bool:
        """As the connection itself."""
        return self._transport.is_closing()


class Connection(HttpToolsProtocol):
    """uvicorn's connection. What is too large or never becomes a whole request is answered 400 at most, and closed.

    A request that comes in one piece, as nearly all do, costs no timer.
    """

    _in_head = True  # a head is on its way
    _whole = False  # the newest request has come, head and body
    _received = 0  # what came while its head was on its way
    _at_most = 0  # the same with whatever came in one piece with it: no head in there can be larger
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wait for a head."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and see how far the request has come."""
        if self._whole:  # a new one begins
            self._in_head, self._whole, self._received, self._at_most = True, False, 0, 0
        self._at_most = len(data) + (self._at_most if self._in_head else 0)
        if self._in_head:
            self._received += len(data)
            if b"h2c" in data:
                head, end, rest = data.partition(b"\r\n\r\n")
                data = _OFFER.sub(b"", head) + end + rest
        super().data_received(data)
        if self._whole or self.transport.is_closing():
            return
        if self._in_head and self._received > HEAD_BYTES_MAX:
            self.send_400_response("The head of the request is too large.")
        elif self._patience is None:
            self._wait()

    def on_message_begin(self) -> None:
        """A head begins, perhaps behind another request in the same piece."""
        super().on_message_begin()
        if not self._in_head:
            self._in_head, self._whole, self._received = True, False, 0

    def on_headers_complete(self) -> None:
        """The head is whole, and its size is known."""
        self._in_head = False
        self._calm()
        if self._at_most > HEAD_BYTES_MAX and self._head_bytes() > HEAD_BYTES_MAX:
            raise _TooLarge
        super().on_headers_complete()
        # What stands behind a body in pieces nobody has checked, and it must not speak for the head: it is dropped.
        self.headers = deque(maxlen=0)  # type: ignore[assignment]  # the parser appends to it, and a new request gets a list
        if self.scope["method"] != "HEAD":  # which has no body that its head could wait for
            self.cycle.transport = _Way(self.transport)

    def _head_bytes(self) -> int:
        return len(self.url) + sum([len(name) + len(value) for name, value in self.headers])

    def on_message_complete(self) -> None:
        """Nothing more is waited for."""
        self._whole = True
        self._calm()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer as everywhere else, in JSON, and close."""
        reply = answer.error(Refusal(msg))
        head = [b"HTTP/1.1 400 Bad Request\r\n", *(b"%s: %s\r\n" % header for header in reply.headers)]
        self.transport.write(
            b"".join([*head, b"content-length: %d\r\nconnection: close\r\n\r\n" % len(reply.body), reply.body])
        )
        self.transport.close()

    def _wait(self) -> None:
        seconds = HEAD_SECONDS_MAX if self._in_head else BODY_SECONDS_MAX
        self._patience = self.loop.call_later(seconds, self._late)

    def _late(self) -> None:
        if self._in_head or self.pipeline or self.cycle.response_started:
            self.transport.close()  # there is nobody to answer, or it has been answered
        else:
            self.send_400_response(f"The body must come whole within {BODY_SECONDS_MAX:.0f} seconds.")

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
