"""The sandbox's process, seen from the tests: what arrived, what is to go wrong, what it knows."""

from typing import Any

import httpx2

Json = dict[str, Any]


class Sandbox:
    """Meta and Connectly, as the collector's processes know them. Tests share it; a dataset each keeps them apart."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx2.Client(base_url=url, trust_env=False, timeout=30)
        self._faulty = False

    def events(self, target: str, at_least: int = 0) -> list[Json]:
        """The events that a dataset, or a business at Connectly, took, oldest first; waits until there are `at_least` so many."""
        query: Json = {"business_id" if "-" in target else "dataset_id": target}
        if at_least:
            query |= {"wait_ms": 20_000, "at_least": at_least}
        found: list[Json] = [each["event"] for each in self._get("events", **query)["events"]]
        assert len(found) >= at_least, f"{target} has {len(found)} events, not {at_least}"
        return found

    def requests(self, target: str) -> list[Json]:
        """The raw requests to a dataset or a Connectly business."""
        return [each for each in self._get("requests")["requests"] if f"/{target}/" in each["url"]]

    def times(self, target: str) -> dict[tuple[str, str], int]:
        """How often each (event name, event id) was accepted there."""
        return {(name, event_id): n for place, name, event_id, n in self._get("ids")["ids"] if place == target}

    def faults(self, *faults: Json) -> None:
        """Order these faults in place of those that stand; requests that hang go on."""
        self._faulty = bool(faults)
        self._client.put("/sandbox/faults", json={"faults": list(faults)}).raise_for_status()

    def heal(self) -> None:
        """No fault any more."""
        if self._faulty:
            self.faults()

    def learn(self, **patch: Any) -> None:
        """Merge a patch into what it knows."""
        self._client.put("/sandbox/state", json=patch).raise_for_status()

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    def _get(self, name: str, **query: Any) -> Json:
        answer: Json = self._client.get(f"/sandbox/{name}", params=query).raise_for_status().json()
        return answer
