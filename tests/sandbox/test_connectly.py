"""Connectly's endpoint: its contract, then Meta's verdict, in each shape its error body may have."""

from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import BUSINESS, CLICK, NOW, connectly, without

CONTENTS = [{"id": f"sku-{number}", "quantity": 1, "item_price": 1.5} for number in range(101)]


def payload(**changes: Any) -> dict[str, Any]:
    kept = {key: value for key, value in {**connectly()["payload"], **changes}.items() if value is not None}
    return connectly(payload=kept)


def clicked(click: Any, **rest: Any) -> dict[str, Any]:
    return connectly(attribution={"meta_ctwa": {"ctwa_clid": click, "ad_id": "1", **rest}})


@pytest.mark.parametrize(
    "body",
    [
        connectly(),
        connectly(event_name="ViewContent", payload={}),
        payload(order_id=None, event_time=None),
        payload(value=0, contents=CONTENTS[:100], content_ids=["a"], content_type="product_group", num_items=3),
        payload(contents=[{"quantity": 1}, {"id": "kept"}]),  # items without an id are skipped in silence
        payload(currency="mxn", made_up=[1]),
    ],
)
def test_a_conversion_is_accepted_as_it_came(strict_sandbox: Sandbox, body: Any) -> None:
    answer = strict_sandbox.connectly(body)
    assert (answer.status_code, answer.json()) == (200, {"events_received": 1})
    kept = strict_sandbox.events()[-1]
    assert (kept["via"], kept["dataset_id"], kept["business_id"]) == ("connectly", None, BUSINESS)
    assert kept["event"] == body


@pytest.mark.parametrize("headers", [{}, {"X-API-KEY": "wrong"}, {"Authorization": "Bearer sandbox-token"}])
def test_a_missing_or_wrong_key_is_401_whatever_else_is_wrong(sandbox: Sandbox, headers: dict[str, str]) -> None:
    answer = sandbox.connectly({}, business="nobody", headers=headers)
    assert (answer.status_code, answer.json()["error"]["status"]) == (401, "UNAUTHENTICATED")


def test_an_expired_key_is_401(sandbox: Sandbox) -> None:
    sandbox.state(connectly={"keys": {"sandbox-key": {"expired": True}}})
    assert sandbox.connectly(connectly()).status_code == 401


def test_an_unknown_business_and_one_without_a_channel_are_404(sandbox: Sandbox) -> None:
    sandbox.state(connectly={"businesses": {BUSINESS: {"channel": False}, "known-by-name": {}}})
    other = "11111111-2222-4333-8444-555555555555"
    statuses = [
        sandbox.connectly(connectly(), business).status_code for business in ("x", BUSINESS, other, "known-by-name")
    ]
    assert statuses == [404, 404, 200, 200]
    sandbox.state(connectly={"businesses": {other: {"known": False}}})
    assert sandbox.connectly(connectly(), other).json()["error"]["status"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        *((without(connectly(), key), key) for key in ("cnct_tracking_id", "sendout_id", "event_name", "payload")),
        (without(connectly(), "attribution"), "attribution.meta_ctwa.ctwa_clid"),
        (clicked(None), "attribution.meta_ctwa.ctwa_clid"),
        (clicked(""), "attribution.meta_ctwa.ctwa_clid"),
        (clicked(CLICK, ad_id=5), "attribution.meta_ctwa.ad_id"),
        (connectly(cnct_tracking_id="x" * 513), "cnct_tracking_id"),
        (connectly(attribution={"meta_ctwa": [CLICK]}), "attribution.meta_ctwa.ctwa_clid"),
        (connectly(event_name="AddToCart"), "event_name"),
        (connectly(payload=[]), "payload"),
        (payload(currency=None), "payload.currency"),
        (payload(currency=484), "payload.currency"),
        (payload(value=None), "payload.value"),
        (payload(value="349"), "payload.value"),
        (payload(value=-0.01), "payload.value"),
        (payload(value=True), "payload.value"),
        (payload(event_time=f"{NOW}"), "payload.event_time"),
        (payload(num_items=1.5), "payload.num_items"),
        (payload(contents=CONTENTS), "payload.contents"),
        (payload(contents=["sku"]), "payload.contents"),
        (payload(content_ids=[1]), "payload.content_ids"),
        (payload(content_type="service"), "payload.content_type"),
        ([], "body"),
        ("text", "body"),
    ],
)
def test_what_breaks_the_contract_is_refused_with_the_field(strict_sandbox: Sandbox, body: Any, field: str) -> None:
    before = strict_sandbox.summary()["events"]
    answer = strict_sandbox.connectly(body)
    error = answer.json()["error"]
    assert (answer.status_code, error["status"], "details" in error) == (400, "INVALID_ARGUMENT", False)
    assert field in error["message"]
    assert strict_sandbox.summary()["events"] == before


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_a_body_nobody_can_read_is_400(strict_sandbox: Sandbox, content: bytes) -> None:
    path = f"/external/v1/businesses/{BUSINESS}/conversion_events"
    answer = strict_sandbox.client.post(path, content=content, headers={"X-API-KEY": "sandbox-key"})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (clicked("INVENTED"), "Invalid Ctwa Clid"),
        (clicked("CLICK-OF-ANOTHER"), "Mismatching WhatsApp Business Account ID"),
        (payload(currency="MRU"), "Invalid Currency For Purchase Event"),
        (payload(event_time=NOW - 8 * 86_400), "Event Timestamp Too Old"),
    ],
)
def test_what_meta_would_refuse_is_passed_on_in_its_words(strict_sandbox: Sandbox, body: Any, words: str) -> None:
    strict_sandbox.state(clicks={"CLICK-OF-ANOTHER": "100000000000099"})
    before = strict_sandbox.summary()["events"]
    answer = strict_sandbox.connectly(body)
    assert answer.status_code == 400
    assert words in answer.json()["error"]["details"][0]["meta_error"]
    assert strict_sandbox.summary()["events"] == before


def test_a_business_may_have_another_whatsapp_account(sandbox: Sandbox) -> None:
    sandbox.state(
        clicks={"OTHER": "100000000000099"},
        datasets={"200000000000099": {"waba_id": "100000000000099"}},
        connectly={"businesses": {BUSINESS: {"waba_id": "100000000000099"}}},
    )
    assert [sandbox.connectly(clicked(click)).status_code for click in ("OTHER", CLICK)] == [200, 400]


def test_a_business_whose_account_has_no_dataset_is_not_found(sandbox: Sandbox) -> None:
    sandbox.state(connectly={"businesses": {BUSINESS: {"waba_id": "100000000000098"}}})
    assert sandbox.connectly(connectly()).status_code == 404


def test_each_shape_of_an_error_body_carries_metas_words(sandbox: Sandbox) -> None:
    words = "Messaging Event Invalid Ctwa Clid"
    sandbox.state(connectly={"error_shape": "grpc"})
    grpc = sandbox.connectly(clicked("INVENTED")).json()
    assert (grpc["code"], grpc["details"][0]["meta_error"]) == (3, words)
    sandbox.state(connectly={"error_shape": "connectly"})
    own = sandbox.connectly(clicked("INVENTED")).json()
    assert (own["code"], own["details"]) == ("ERROR_CODE_INVALID_ARGUMENT", {"meta_error": words})
    assert own["cntTraceId"]


def test_the_ad_id_is_not_what_meta_judges(sandbox: Sandbox) -> None:
    assert sandbox.connectly(clicked(CLICK, ad_id="any-ad")).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "status"}, 500),
        ({"kind": "status", "status": 400}, 400),
        ({"kind": "status", "status": 503}, 503),
        ({"kind": "html500"}, 500),
        ({"kind": "throttle", "retry_after": 3}, 429),
    ],
)
def test_faults_strike_connectly_too(sandbox: Sandbox, fault: Any, status: int) -> None:
    sandbox.faults({"via": "connectly", "times": 1, **fault})
    answer = sandbox.connectly(connectly())
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == ("3" if status == 429 else None)
    assert sandbox.events() == []
    assert sandbox.connectly(connectly()).status_code == 200
