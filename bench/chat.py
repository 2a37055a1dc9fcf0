"""What comes from conversations: webhooks acknowledged, and lists of a thousand events.

    python -m bench.chat [--rounds 5] [--seconds 2] [--engine sqlite|postgres] [webhooks] [lists]

`webhooks`: signed bodies with one referral each, durable before the 200, over bare Starlette that parses the same JSON. `lists`: how long a call of
1000 events takes, alone and beside other callers, and what those notice of a list that is posted twice a second; medians of the rounds.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import statistics
import subprocess
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import uvloop

from bench.ack import HERE, serving
from bench.callers import call, order
from bench.seasoned import seasoned_server
from bench.server import APP_SECRET, BUSINESS, KEY

BODIES = 40_000
LISTS = 5


def bodies(path: Path) -> None:
    """Webhooks of different senders, each with its signature."""
    with path.open("w") as file:
        for number in range(BODIES):
            referral = {
                "source_url": "https://fb.me/3cr4Wqqkv", "source_id": "120226305854810726", "source_type": "ad", "headline": "Chat with us",
                "media_type": "image", "ctwa_clid": "Aff-" + secrets.token_hex(64),
            }  # fmt: skip
            message = {
                "from": f"5511{900_000_000 + number}", "id": f"wamid.{secrets.token_hex(20)}", "timestamp": str(int(time.time())),
                "type": "text", "text": {"body": "hello"}, "referral": referral,
            }  # fmt: skip
            value = {
                "messaging_product": "whatsapp", "metadata": {"display_phone_number": "15550783881", "phone_number_id": "106540352242922"},
                "contacts": [{"profile": {"name": "S"}, "wa_id": message["from"]}], "messages": [message],
            }  # fmt: skip
            entry = [{"id": "100000000000001", "changes": [{"value": value, "field": "messages"}]}]
            body = json.dumps({"object": "whatsapp_business_account", "entry": entry})
            sign = hmac.new(APP_SECRET.encode(), body.encode(), hashlib.sha256).hexdigest()
            file.write(f"{sign} {body}\n")


def webhooks(port: int, path: Path, start: int, seconds: int) -> tuple[float, float]:
    """Webhooks a second, and the 99th percentile in ms."""
    command = [
        "wrk",
        "-t1",
        "-c32",
        f"-d{seconds}s",
        "--latency",
        "-s",
        str(HERE / "signed.lua"),
        f"http://127.0.0.1:{port}",
    ]
    text = subprocess.run([*command, "--", str(path), str(start)], capture_output=True, text=True, check=True).stdout
    rate, slow = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"99%\s+([\d.]+)(us|ms|s)", text)
    if rate is None or slow is None or "Non-2xx" in text:
        raise SystemExit(text)
    return float(rate[1]), float(slow[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[slow[2]]


def a_list(run: str) -> bytes:
    """A call of 1000 purchases in WhatsApp, each with an e-mail and a phone number."""
    events = [
        {
            "event_name": "Purchase", "channel": "whatsapp", "event_id": f"{run}-{number}", "event_time": int(time.time()),
            "user_data": {"ctwa_clid": "ARA" + "k" * 128, "em": f"shopper{number}@mail.example", "ph": f"+5511{900_000_000 + number}"},
            "custom_data": {"currency": "BRL", "value": 129.9, "contents": [{"id": "sku-1", "quantity": 1, "item_price": 129.9}]},
        }
        for number in range(1000)
    ]  # fmt: skip
    body = json.dumps({"events": events})
    return (
        f"POST /v1/businesses/{BUSINESS}/events HTTP/1.1\r\nhost: x\r\nx-api-key: {KEY}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def others(port: int, seconds: float) -> list[float]:
    """Callers at an even 200 events a second over 32 connections; gives how long each waited for its acknowledgement, in ms."""
    took: list[float] = []
    run, began, numbers = secrets.token_hex(4), time.monotonic(), iter(range(int(200 * seconds)))

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        for number in numbers:
            due = began + number / 200
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            since = max(due, time.monotonic() - 1)
            await call(reader, writer, order(f"{run}-{number}", wait=False))
            took.append((time.monotonic() - since) * 1000)
        writer.close()

    await asyncio.gather(*(work() for _ in range(32)))
    return sorted(took)


async def lists(port: int, requests: list[bytes], pause: float) -> list[float]:
    """How long each of some lists took, in ms. They are made before: the others' clock runs in this process too."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
    took = []
    for request in requests:
        began = time.monotonic()
        await call(reader, writer, request)
        took.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(pause)
    writer.close()
    return sorted(took)


class Round(NamedTuple):
    """Milliseconds: the median list without others and beside them, the others' 99th percentile without lists and beside them."""

    list_alone: float
    list_beside: float
    others_alone: float
    others_beside: float


async def one_round(port: int) -> Round:
    """Lists alone, others alone, then both."""
    first, second = ([a_list(secrets.token_hex(4)) for _ in range(LISTS)] for _ in range(2))
    took = await lists(port, first, 0.0)
    alone = await others(port, 3)
    beside, took_beside = await asyncio.gather(others(port, 3), lists(port, second, 0.4))
    return Round(statistics.median(took), statistics.median(took_beside), _p99(alone), _p99(beside))


def _p99(took: list[float]) -> float:
    return took[len(took) * 99 // 100]


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", nargs="*", choices=["webhooks", "lists", []])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--engine", choices=("sqlite", "postgres"))
    given = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    print(f"load average {os.getloadavg()[0]:.1f} at the start")
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "bodies"
        bodies(path)
        plain = stack.enter_context(serving("bare"))
        for engine in (given.engine,) if given.engine else ("sqlite", "postgres"):
            server = stack.enter_context(seasoned_server()) if engine == "postgres" else None
            urls = [stack.enter_context(server.database())] if server else []
            port, _ = stack.enter_context(serving("web", *urls))
            if "lists" not in given.rows or "webhooks" in given.rows:
                ratios, slowest = [], []
                for turn in range(given.rounds):
                    rate, slow = webhooks(port, path, turn * BODIES // given.rounds, given.seconds)
                    ratios.append(rate / webhooks(plain[0], path, 0, given.seconds)[0])
                    slowest.append(slow)
                print(
                    f"{engine:9}webhooks  {statistics.median(ratios):.2f} of bare, p99 {statistics.median(slowest):.1f} ms"
                )
            if "webhooks" not in given.rows or "lists" in given.rows:
                uvloop.run(one_round(port))
                rounds = [uvloop.run(one_round(port)) for _ in range(given.rounds)]
                list_alone, list_beside, calm, pressed = map(statistics.median, zip(*rounds, strict=True))
                ratios = sorted(each.others_beside / each.others_alone for each in rounds)
                print(
                    f"{engine:9}lists     of 1000: p50 {list_alone:.0f} ms alone, {list_beside:.0f} ms beside others; others' p99 {calm:.1f} ms "
                    f"alone, {pressed:.1f} ms beside them: {statistics.median(ratios):.1f}x ({ratios[0]:.1f} to {ratios[-1]:.1f})"
                )


if __name__ == "__main__":
    main()
