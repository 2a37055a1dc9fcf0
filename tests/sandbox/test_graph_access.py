"""Who may send where: tokens, datasets and scopes, before anything that the events say."""

from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import (
    INSTAGRAM_DATASET,
    PAGE_DATASET,
    WEB_DATASET,
    WHATSAPP_DATASET,
    instagram,
    messenger,
    website,
    whatsapp,
)


@pytest.fixture(scope="module", autouse=True)
def tokens_that_lack_something(strict_sandbox: Sandbox) -> None:
    answer = strict_sandbox.state(
        tokens={
            "expired": {"expired": True},
            "narrow": {"datasets": [PAGE_DATASET]},
            "web-only": {"scopes": ["ads_management"]},
            "half": {"scopes": ["whatsapp_business_management", "page_events", "instagram_manage_events"]},
            "other half": {"scopes": ["whatsapp_business_manage_events"]},
        }
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("headers", "code", "subcode"),
    [
        ({}, 190, None),
        ({"Authorization": "Bearer unknown"}, 190, None),
        ({"Authorization": "Bearer expired"}, 190, 463),
    ],
)
def test_a_token_that_is_absent_unknown_or_expired_is_401(
    strict_sandbox: Sandbox, headers: dict[str, str], code: int, subcode: int | None
) -> None:
    path = f"/v25.0/{WHATSAPP_DATASET}/events"
    answer = strict_sandbox.client.post(path, json={"data": [whatsapp()]}, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["code"]) == (401, "OAuthException", code)
    assert error.get("error_subcode") == subcode


@pytest.mark.parametrize(("token", "dataset"), [("sandbox-token", "999999999999999"), ("narrow", WHATSAPP_DATASET)])
def test_a_dataset_that_is_unknown_or_not_assigned_is_not_found(
    strict_sandbox: Sandbox, token: str, dataset: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = strict_sandbox.client.post(f"/v25.0/{dataset}/events", json={"data": [whatsapp()]}, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["error_subcode"]) == (400, 100, 33)
    assert error["type"] == "GraphMethodException"
    assert dataset in error["message"]


@pytest.mark.parametrize(
    ("token", "event", "dataset", "code"),
    [
        ("half", whatsapp(), WHATSAPP_DATASET, 270),
        ("other half", whatsapp(), WHATSAPP_DATASET, 200),
        ("web-only", whatsapp(event_name="Lead"), WHATSAPP_DATASET, 270),  # before anything the event says
        ("web-only", messenger(), PAGE_DATASET, 200),
        ("web-only", instagram(), INSTAGRAM_DATASET, 200),
    ],
)
def test_a_missing_scope_is_refused_before_the_event_is_looked_at(
    strict_sandbox: Sandbox, token: str, event: Any, dataset: str, code: int
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = strict_sandbox.client.post(f"/v25.0/{dataset}/events", json={"data": [event]}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, code)


def test_a_missing_scope_is_refused_before_the_events_are_counted(strict_sandbox: Sandbox) -> None:
    path, headers = f"/v25.0/{WHATSAPP_DATASET}/events", {"Authorization": "Bearer half"}
    answer = strict_sandbox.client.post(path, json={"data": [whatsapp()] * 1001}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, 270)


def test_website_events_ask_for_no_messaging_scope(strict_sandbox: Sandbox) -> None:
    path, headers = f"/v25.0/{WEB_DATASET}/events", {"Authorization": "Bearer web-only"}
    assert strict_sandbox.client.post(path, json={"data": [website()]}, headers=headers).status_code == 200
