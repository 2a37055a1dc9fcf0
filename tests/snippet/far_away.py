"""A network that takes its time: every byte arrives a while after it was sent, as between a phone and a data centre."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.processes import HOST, START_SECONDS


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    with suppress(OSError):
        while data := await source.read(65536):
            loop.call_later(seconds, sink.write, data)
    loop.call_later(seconds, sink.close)


@contextmanager
def delayed(port: int, seconds: float) -> Iterator[int]:
    """Listen on a port of its own and pass everything on to `port`, `seconds` late in each direction."""
    ready, stop = threading.Event(), threading.Event()
    listening: list[int] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near, far = await asyncio.open_connection(HOST, port)
        try:
            await asyncio.gather(_pump(reader, far, seconds), _pump(near, writer, seconds))
            await asyncio.sleep(seconds)  # the last bytes are still on their way
        except asyncio.CancelledError:
            pass  # the end of the test
        finally:
            far.close()
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(connected, HOST, 0)
        listening.append(server.sockets[0].getsockname()[1])
        ready.set()
        await asyncio.to_thread(stop.wait)
        server.close()

    thread = threading.Thread(target=asyncio.run, args=(serve(),), name="delay")
    thread.start()
    try:
        assert ready.wait(START_SECONDS), "the delaying proxy does not start"
        yield listening[0]
    finally:
        stop.set()
        thread.join()
