"""The sandbox's own doors, as a test uses them."""

from typing import Any

import httpx


class Sandbox:
    """The sandbox's own doors."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(base_url=url, trust_env=False, timeout=30)

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
