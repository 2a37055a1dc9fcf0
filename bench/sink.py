"""A destination that costs almost nothing: takes Graph's requests, counts, answers after a while. A stand-in for speed only; the sandbox checks.

    python -m bench.sink PORT DELAY_MS

`GET /stats` tells requests and events so far. `GET /arrivals` tells when each event id came (monotonic ns, the machine's).
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Callable
from typing import cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb'"event_id":"([^"]+)"')


class Counts:
    """What came."""

    def __init__(self) -> None:
        self.requests = 0
        self.arrivals: dict[bytes, int] = {}
        self.doubles = 0
        self.last = 0

    def take(self, body: bytes) -> int:
        """Count one request; gives how many events it held."""
        ids = _ID.findall(body)
        self.requests += 1
        self.last = time.monotonic_ns()
        before = len(self.arrivals)
        for each in ids:
            self.arrivals.setdefault(each, self.last)
        self.doubles += len(ids) - (len(self.arrivals) - before)
        return len(ids)

    def stats(self) -> dict[str, int]:
        """For the one who measures. `last` is when the newest came (monotonic ns, the machine's)."""
        return {"requests": self.requests, "events": len(self.arrivals), "doubles": self.doubles, "last": self.last}


class Peer(asyncio.Protocol):
    """One connection: as much of HTTP as our own clients use."""

    def __init__(self, counts: Counts, delay_seconds: float) -> None:
        self._counts = counts
        self._delay = delay_seconds
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by name

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole by now."""
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, rest = self._data.partition(b"\r\n\r\n")
            found = _LENGTH.search(head)
            length = int(found[1]) if found else 0
            if len(rest) < length:
                return
            body, self._data = rest[:length], rest[length:]
            if head.startswith(b"GET /stats"):
                self._answer(json.dumps(self._counts.stats()))
            elif head.startswith(b"GET /arrivals"):
                self._answer(json.dumps({name.decode(): at for name, at in self._counts.arrivals.items()}))
            else:
                count = self._counts.take(body)
                text = f'{{"events_received":{count},"fbtrace_id":"A{self._counts.requests}"}}'
                asyncio.get_running_loop().call_later(self._delay, self._answer, text)

    def _answer(self, text: str) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        if not self._transport.is_closing():
            self._transport.write(f"{head}{text}".encode())


async def main(port: int, delay_seconds: float) -> None:
    counts = Counts()
    peer: Callable[[], Peer] = lambda: Peer(counts, delay_seconds)  # noqa: E731  # typed, or mypy cannot tell
    server = await asyncio.get_running_loop().create_server(peer, "127.0.0.1", port)
    print("listening", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), float(sys.argv[2]) / 1000))
