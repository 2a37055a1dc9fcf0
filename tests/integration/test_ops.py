"""What operators ask a process, and what it answers while its store is away."""

import pytest

from tests.integration.house import House, eventually
from tests.integration.outage import no_writes
from tests.integration.shop import Shop, told


@pytest.fixture(params=["sqlite", "postgres"])
def house(request: pytest.FixtureRequest) -> House:
    found: House = request.getfixturevalue(f"{request.param}_house")
    return found


def test_a_process_is_alive_but_not_ready_while_nothing_can_be_stored(house: House) -> None:
    assert house.client.get("/readyz").json()["store"] == "writable"
    with no_writes(house.database_url):
        ready = eventually(
            lambda: answer if (answer := house.client.get("/readyz")).status_code != 200 else None, "the alarm"
        )
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert (house.client.get("/healthz").status_code, house.client.get("/cnct.js").status_code) == (200, 200)
    eventually(lambda: house.client.get("/readyz").status_code == 200 or None, "readiness")


def test_the_age_of_the_oldest_pending_event_is_told(house: House, shop: Shop) -> None:
    shop.fault("hang")
    shop.post(shop.order(), Prefer="respond-async")
    first, second = (
        eventually(lambda: house.client.get("/readyz").json()["oldest_pending_ms"], "an age") for _ in range(2)
    )
    assert 0 <= first <= second


def test_a_page_hears_503_while_nothing_can_be_stored(house: House, shop: Shop) -> None:
    with no_writes(house.database_url):
        answer = shop.land()
    assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")
    assert int(told(answer)["Retry-After"]) > 0
    assert answer.headers["access-control-allow-origin"] == shop.origin
    assert shop.cookies == {}
    eventually(lambda: house.client.get("/readyz").status_code == 200 or None, "readiness")
    assert shop.land().status_code == 200
