"""The same answers where the events go through Connectly, whose error body may have any of three shapes."""

from collections.abc import Iterator

import pytest

from tests.integration.house import House, new_click
from tests.integration.sandbox import Json, Sandbox
from tests.integration.shop import RECEIVED, Entry, Life, Shop, refusal, told

WORDS = "Messaging Event Invalid Ctwa Clid"


@pytest.fixture
def shop(house: House, sandbox: Sandbox) -> Shop:
    return house.shop(destination="connectly")


@pytest.fixture(params=["google", "grpc", "connectly"])
def shape(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[str]:
    sandbox.learn(connectly={"error_shape": request.param})
    yield request.param
    sandbox.learn(connectly={"error_shape": "google"})


def test_accepted(shop: Shop) -> None:
    answer = shop.post(shop.order())
    assert (answer.status_code, answer.json(), told(answer)) == (200, RECEIVED, {"X-Delivery-State": "delivered"})
    (body,) = shop.sent()
    assert {name: body[name] for name in body if name != "payload"} == {
        name: value for name, value in shop.order().items() if name != "payload"
    }
    assert shop.entries() == [Entry(True)]


@pytest.mark.usefixtures("shape")
def test_rejected_with_metas_own_words(shop: Shop) -> None:
    answer = shop.post(shop.order(click=new_click()))
    expected = refusal("Meta rejected the event", "meta_forward", {"meta_error": WORDS})
    assert (answer.status_code, answer.json(), told(answer)) == (400, expected, {})
    assert shop.life(answer) == Life("dead", "rejected", 1, ("rejected",), ("first",))
    assert shop.entries() == [Entry(False, "meta_forward", WORDS)]
    assert (len(shop.requests()), shop.sent()) == (1, [])


@pytest.mark.usefixtures("shape")
@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ({"kind": "throttle"}, "throttled"),
        ({"kind": "status", "status": 500}, "unavailable"),
        ({"kind": "status", "status": 504}, "unknown"),
        ({"kind": "reset_after_accept"}, "unknown"),
        ({"kind": "wrong_count"}, "unknown"),
    ],
    ids=["throttle", "500", "504", "reset", "count"],
)
def test_throttled_unavailable_or_unknown(shop: Shop, fault: Json, outcome: str) -> None:
    shop.fault(**fault)
    answer = shop.post(shop.order())
    assert (answer.status_code, answer.json(), told(answer)) == (200, RECEIVED, {"X-Delivery-State": "retrying"})
    assert shop.life(answer).outcomes[0] == outcome


@pytest.mark.usefixtures("shape")
@pytest.mark.parametrize(("status", "reason"), [("401", "token"), ("404", "channel")])
def test_a_key_or_account_that_connectly_does_not_know_is_ours_to_mend(shop: Shop, status: str, reason: str) -> None:
    if status == "401":
        shop.sandbox.learn(connectly={"keys": {shop.access_token: {"expired": True}}})
    else:
        shop.sandbox.learn(connectly={"businesses": {shop.dataset: {"channel": False}}})
    answer = shop.post(shop.order())
    assert (answer.status_code, answer.json()) == (200, RECEIVED)
    assert told(answer) == {"X-Delivery-State": "held", "X-Collector-Reason": reason}
    assert shop.life(answer) == Life("held", reason, 1, ("held",), ("first",))
    assert shop.sent() == []


def test_test_mode_never_reaches_connectly_which_knows_no_tests(house: House) -> None:
    shop = house.shop(destination="connectly", mode="test", test_event_code="TEST4711")
    answer = shop.post(shop.order())
    assert told(answer) == {"X-Delivery-State": "dead", "X-Collector-Reason": "test"}
    assert shop.requests() == []
