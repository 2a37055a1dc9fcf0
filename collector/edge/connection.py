"""Bounds on a request's head, before there is anything to route.

The server has none of its own: two megabytes of cookies would hold up everybody for seconds, and half a head a connection for ever.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_BYTES_MAX: Final = 64 * 1024
"""Request line and headers: room for every cookie that a browser keeps of a site."""
HEAD_SECONDS_MAX: Final = 20.0


class _TooLarge(Exception):
    """Ends the parsing; the parser makes it a 400."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection. A head that is too large is answered 400, one that does not come is waited for no longer; both are closed."""

    _open = True  # a head is on its way
    _size = 0  # what was parsed of it
    _unparsed = 0  # what came of it without completing it: a header that never ends is no header yet
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Wait for a head."""
        super().connection_made(transport)
        self._patience = self.loop.call_later(HEAD_SECONDS_MAX, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing."""
        self._calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and see how far the head has come."""
        was_open = self._open
        super().data_received(data)
        if not self._open or self.transport.is_closing():
            return
        if was_open:
            self._unparsed += len(data)
        if self._unparsed > HEAD_BYTES_MAX:
            self.send_400_response("The head of the request is too large.")
        elif self._patience is None:
            self._patience = self.loop.call_later(HEAD_SECONDS_MAX, self.transport.close)

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._open, self._size, self._unparsed = True, 0, 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header."""
        self._size += len(name) + len(value)
        if self._size > HEAD_BYTES_MAX:
            raise _TooLarge
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole; its address counts too."""
        self._open = False
        self._calm()
        if self._size + len(self.url) > HEAD_BYTES_MAX:
            raise _TooLarge
        super().on_headers_complete()

    def _calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
