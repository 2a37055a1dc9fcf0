"""Checks come in the contract's order, each with its answer; from the business on, each call leaves one record."""

import os
from typing import Any

import pytest

from collector.directory import onboarding
from collector.store.face import Directory, KeyRow
from collector.store.opening import wall_clock
from tests.integration.house import House
from tests.integration.shop import Entry, Shop, refusal, told

NO_BUSINESS = {"error": {"code": 404, "status": "NOT_FOUND", "message": "no such business", "failure_stage": "business_lookup"}}  # fmt: skip
NOBODY = "00000000-0000-4000-8000-000000000000"
HUGE = b'{"payload": "' + b"x" * 300_000 + b'"}'


def path(business_id: str) -> str:
    return f"/external/v1/businesses/{business_id}/conversion_events"


def add_key(house: House, shop: Shop, **changes: Any) -> tuple[str, KeyRow]:
    """One more key of this shop, known to the process."""

    async def work(store: Directory) -> tuple[str, KeyRow]:
        plaintext, row = onboarding.new_key(
            shop.business_id, name="other", now=wall_clock(), random=os.urandom, **changes
        )
        await store.put_key(row)
        return plaintext, row

    made = house.onboard(work)
    shop.records()
    return made


@pytest.mark.parametrize("body", [b"{", HUGE], ids=["bad JSON", "too large"])
@pytest.mark.parametrize("key", ["", "ck_unknown", "k\xe9y", "k" * 5000], ids=["missing", "unknown", "odd", "long"])
def test_a_key_comes_first_and_401_leaves_no_record(house: House, shop: Shop, key: str, body: bytes) -> None:
    refused = house.client.get("/readyz").json()["keys_refused"]
    answer = shop.post(body, key=key, path=path(NOBODY), Content_Type="text/html")
    assert answer.status_code == 401
    message = "X-API-KEY is missing, unknown, revoked or expired"
    assert answer.json() == {"error": {"code": 401, "status": "UNAUTHENTICATED", "message": message}}
    assert told(answer) == {}
    assert (shop.records(), shop.events(), shop.requests()) == ([], [], [])
    assert house.client.get("/readyz").json()["keys_refused"] == refused + 1


def test_an_expired_key_is_refused(house: House, shop: Shop) -> None:
    key, _ = add_key(house, shop, expires_at=wall_clock() - 1)
    assert shop.post(shop.order(), key=key).status_code == 401
    assert (shop.records(), shop.requests()) == ([], [])


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_key_made_by_a_command_is_good_until_it_is_revoked_by_one(
    engine: str, sandbox: object, request: pytest.FixtureRequest
) -> None:
    house: House = request.getfixturevalue(f"{engine}_house")
    shop = house.shop()
    made = house.command("key", "create", shop.business_id, "--name", "till")
    house.secrets.add(made["api_key"])
    assert shop.post(shop.order("ORD-1"), key=made["api_key"]).status_code == 200
    house.command("key", "revoke", shop.business_id, made["key_id"])
    assert shop.post(shop.order("ORD-2"), key=made["api_key"]).status_code == 401
    assert [event["event_id"] for event in shop.events()] == ["ORD-1"]


@pytest.mark.parametrize("engine", ["sqlite", "postgres"])
def test_a_revoked_key_cannot_even_read(engine: str, sandbox: object, request: pytest.FixtureRequest) -> None:
    house: House = request.getfixturevalue(f"{engine}_house")
    shop = house.shop()
    key, row = add_key(house, shop)
    path = f"/v1/businesses/{shop.business_id}/records"
    assert shop.client.get(path, headers={"X-API-KEY": key}).status_code == 200
    house.onboard(lambda store: store.revoke_key(shop.business_id, row.key_id, wall_clock()))
    assert shop.client.get(path, headers={"X-API-KEY": key}).status_code == 401


@pytest.mark.parametrize("body", [b"{", HUGE], ids=["bad JSON", "too large"])
def test_the_business_comes_second_and_none_is_like_anothers(house: House, shop: Shop, body: bytes) -> None:
    other = house.shop()
    answers = [shop.post(body, path=path(asked)) for asked in (NOBODY, other.business_id, "not-a-uuid", "%00")]
    assert [(answer.status_code, answer.json(), told(answer)) for answer in answers] == [(404, NO_BUSINESS, {})] * 4
    assert shop.entries() == [Entry(False, "business_lookup", "no such business")] * 4
    assert (other.records(), shop.events(), shop.requests()) == ([], [], [])


def test_size_comes_third(shop: Shop) -> None:
    answer = shop.post(HUGE, Content_Type="text/html")
    rule = "at most 262144 bytes"
    expected = refusal(f"body: {rule}", "payload_mapping", {"field": "body", "rule": rule}, code=413)
    assert (answer.status_code, answer.json(), told(answer)) == (413, expected, {})
    assert shop.entries() == [Entry(False, "payload_mapping", f"body: {rule}")]


@pytest.mark.parametrize(
    ("headers", "field", "rule"),
    [
        ({"Content_Type": "text/plain"}, "Content-Type", "must be application/json"),
        ({"Content_Type": ""}, "Content-Type", "must be application/json"),
        ({"Content_Type": "application/x-www-form-urlencoded"}, "Content-Type", "must be application/json"),
        ({"Content_Type": "application/json; charset=latin-1"}, "Content-Type", "charset must be utf-8"),
        ({"Content_Encoding": "gzip"}, "Content-Encoding", "must be identity; compressed bodies are not taken"),
    ],
)
def test_type_comes_before_the_body(shop: Shop, headers: dict[str, str], field: str, rule: str) -> None:
    answer = shop.post(b"{", **headers)
    expected = refusal(f"{field}: {rule}", "payload_mapping", {"field": field, "rule": rule}, code=415)
    assert (answer.status_code, answer.json(), told(answer)) == (415, expected, {})
    assert shop.entries() == [Entry(False, "payload_mapping", f"{field}: {rule}")]


@pytest.mark.parametrize(
    "declared", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_may_be_declared_in_any_of_its_ways(shop: Shop, declared: str) -> None:
    assert shop.post(shop.order(), Content_Type=declared).status_code == 200


@pytest.mark.parametrize("destination", ["meta", "connectly"])
def test_fields_come_before_the_channel(house: House, destination: str) -> None:
    shop = house.shop(channel=False, destination=destination)
    answer = shop.post(shop.order(value="99.97"))
    rule = "must be a number, not a string"
    expected = refusal(f"payload.value: {rule}", "payload_mapping", {"field": "payload.value", "rule": rule})
    assert (answer.status_code, answer.json(), told(answer)) == (400, expected, {})
    assert shop.entries() == [Entry(False, "payload_mapping", f"payload.value: {rule}")]


@pytest.mark.parametrize(
    ("destination", "message"),
    [
        ("meta", "this business has no WhatsApp channel configured"),
        ("connectly", "this business has no Connectly account configured"),
    ],
)
def test_the_channel_comes_before_the_click(house: House, destination: str, message: str) -> None:
    shop = house.shop(channel=False, destination=destination)
    answers = [shop.post(shop.order()), shop.post(shop.pointed(attribution_token="forged"))]
    expected = refusal(message, "channel_lookup", code=404, status="NOT_FOUND")
    assert [(answer.status_code, answer.json(), told(answer)) for answer in answers] == [(404, expected, {})] * 2
    assert shop.entries() == [Entry(False, "channel_lookup", message)] * 2
    assert (shop.events(), shop.requests()) == ([], [])


def test_a_channel_set_by_a_command_is_known_at_once(house: House) -> None:
    shop = house.shop(channel=False)
    assert shop.post(shop.order()).status_code == 404
    asset = ("--waba-id", shop.waba, "--dataset-id", shop.dataset)
    house.command("channel", "set", shop.business_id, "whatsapp", *asset, COLLECTOR_ACCESS_TOKEN=shop.access_token)
    answer = shop.post(shop.order())
    assert (answer.status_code, told(answer)) == (200, {"X-Delivery-State": "delivered"})


def test_a_refused_call_keeps_of_its_body_what_the_contract_names(shop: Shop) -> None:
    order = shop.order(currency="XXQ", email="jane@example.com")
    assert shop.post(order | {"phone": "+5511999999999"}).status_code == 400
    (record,) = shop.records()
    assert record["payload"] == {"currency": "XXQ", "value": 99.97, "order_id": "ORD-1"}
    assert [record[name] for name in shop.click.__struct_fields__] == list(shop.click.values())
    assert "jane" not in str(record)
