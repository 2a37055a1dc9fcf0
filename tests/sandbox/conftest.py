"""A sandbox under a real server, and a client that speaks to it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic
from typing import Any

import httpx2
import pytest

from collector.sandbox import create_sandbox
from tests.processes import serving
from tests.sandbox.samples import BEARER, BUSINESS, KEY, NOW, WHATSAPP_DATASET, Json
from tests.sandbox.shopping import Collector, Visitor, open_shop


class Sandbox:
    """A running sandbox, seen from outside."""

    def __init__(self, client: httpx2.Client) -> None:
        self.client = client
        self.url = str(client.base_url)

    def graph(self, *events: Any, dataset: str = WHATSAPP_DATASET, **rest: Any) -> httpx2.Response:
        """Sends events to a dataset, as a collector would."""
        return self.client.post(f"/v25.0/{dataset}/events", json={"data": list(events), **rest}, headers=BEARER)

    def connectly(self, body: Any, business: str = BUSINESS, headers: dict[str, str] | None = None) -> httpx2.Response:
        """Sends one conversion to Connectly."""
        path = f"/external/v1/businesses/{business}/conversion_events"
        return self.client.post(path, json=body, headers=KEY if headers is None else headers)

    def events(self, **query: Any) -> list[Json]:
        """What was accepted."""
        events: list[Json] = self._get("events", **query)["events"]
        return events

    def requests(self) -> list[Json]:
        """What was sent, raw."""
        requests: list[Json] = self._get("requests")["requests"]
        return requests

    def summary(self) -> Json:
        """The counts."""
        return self._get("summary")

    def state(self, **patch: Any) -> httpx2.Response:
        """Merges a patch into the state."""
        return self.client.put("/sandbox/state", json=patch)

    def faults(self, *faults: Json) -> httpx2.Response:
        """Orders faults, in place of the earlier ones."""
        return self.client.put("/sandbox/faults", json={"faults": list(faults)})

    def _get(self, name: str, **query: Any) -> Json:
        answer: Json = self.client.get(f"/sandbox/{name}", params=query).raise_for_status().json()
        return answer


def arrived(sandbox: Sandbox, count: int) -> None:
    """Returns when so many requests have arrived."""
    pause, deadline = threading.Event(), monotonic() + 10
    while len(sandbox.requests()) < count:
        assert monotonic() < deadline
        pause.wait(0.01)


@contextmanager
def running_sandbox(**options: Any) -> Iterator[Sandbox]:
    """A sandbox of its own whose clock stands still at NOW, a float as the real one."""
    with (
        serving(create_sandbox(clock=lambda: float(NOW), **options)) as url,
        httpx2.Client(base_url=url, trust_env=False, timeout=10) as client,
    ):
        yield Sandbox(client)


@pytest.fixture(scope="session")
def served_sandbox() -> Iterator[Sandbox]:
    """The one that the tests share, one after the other."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def sandbox(served_sandbox: Sandbox) -> Sandbox:
    """A sandbox as good as new."""
    served_sandbox.faults()
    served_sandbox.state(**dict.fromkeys(served_sandbox.client.get("/sandbox/state").json()))
    served_sandbox.client.delete("/sandbox/events")
    return served_sandbox


@pytest.fixture(scope="module")
def strict_sandbox() -> Iterator[Sandbox]:
    """One sandbox for a module whose tests only look at how single requests are judged."""
    with running_sandbox() as running:
        yield running


@pytest.fixture
def new_sandbox() -> Callable[..., AbstractContextManager[Sandbox]]:
    """Starts sandboxes with options of their own."""
    return running_sandbox


@pytest.fixture(scope="module")
def collector() -> Collector:
    """What the shared shop reports to."""
    return Collector()


@pytest.fixture(scope="module")
def shared_shop(collector: Collector) -> Iterator[Visitor]:
    """One shop for a module."""
    with open_shop(collector) as visitor:
        yield visitor


@pytest.fixture
def visitor(shared_shop: Visitor, collector: Collector) -> Visitor:
    """A new visitor of the shop; its collector has heard nothing yet."""
    shared_shop.client.cookies.clear()
    collector.calls.clear()
    return shared_shop
