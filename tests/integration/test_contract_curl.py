"""The curl of Connectly's published contract, run as it stands: only its blanks are filled in."""

import json
import shutil
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.integration.house import House
from tests.integration.sandbox import Json, Sandbox

GOLDEN = Path(__file__).parent.parent / "golden" / "contract"
PRINTED_TIME = "1746480000"

TRACKING_ID, SENDOUT_ID, AD_ID = "7d3f0c52-trk", "c1b2a3d4-snd", "120210000000000001"
CLICK_ID = "ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LEkR7JwFF4XvnO2E4Nx0-eM-GABDLOPaOdRMv-_zfUQ2a"
"""The click that the sandbox knows."""


class Merchant(NamedTuple):
    """What the commands printed, and where the events go."""

    business_id: str
    key: str
    dataset: str


@pytest.fixture
def connectly_id() -> str:
    return "5f1e6c1a-0000-4000-8000-0000000000c1"


@pytest.fixture
def merchant(house: House, sandbox: Sandbox, connectly_id: str, request: pytest.FixtureRequest) -> Merchant:
    """A business that was set up by commands alone, for the destination that the test names."""
    made = house.command("business", "create", "Merchant", "--origin", f"https://{request.param}.example")
    business_id = made["business_id"]
    house.secrets |= {made["api_key"], "sandbox-token", "sandbox-key", CLICK_ID}
    if request.param == "meta":
        where = ("--waba-id", "100000000000001", "--dataset-id", "200000000000001")
        house.command("channel", "set", business_id, "whatsapp", *where, COLLECTOR_ACCESS_TOKEN="sandbox-token")
        return Merchant(business_id, made["api_key"], "200000000000001")
    account = ("--connectly-business-id", connectly_id)
    house.command("destination", "set", business_id, "connectly", *account, COLLECTOR_ACCESS_TOKEN="sandbox-key")
    return Merchant(business_id, made["api_key"], connectly_id)


def run_the_curl(house: House, merchant: Merchant, now: int) -> tuple[int, dict[str, str], Json]:
    """Status, headers and body that curl printed."""
    assert shutil.which("curl"), "no curl: the contract's own example is run with it (apt-get install curl)"
    text = (GOLDEN / "purchase.sh").read_text()
    text = text.replace("https://api.connectly.ai", house.url).replace(PRINTED_TIME, str(now))
    text = text.replace("<BUSINESS_ID>", merchant.business_id).replace("<YOUR_API_KEY>", merchant.key)
    for value in (TRACKING_ID, SENDOUT_ID, CLICK_ID, AD_ID):
        text = text.replace("<value from URL>", value, 1)
    assert "<" not in text
    printed = subprocess.run(["sh", "-c", text], capture_output=True, check=True, text=True).stdout
    head, _, body = printed.replace("\r", "").partition("\n\n")
    status, *lines = head.splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    answer: Json = json.loads(body)
    return int(status.split()[1]), headers, answer


def golden(name: str, now: int) -> Json:
    found: Json = json.loads((GOLDEN / name).read_text().replace(PRINTED_TIME, str(now)))
    return found


@pytest.mark.parametrize(
    ("merchant", "name"), [("meta", "at-graph.json"), ("connectly", "at-connectly.json")], indirect=["merchant"]
)
def test_the_published_curl_works_unchanged_and_may_be_sent_again(
    house: House, sandbox: Sandbox, merchant: Merchant, name: str
) -> None:
    now, before = int(time.time()), len(sandbox.requests(merchant.dataset))
    status, headers, body = run_the_curl(house, merchant, now)
    assert (status, body, headers["x-delivery-state"]) == (200, {"events_received": 1}, "delivered")
    assert headers["content-type"] == "application/json"
    assert sandbox.events(merchant.dataset)[before:] == [golden(name, now)]

    again = run_the_curl(house, merchant, now)
    assert (again[0], again[2], again[1]["x-duplicate"]) == (200, {"events_received": 1}, "true")
    assert again[1]["x-event-id"] == headers["x-event-id"]
    keyed = {"X-API-KEY": merchant.key}
    listed = house.client.get(f"/v1/businesses/{merchant.business_id}/events", headers=keyed).json()["events"]
    records = house.client.get(f"/v1/businesses/{merchant.business_id}/records", headers=keyed).json()["records"]
    assert [event["event_id"] for event in listed] == ["ORD-7821"]
    assert [(record["success"], record["duplicate"]) for record in records] == [(True, True), (True, False)]
    assert len(sandbox.requests(merchant.dataset)) == before + 1


@pytest.mark.parametrize("merchant", ["meta"], indirect=True)
def test_meta_gets_no_id_that_is_not_its_own_and_no_token_in_a_url(
    house: House, sandbox: Sandbox, merchant: Merchant
) -> None:
    before = len(sandbox.requests(merchant.dataset))
    run_the_curl(house, merchant, int(time.time()))
    (request,) = sandbox.requests(merchant.dataset)[before:]
    whole = json.dumps(request)
    for secret in ("ad_id", "sendout_id", "cnct_tracking_id", AD_ID, SENDOUT_ID, TRACKING_ID, merchant.key):
        assert secret not in whole
    assert request["headers"]["authorization"] == "Bearer sandbox-token"
    assert "sandbox-token" not in request["url"] + request["body"]
    assert request["url"] == f"{sandbox.url}/v25.0/200000000000001/events"


@pytest.mark.parametrize("merchant", ["connectly"], indirect=True)
def test_connectly_gets_its_own_key_and_not_the_shops(
    house: House, sandbox: Sandbox, merchant: Merchant, connectly_id: str
) -> None:
    before = len(sandbox.requests(merchant.dataset))
    run_the_curl(house, merchant, int(time.time()))
    (request,) = sandbox.requests(merchant.dataset)[before:]
    assert request["headers"]["x-api-key"] == "sandbox-key"
    assert "sandbox-key" not in request["url"] + request["body"]
    assert request["url"] == f"{sandbox.url}/external/v1/businesses/{connectly_id}/conversion_events"
    assert merchant.key not in json.dumps(request)
