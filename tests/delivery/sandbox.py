"""The sandbox's own doors, as a test uses them, and a destination that is meddled with at the right moment."""

from collections.abc import Callable, Coroutine
from typing import Any

import httpx2

from collector.destinations import Answer, Wire
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound


class Sandbox:
    """The sandbox's own doors."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx2.AsyncClient(base_url=url, trust_env=False, timeout=30)

    async def close(self) -> None:
        await self._http.aclose()

    async def put(self, what: str, value: Any) -> None:
        (await self._http.put(f"/sandbox/{what}", json=value)).raise_for_status()

    async def faults(self, *faults: dict[str, Any]) -> None:
        await self.put("faults", {"faults": faults})

    async def accepted(self) -> list[str]:
        """The event ids that arrived, in order, doubles included."""
        found = (await self._http.get("/sandbox/events")).json()["events"]
        return [each["event"].get("event_id") or each["event"]["payload"]["order_id"] for each in found]

    async def requests(self) -> list[dict[str, Any]]:
        return list((await self._http.get("/sandbox/requests")).json()["requests"])

    async def forget(self) -> None:
        (await self._http.delete("/sandbox/events")).raise_for_status()


class Meddling(Meta):
    """Does something in the middle: before the request with this number is sent."""

    def __init__(
        self, outbound: Outbound, url: str, number: int, meddle: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        super().__init__(outbound, url, "v25.0", "collector")
        self.sent = 0
        self._number = number
        self._meddle = meddle

    async def send(self, wire: Wire) -> Answer:
        self.sent += 1
        if self.sent == self._number:
            await self._meddle()
        return await super().send(wire)
