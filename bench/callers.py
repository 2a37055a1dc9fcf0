"""Shops that call the collector: at an even rate, or one call after the other. Raw sockets, so that the caller costs little."""

import asyncio
import json
import secrets
import time

from bench.server import BUSINESS, KEY


def order(number: str, wait: bool) -> bytes:
    """A Purchase as a shop posts it."""
    body = json.dumps({
        "cnct_tracking_id": "t", "event_name": "Purchase", "sendout_id": "s",
        "attribution": {"meta_ctwa": {"ctwa_clid": "ARAkLkA8rmlFeiCktEJQ" * 5, "ad_id": "120210000000000000"}},
        "payload": {"currency": "USD", "value": 99.97, "order_id": number, "content_ids": ["a", "b"], "num_items": 2},
    })  # fmt: skip
    prefer = "" if wait else "prefer: respond-async\r\n"
    return (
        f"POST /external/v1/businesses/{BUSINESS}/conversion_events HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\n{prefer}"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> None:
    """Post once on a connection that stays open."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 202")):
        raise SystemExit(head.decode())
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    await reader.readexactly(length)


async def paced(port: int, rate: float, seconds: float, connections: int) -> dict[str, int]:
    """Post at an even rate; gives when each event was acknowledged (monotonic ns)."""
    acknowledged: dict[str, int] = {}
    run, began, total = secrets.token_hex(4), time.monotonic(), int(rate * seconds)
    numbers = iter(range(total))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in numbers:
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            name = f"{run}-{number}"
            await call(reader, writer, order(name, wait=False))
            acknowledged[name] = time.monotonic_ns()
        writer.close()

    await asyncio.gather(*(work() for _ in range(connections)))
    return acknowledged


async def callers(port: int, count: int, seconds: float, apart_seconds: float = 0.0) -> list[float]:
    """Callers that wait for the verdict, one order after the other; gives how long each waited, in ms.

    The first calls are spread evenly over `apart_seconds`: shops do not call in step.
    """
    took: list[float] = []
    run, end = secrets.token_hex(4), time.monotonic() + seconds

    async def work(which: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(apart_seconds * which / count)
        number = 0
        while (began := time.monotonic()) < end:
            number += 1
            await call(reader, writer, order(f"{run}-{which}-{number}", wait=True))
            took.append((time.monotonic() - began) * 1000)
        writer.close()

    await asyncio.gather(*(work(which) for which in range(count)))
    return took
