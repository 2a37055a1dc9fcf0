"""A disk that is full: callers hear so, nothing that was acknowledged is lost, and room is all that it takes to go on."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.integration.house import House, eventually
from tests.integration.sandbox import Sandbox
from tests.integration.shop import told

DISK_BYTES = 8 * 1024 * 1024
ORDERS = 40


@contextmanager
def small_disk(place: Path) -> Iterator[None]:
    """A file system of a few megabytes."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def fill(ballast: Path) -> None:
    """Take what room there is."""
    with ballast.open("ab", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass


@pytest.fixture
def lone(tmp_path: Path, sandbox: Sandbox) -> Iterator[House]:
    """A collector on a small disk."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk; the engine alone is tried everywhere")
    place = tmp_path / "disk"
    place.mkdir()
    with small_disk(place):
        house = House(place, sandbox, wait_seconds="2")
        house.start()
        try:
            yield house
        finally:
            house.close()


def test_a_full_disk_is_503_with_a_reason_until_there_is_room(lone: House) -> None:
    shop, ballast = lone.shop(), lone.data_dir / "ballast"
    shop.fault("slow", delay_ms=300)
    orders = [f"ORD-{number}" for number in range(ORDERS)]
    for order_id in orders[:-1]:
        assert shop.post(shop.order(order_id), Prefer="respond-async").status_code == 202
    fill(ballast)  # while some are on their way
    answer = shop.post(shop.order(orders[-1]))
    assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")
    assert "full" in answer.json()["error"]["message"]
    assert int(told(answer)["Retry-After"]) > 0
    assert "X-Event-Id" not in answer.headers
    assert lone.client.get("/healthz").status_code == 200
    ready = lone.client.get("/readyz")
    assert (ready.status_code, "full" in ready.json()["store"]) == (503, True)
    assert {event["event_id"] for event in shop.events()} == set(orders[:-1])

    ballast.unlink()
    eventually(lambda: lone.client.get("/readyz").status_code == 200 or None, "a store that can be written")
    shop.sandbox.heal()
    assert shop.post(shop.order(orders[-1])).status_code == 200
    eventually(lambda: lone.client.get("/readyz").json()["oldest_pending_ms"] is None or None, "nothing pending")
    assert {event["state"] for event in shop.events()} == {"delivered"}
    arrived = {event_id: times for (_, event_id), times in shop.sandbox.times(shop.dataset).items()}
    assert arrived == dict.fromkeys(orders, 1)
    assert len(shop.records()) == ORDERS
