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
TOKENS = {"meta": "sandbox-token", "connectly": "sandbox-key"}


CONNECTLY_ID = "5f1e6c1a-0000-4000-8000-0000000000c1"
DATASET = {"meta": "200000000000001", "connectly": CONNECTLY_ID}
SETTING_UP = {
    "meta": ("channel", "set", "whatsapp", "--waba-id", "100000000000001", "--dataset-id", DATASET["meta"]),
    "connectly": ("destination", "set", "connectly", "--connectly-business-id", CONNECTLY_ID),
}


class Merchant(NamedTuple):
    """What the commands printed, and the time of its order."""

    business_id: str
    key: str
    now: int


class Printed(NamedTuple):
    """What curl printed."""

    status: int
    headers: dict[str, str]
    body: Json


class Reported(NamedTuple):
    """A merchant whose order was reported once: what curl printed, what the sandbox was sent and what it took."""

    merchant: Merchant
    destination: str
    printed: Printed
    requests: list[Json]
    events: list[Json]


def run_the_curl(house: House, merchant: Merchant) -> Printed:
    """What curl prints."""
    assert shutil.which("curl"), "no curl: the contract's own example is run with it (apt-get install curl)"
    text = (GOLDEN / "purchase.sh").read_text()
    text = text.replace("https://api.connectly.ai", house.url).replace(PRINTED_TIME, str(merchant.now))
    text = text.replace("<BUSINESS_ID>", merchant.business_id).replace("<YOUR_API_KEY>", merchant.key)
    for value in (TRACKING_ID, SENDOUT_ID, CLICK_ID, AD_ID):
        text = text.replace("<value from URL>", value, 1)
    assert "<" not in text
    printed = subprocess.run(["sh", "-c", text], capture_output=True, check=True, text=True).stdout
    head, _, body = printed.replace("\r", "").partition("\n\n")
    status, *lines = head.splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    answer: Json = json.loads(body)
    return Printed(int(status.split()[1]), headers, answer)


@pytest.fixture(scope="module", params=["meta", "connectly"])
def reported(sqlite_house: House, running_sandbox: Sandbox, request: pytest.FixtureRequest) -> Reported:
    """A business set up by commands alone; then the curl."""
    house, sandbox, destination = sqlite_house, running_sandbox, request.param
    made = house.command("business", "create", "Merchant", "--origin", f"https://{destination}.example")
    group, verb, *rest = SETTING_UP[destination]
    house.command(group, verb, made["business_id"], *rest, COLLECTOR_ACCESS_TOKEN=TOKENS[destination])
    house.secrets |= {made["api_key"], *TOKENS.values(), CLICK_ID}
    target = DATASET[destination]
    before = len(sandbox.requests(target)), len(sandbox.events(target))
    merchant = Merchant(made["business_id"], made["api_key"], int(time.time()))
    printed = run_the_curl(house, merchant)
    requests, events = sandbox.requests(target)[before[0] :], sandbox.events(target)[before[1] :]
    return Reported(merchant, destination, printed, requests, events)


def test_the_published_curl_works_unchanged(reported: Reported) -> None:
    status, headers, body = reported.printed
    assert (status, body, headers["x-delivery-state"]) == (200, {"events_received": 1}, "delivered")
    assert headers["content-type"] == "application/json"
    text = (GOLDEN / f"at-{reported.destination}.json").read_text().replace(PRINTED_TIME, str(reported.merchant.now))
    assert reported.events == [json.loads(text)]


def test_it_may_be_sent_again(house: House, sandbox: Sandbox, reported: Reported) -> None:
    merchant, target = reported.merchant, DATASET[reported.destination]
    sent = len(sandbox.requests(target))
    again = run_the_curl(house, merchant)
    assert (again.status, again.body, again.headers["x-duplicate"]) == (200, {"events_received": 1}, "true")
    assert again.headers["x-event-id"] == reported.printed.headers["x-event-id"]
    keyed = {"X-API-KEY": merchant.key}
    listed = house.client.get(f"/v1/businesses/{merchant.business_id}/events", headers=keyed).json()["events"]
    records = house.client.get(f"/v1/businesses/{merchant.business_id}/records", headers=keyed).json()["records"]
    assert [event["event_id"] for event in listed] == ["ORD-7821"]
    assert [(record["success"], record["duplicate"]) for record in records] == [(True, True), (True, False)]
    assert len(sandbox.requests(target)) == sent


@pytest.mark.parametrize("reported", ["meta"], indirect=True)
def test_meta_gets_no_id_that_is_not_its_own_and_no_token_in_a_url(sandbox: Sandbox, reported: Reported) -> None:
    (request,) = reported.requests
    whole = json.dumps(request)
    for secret in ("ad_id", "sendout_id", "cnct_tracking_id", AD_ID, SENDOUT_ID, TRACKING_ID, reported.merchant.key):
        assert secret not in whole
    assert request["headers"]["authorization"] == f"Bearer {TOKENS['meta']}"
    assert TOKENS["meta"] not in request["url"] + request["body"]
    assert request["url"] == f"{sandbox.url}/v25.0/{DATASET['meta']}/events"


@pytest.mark.parametrize("reported", ["connectly"], indirect=True)
def test_connectly_gets_its_own_key_and_not_the_shops(sandbox: Sandbox, reported: Reported) -> None:
    (request,) = reported.requests
    assert request["headers"]["x-api-key"] == TOKENS["connectly"]
    assert TOKENS["connectly"] not in request["url"] + request["body"]
    assert request["url"] == f"{sandbox.url}/external/v1/businesses/{CONNECTLY_ID}/conversion_events"
    assert reported.merchant.key not in json.dumps(request)
