"""The server hook: tells the collector of an order, in the background, and remembers what came of it.

This is the call that a real shop makes once an order is paid. A shopper never waits for it.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx2
import msgspec

from .cart import Line
from .settings import ShopSettings

State = Literal["sending", "answered", "given-up", "nothing-to-report"]
LONGEST_PAUSE_SECONDS = 30.0
_SHOWN = ("x-delivery-state", "x-event-id", "x-collector-reason", "x-duplicate", "retry-after")


@dataclass
class Attempt:
    """One try: what the collector answered, or why there was no answer."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str = ""
    error: str = ""


@dataclass
class Order:
    """A paid order and what has become of its report. `body` is None where the visitor brought no click."""

    order_id: str
    name: str
    lines: list[Line]
    body: dict[str, Any] | None
    state: State = "sending"
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def cents(self) -> int:
        """The order's total."""
        return sum(line.cents for line in self.lines)


class Hook:
    """Reports orders through one HTTP client; `async with` starts and ends it."""

    def __init__(self, settings: ShopSettings) -> None:
        self.settings = settings
        self.path = f"/external/v1/businesses/{settings.business_id}/conversion_events"
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Hook":
        self._client = httpx2.AsyncClient(
            base_url=self.settings.collector_internal_url,
            headers={"X-API-KEY": self.settings.api_key, "Content-Type": "application/json"},
            timeout=self.settings.timeout_seconds,
            trust_env=False,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._client.aclose()

    def report(self, order: Order) -> None:
        """Starts to report an order, and returns at once."""
        if order.body is None:
            order.state = "nothing-to-report"
            return
        task = asyncio.create_task(self._report(order))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, order: Order) -> None:
        content = msgspec.json.encode(order.body)
        for pause in (*self.settings.retry_seconds, None):
            attempt = await self._try(content)
            order.attempts.append(attempt)
            if attempt.status is not None and attempt.status < 500 and attempt.status != 429:
                order.state = "answered"  # 200 is a promise to deliver, 400 a verdict: repeating changes neither
                return
            if pause is not None:
                await asyncio.sleep(_pause(attempt, pause))
        order.state = "given-up"

    async def _try(self, content: bytes) -> Attempt:
        try:
            answer = await self._client.post(self.path, content=content)
        except httpx2.HTTPError as error:
            return Attempt(error=f"{type(error).__name__}: {error}".rstrip(": "))
        headers = {name: answer.headers[name] for name in _SHOWN if name in answer.headers}
        return Attempt(answer.status_code, headers, answer.text)


def _pause(attempt: Attempt, planned: float) -> float:
    """The planned pause, or the longer one that the collector asks for."""
    with suppress(ValueError, KeyError):
        return min(max(planned, float(attempt.headers["retry-after"])), LONGEST_PAUSE_SECONDS)
    return planned
