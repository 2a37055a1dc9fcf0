"""A TLS front, as a proxy before the collector would be: decrypts and passes bytes on, whatever stands behind."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def tls_front(context: ssl.SSLContext, port: int, behind: int) -> Iterator[None]:
    """Listen with TLS on `port` and pass every connection to `behind` on this machine."""
    up = threading.Event()
    front = _Front(context, port, behind, up)
    thread = threading.Thread(target=lambda: asyncio.run(front.serve()), name="tls front")
    thread.start()
    assert up.wait(10)
    try:
        yield
    finally:
        front.stop()
        thread.join(10)
        assert not thread.is_alive()


class _Front:
    def __init__(self, context: ssl.SSLContext, port: int, behind: int, up: threading.Event) -> None:
        self._context, self._port, self._behind, self._up = context, port, behind, up
        self._loop: asyncio.AbstractEventLoop
        self._stopped: asyncio.Event
        self._writers: set[asyncio.StreamWriter] = set()

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)

    async def serve(self) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        async with await asyncio.start_server(self._handle, "127.0.0.1", self._port, ssl=self._context):
            self._up.set()
            await self._stopped.wait()
            for writer in self._writers:
                writer.transport.abort()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", self._behind)
        except OSError:
            writer.transport.abort()  # nobody behind: the browser meets a broken connection, as with a dead collector
            return
        pair = {writer, inner_writer}
        self._writers |= pair
        await asyncio.gather(self._pipe(reader, inner_writer), self._pipe(inner_reader, writer))
        self._writers -= pair

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()
