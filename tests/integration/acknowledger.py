"""A shop's server as a process of its own: reports orders until each is acknowledged, and keeps a list of those that are.

`python -m tests.integration.acknowledger URL KEY LIST ORDER COUNT`: ORDER is the body of one order as JSON; its order id gets a number.
"""

import json
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2

CALLERS = 8


class Acknowledger:
    """Posts, and writes down what was acknowledged: a line is on the disk before the next order is begun."""

    def __init__(self, url: str, key: str, kept: Path, order: dict[str, Any]) -> None:
        self._url = url
        self._order = order
        self._client = httpx2.Client(headers={"X-API-KEY": key}, trust_env=False, timeout=10)
        self._list = kept.open("a")
        self._turn = threading.Lock()
        self._pause = threading.Event()

    def work(self, numbers: Iterator[int]) -> None:
        """Report one order after the other, as long as there are any; several callers share the numbers."""
        while True:
            with self._turn:
                number = next(numbers, None)
            if number is None:
                return
            self.report(number)

    def report(self, number: int) -> None:
        """Report one order, again and again, until it is acknowledged. One in four waits for the verdict."""
        order_id = f"ORD-{number}"
        body = self._order | {"payload": self._order["payload"] | {"order_id": order_id}}
        headers = {"Prefer": "respond-async"} if number % 4 else {}
        while not self._acknowledged(body, headers):
            self._pause.wait(0.05)
        with self._turn:
            self._list.write(f"{order_id}\n")
            self._list.flush()
            os.fsync(self._list.fileno())

    def _acknowledged(self, body: dict[str, Any], headers: dict[str, str]) -> bool:
        try:
            answer = self._client.post(self._url, json=body, headers=headers)
        except httpx2.TransportError:  # the process is gone, or went in the middle
            return False
        if answer.status_code not in (200, 202, 503):
            raise AssertionError(f"{answer.status_code}: {answer.text}")
        return answer.status_code != 503


if __name__ == "__main__":
    url, key, kept, order, count = sys.argv[1:]
    acknowledger = Acknowledger(url, key, Path(kept), json.loads(order))
    with ThreadPoolExecutor(CALLERS) as callers:
        numbers = iter(range(int(count)))
        for done in [callers.submit(acknowledger.work, numbers) for _ in range(CALLERS)]:
            done.result()
