"""PostgreSQL goes away under load and comes back, in good order or by a crash: callers hear 503 meanwhile, and nothing is lost."""

import json
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.conftest import Build
from tests.integration.house import eventually
from tests.integration.outage import lapse_leases
from tests.integration.shop import told
from tests.integration.test_restart import explained, reached
from tests.postgres import OwnServer, find_binaries, own_server
from tests.processes import running

ORDERS = 120


@pytest.fixture
def server() -> Iterator[OwnServer]:
    """A server that may be stopped."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("only a server of our own may be stopped")
    with own_server(binaries) as ours:
        yield ours


def test_every_acknowledged_event_outlives_the_databases_restarts(
    build: Build, server: OwnServer, tmp_path: Path
) -> None:
    with server.database() as dsn:
        house = build(database_url=dsn, wait_seconds="2")
        house.start()
        shop, kept = house.shop(), tmp_path / "acknowledged"
        shop.fault("slow", delay_ms=100)
        kept.touch()
        arguments = (house.url + shop.path, shop.key, str(kept), json.dumps(shop.order()), str(ORDERS))
        with running(sys.executable, "-m", "tests.integration.acknowledger", *arguments) as caller:
            for mode, goal in (("fast", ORDERS // 4), ("immediate", ORDERS // 2)):
                eventually(partial(reached, kept, goal), f"{goal} acknowledgements", 60)
                server.stop(mode)
                answer = shop.post(shop.order(f"ORD-{mode}"))
                ready = house.client.get("/readyz")
                alive = house.client.get("/healthz")
                server.start()
                assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")
                assert answer.json()["error"]["message"]
                assert int(told(answer)["Retry-After"]) > 0
                assert (ready.status_code, ready.json()["status"], alive.status_code) == (503, "unavailable", 200)
            assert caller.wait(60) == 0
        orders = {f"ORD-{number}" for number in range(ORDERS)}
        assert set(kept.read_text().split()) == orders
        shop.sandbox.heal()
        lapse_leases(dsn)  # of events whose commit happened and whose answer was lost: nobody holds them

        def all_arrived() -> dict[str, int] | None:
            times = {event_id: count for (_, event_id), count in shop.sandbox.times(shop.dataset).items()}
            return times if times.keys() >= orders else None

        arrived = eventually(all_arrived, "every acknowledged event", 90)
        assert arrived.keys() == orders
        twice = {order_id for order_id, count in arrived.items() if count > 1}
        assert [order_id for order_id in twice if not explained(shop, order_id)] == []
        eventually(lambda: house.client.get("/readyz").json()["oldest_pending_ms"] is None or None, "nothing pending")
        assert shop.events(state="dead") == []
        house.kill()
