"""What is secret stays so: in logs, in URLs, on the disk, in what is told about an event."""

import json
import stat
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.integration.conftest import Build, serving
from tests.integration.house import House, new_click
from tests.integration.sandbox import Sandbox
from tests.integration.shop import Shop, told

SUCCESSES = 10


@pytest.fixture(scope="module")
def lone(tmp_path_factory: pytest.TempPathFactory, running_sandbox: Sandbox) -> Iterator[House]:
    """A collector that says all it has to say."""
    with serving(tmp_path_factory.mktemp("house"), running_sandbox, log_level="debug", wait_seconds="0.5") as house:
        yield house


class Lived(NamedTuple):
    """A shop after all that a collector may want to write a line about, and what no line may hold."""

    shop: Shop
    secrets: set[str]
    printed: str


@pytest.fixture(scope="module")
def lived(lone: House) -> Lived:
    house = lone
    shop, held, rejected = house.shop(), house.shop(), new_click()
    secrets = {
        shop.key,
        shop.access_token,
        held.key,
        held.access_token,
        str(shop.click.ctwa_clid),
        str(rejected.ctwa_clid),
    }
    shop.land()
    secrets.add(shop.cookies["cnct"])
    secrets.add(house.token(shop, shop.click, age_seconds=91 * 86_400))
    shop.page("events", {"event_name": "ViewContent", "event_id": "view-1"})
    shop.page("landing", b'{"query": "?ctwa_clid=%s", ' % str(shop.click.ctwa_clid).encode())
    shop.post(shop.order("ORD-1"))
    shop.post(shop.order("ORD-2", click=rejected))
    for number, secret in enumerate(sorted(secrets)):
        shop.post(shop.pointed(f"BAD-{number}", attribution_token=secret))
        shop.post(shop.order("ORD-3") | {"event_name": secret})
        shop.post(shop.order(), key=secret + "x")
        shop.link("order_id", "X", attribution_token=secret + "x")
    for fault in ("reset_after_accept", "html500", "wrong_count", "throttle"):
        shop.fault(fault, times=1)
        shop.post(shop.order(fault))
    shop.sandbox.learn(tokens={held.access_token: {"expired": True}})
    assert told(held.post(held.order()))["X-Delivery-State"] == "held"
    shop.sandbox.heal()
    assert house.process is not None
    return Lived(shop, secrets, house.process.output)


def test_no_line_of_the_log_holds_a_secret(lived: Lived) -> None:
    lines = [json.loads(line) for line in lived.printed.splitlines()]
    assert any(line["message"] == "channel held" for line in lines)  # it does log
    assert [secret[:6] for secret in lived.secrets if secret in lived.printed] == []


def test_no_url_holds_a_secret(lived: Lived) -> None:
    urls = " ".join(request["url"] for request in lived.shop.requests())
    assert lived.shop.dataset in urls
    assert [secret[:6] for secret in lived.secrets if secret in urls] == []


def test_keys_and_access_tokens_lie_nowhere_in_the_clear(lone: House, lived: Lived) -> None:
    files = [path for path in lone.data_dir.rglob("*") if path.is_file()]
    written = b"".join(path.read_bytes() for path in files)
    assert lived.shop.business_id.encode() in written
    assert lived.shop.key.encode() not in written
    assert lived.shop.access_token.encode() not in written
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}["keys"] == 0o600


def test_what_is_told_about_an_event_holds_no_access_token(lived: Lived) -> None:
    told_of = [lived.shop.tale(event["id"]) for event in lived.shop.events()]
    assert len(told_of) > 10
    assert any(attempt["answer"] for each in told_of for attempt in each["deliveries"][0]["attempts"])
    assert lived.shop.access_token not in json.dumps(told_of)


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_success_writes_no_line(build: Build, engine: str, request: pytest.FixtureRequest) -> None:
    dsn = request.getfixturevalue("postgres_dsn") if engine == "postgres" else ""
    house = build(database_url=dsn, log_level="debug", wait_seconds="20")
    house.start()
    shop = house.shop()
    shop.post(shop.order("ORD-0"))
    assert house.process is not None
    before = house.process.output
    shop.fault("slow", delay_ms=20)
    for number in range(1, SUCCESSES):
        assert told(shop.post(shop.order(f"ORD-{number}"))) == {"X-Delivery-State": "delivered"}
    shop.land(view={"event_name": "ViewContent", "event_id": "view-1"})
    shop.sent(at_least=SUCCESSES + 1)
    assert house.process.output == before
