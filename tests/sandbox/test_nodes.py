"""What Graph says beside events: datasets of assets, what a token may see, who gets webhooks."""

from typing import Any

import httpx2
import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import (
    BEARER,
    INSTAGRAM,
    INSTAGRAM_DATASET,
    NOW,
    PAGE,
    PAGE_DATASET,
    WABA,
    WEB_DATASET,
    WHATSAPP_DATASET,
    Json,
    messenger,
    whatsapp,
)

NEW = "100000000000077"
APP = "500000000000001"
OWNED = [(WABA, WHATSAPP_DATASET), (PAGE, PAGE_DATASET), (INSTAGRAM, INSTAGRAM_DATASET)]


def ask(
    sandbox: Sandbox, path: str, token: str = "sandbox-token", method: str = "GET", **query: str
) -> httpx2.Response:
    return sandbox.client.request(method, f"/v25.0/{path}", params=query, headers={"Authorization": f"Bearer {token}"})


def refusal(answer: httpx2.Response) -> tuple[int, int, int | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error.get("error_subcode")


@pytest.mark.parametrize(("asset", "dataset"), OWNED)
def test_the_dataset_of_an_asset_is_read_as_a_list_and_created_as_an_id(
    strict_sandbox: Sandbox, asset: str, dataset: str
) -> None:
    assert ask(strict_sandbox, f"{asset}/dataset").json() == {"data": [{"id": dataset}]}
    assert ask(strict_sandbox, f"{asset}/dataset", method="POST").json() == {"id": dataset}


@pytest.mark.parametrize("kind", ["waba", "page", "ig"])
def test_a_dataset_is_created_once(sandbox: Sandbox, kind: str) -> None:
    sandbox.state(assets={NEW: kind})
    assert ask(sandbox, f"{NEW}/dataset").json() == {"data": []}
    first = ask(sandbox, f"{NEW}/dataset", method="POST").json()["id"]
    assert ask(sandbox, f"{NEW}/dataset", method="POST", dataset_name="too late").json() == {"id": first}
    assert ask(sandbox, f"{NEW}/dataset").json() == {"data": [{"id": first}]}
    assert ask(sandbox, first).json()["name"].endswith(" Event Data")


def test_two_new_datasets_have_two_ids_and_the_names_asked_for(sandbox: Sandbox) -> None:
    other = "100000000000078"
    sandbox.state(assets={NEW: "page", other: "waba"})
    form = sandbox.client.post(f"/v25.0/{NEW}/dataset", data={"dataset_name": "Chats"}, headers=BEARER).json()["id"]
    json = sandbox.client.post(f"/v25.0/{other}/dataset", json={"dataset_name": "Ads"}, headers=BEARER).json()["id"]
    assert form != json
    assert [ask(sandbox, dataset).json()["name"] for dataset in (form, json)] == ["Chats", "Ads"]


def test_events_go_to_a_created_dataset(sandbox: Sandbox) -> None:
    sandbox.state(assets={NEW: "page"}, psids={"P": NEW})
    dataset = ask(sandbox, f"{NEW}/dataset", method="POST").json()["id"]
    user = {"page_id": NEW, "page_scoped_user_id": "P"}
    assert sandbox.graph(messenger(user_data=user), dataset=dataset).status_code == 200


@pytest.mark.parametrize("key", ["id", "dataset_id"])
def test_the_dataset_can_also_be_answered_as_the_documentation_or_some_clients_say(sandbox: Sandbox, key: str) -> None:
    sandbox.state(settings={"dataset_answer": key}, assets={NEW: "page"})
    assert ask(sandbox, f"{WABA}/dataset").json() == {key: WHATSAPP_DATASET}
    assert ask(sandbox, f"{WABA}/dataset", method="POST").json() == {key: WHATSAPP_DATASET}
    assert ask(sandbox, f"{NEW}/dataset").json() == {"data": []}, "a read creates nothing"


@pytest.mark.parametrize(
    ("asset", "scopes", "code"),
    [
        (WABA, [], 200),
        (WABA, ["whatsapp_business_manage_events"], 200),
        (WABA, ["whatsapp_business_management"], 270),
        (PAGE, ["instagram_manage_events"], 200),
        (INSTAGRAM, ["page_events"], 200),
    ],
)
def test_the_dataset_edge_asks_for_the_scopes_of_its_asset(
    sandbox: Sandbox, asset: str, scopes: list[str], code: int
) -> None:
    sandbox.state(tokens={"narrow": {"scopes": scopes}})
    for method in ("GET", "POST"):
        assert refusal(ask(sandbox, f"{asset}/dataset", "narrow", method)) == (403, code, None)


@pytest.mark.parametrize("path", [f"{WABA}/dataset", f"{WABA}/subscribed_apps", WABA, "debug_token?input_token=x"])
def test_every_read_asks_for_a_token_that_lives(sandbox: Sandbox, path: str) -> None:
    sandbox.state(tokens={"old": {"expires_at": NOW - 1}})
    assert refusal(ask(sandbox, path, "unknown")) == (401, 190, None)
    assert refusal(ask(sandbox, path, "old")) == (401, 190, 463)
    assert refusal(sandbox.client.get(f"/v25.0/{path}")) == (401, 190, None)


@pytest.mark.parametrize("edge", ["", "/dataset", "/subscribed_apps"])
def test_what_is_unknown_or_not_assigned_looks_the_same(sandbox: Sandbox, edge: str) -> None:
    sandbox.state(tokens={"other": {"assets": [PAGE], "datasets": [PAGE_DATASET]}})
    unknown, unassigned = ask(sandbox, f"999{edge}"), ask(sandbox, f"{WABA}{edge}", "other")
    assert refusal(unknown) == refusal(unassigned) == (400, 100, 33)
    assert unknown.json()["error"]["message"].startswith("Unsupported get request. Object with ID '999'")
    assert unknown.json()["error"]["type"] == "GraphMethodException"
    assert ask(sandbox, f"{WABA}{edge}").status_code == 200


def test_a_node_shows_the_fields_asked_for(strict_sandbox: Sandbox) -> None:
    assert ask(strict_sandbox, WEB_DATASET).json() == {"id": WEB_DATASET, "name": "Sandbox website"}
    assert ask(strict_sandbox, f"{WEB_DATASET}/").json() == {"id": WEB_DATASET, "name": "Sandbox website"}
    assert ask(strict_sandbox, WEB_DATASET, fields="id").json() == {"id": WEB_DATASET}
    assert ask(strict_sandbox, WEB_DATASET, fields="name").json() == {"id": WEB_DATASET, "name": "Sandbox website"}
    for asset in (WABA, PAGE, INSTAGRAM):
        assert set(ask(strict_sandbox, asset, fields="id,name").json()) == {"id", "name"}


def test_a_field_that_a_node_does_not_have_is_refused_by_name(strict_sandbox: Sandbox) -> None:
    answer = ask(strict_sandbox, WEB_DATASET, fields="id,colour")
    assert refusal(answer) == (400, 100, None)
    assert "nonexisting field (colour) on node type (AdsPixel)" in answer.json()["error"]["message"]


def test_a_dataset_that_is_not_assigned_is_not_shown(sandbox: Sandbox) -> None:
    sandbox.state(tokens={"other": {"datasets": [PAGE_DATASET]}})
    assert refusal(ask(sandbox, WEB_DATASET, "other")) == (400, 100, 33)
    assert ask(sandbox, PAGE_DATASET, "other").status_code == 200


def debugged(sandbox: Sandbox, token: str) -> Json:
    data: Json = ask(sandbox, "debug_token", input_token=token).raise_for_status().json()["data"]
    return data


def test_debug_token_tells_app_scopes_and_expiry(sandbox: Sandbox) -> None:
    sandbox.state(tokens={"t": {"scopes": ["page_events"], "expires_at": NOW + 60, "kind": "PAGE"}})
    data = debugged(sandbox, "t")
    assert (data["app_id"], data["application"], data["type"]) == (APP, "Sandbox app", "PAGE")
    assert (data["is_valid"], data["expires_at"], data["scopes"]) == (True, NOW + 60, ["page_events"])
    assert data["granular_scopes"] == [{"scope": "page_events"}]
    assert "error" not in data
    assert debugged(sandbox, "sandbox-token")["expires_at"] == 0, "never"


def test_debug_token_tells_which_assets_a_scope_holds_for(sandbox: Sandbox) -> None:
    scopes = ["page_events", "whatsapp_business_management", "ads_management"]
    sandbox.state(tokens={"t": {"scopes": scopes, "assets": [WABA, "999"]}})
    assert debugged(sandbox, "t")["granular_scopes"] == [
        {"scope": "page_events", "target_ids": []},
        {"scope": "whatsapp_business_management", "target_ids": [WABA]},
        {"scope": "ads_management"},
    ]


@pytest.mark.parametrize("how", [{"expired": True}, {"expires_at": NOW}])
def test_an_expired_token_is_described_not_refused(sandbox: Sandbox, how: Any) -> None:
    sandbox.state(tokens={"old": how})
    data = debugged(sandbox, "old")
    assert (data["is_valid"], data["error"]["code"], data["error"]["subcode"]) == (False, 190, 463)
    assert 0 < data["expires_at"] <= NOW


def test_a_token_nobody_issued_is_invalid(strict_sandbox: Sandbox) -> None:
    data = debugged(strict_sandbox, "made-up")
    assert (data["is_valid"], data["scopes"], data["error"]["code"]) == (False, [], 190)
    assert "app_id" not in data


def test_debug_token_needs_a_token_to_look_at(strict_sandbox: Sandbox) -> None:
    assert refusal(ask(strict_sandbox, "debug_token")) == (400, 100, None)


def test_subscriptions_look_as_meta_shows_them_for_each_kind_of_asset(strict_sandbox: Sandbox) -> None:
    app = {"link": f"https://www.facebook.com/games/?app_id={APP}", "name": "Sandbox app", "id": APP}
    shown = {asset: ask(strict_sandbox, f"{asset}/subscribed_apps").json()["data"] for asset, _ in OWNED}
    assert shown == {
        WABA: [{"whatsapp_business_api_data": app}],
        PAGE: [app | {"subscribed_fields": ["messages", "messaging_postbacks", "messaging_referrals"]}],
        INSTAGRAM: [app | {"subscribed_fields": ["messages", "messaging_postbacks", "messaging_referral"]}],
    }


def test_subscriptions_can_be_taken_away_and_set(sandbox: Sandbox) -> None:
    sandbox.state(subscriptions={WABA: None, PAGE: ["messages"], INSTAGRAM: {APP: None, "777": ["feed"]}})
    assert ask(sandbox, f"{WABA}/subscribed_apps").json() == {"data": []}
    (page,) = ask(sandbox, f"{PAGE}/subscribed_apps").json()["data"]
    assert (page["id"], page["subscribed_fields"]) == (APP, ["messages"])
    (account,) = ask(sandbox, f"{INSTAGRAM}/subscribed_apps").json()["data"]
    assert (account["id"], account["subscribed_fields"]) == ("777", ["feed"])


def test_an_app_without_fields_shows_none(sandbox: Sandbox) -> None:
    sandbox.state(subscriptions={PAGE: []})
    (page,) = ask(sandbox, f"{PAGE}/subscribed_apps").json()["data"]
    assert "subscribed_fields" not in page


def test_a_token_subscribes_its_app_and_takes_it_off(sandbox: Sandbox) -> None:
    sandbox.state(tokens={"t": {"app_id": "777"}}, subscriptions={WABA: None, PAGE: None})
    assert ask(sandbox, f"{WABA}/subscribed_apps", "t", "POST").json() == {"success": True}
    (app,) = ask(sandbox, f"{WABA}/subscribed_apps").json()["data"]
    assert app["whatsapp_business_api_data"]["id"] == "777"
    fields = "messages, messaging_referrals"
    ask(sandbox, f"{PAGE}/subscribed_apps", "t", "POST", subscribed_fields=fields).raise_for_status()
    (app,) = ask(sandbox, f"{PAGE}/subscribed_apps").json()["data"]
    assert app["subscribed_fields"] == ["messages", "messaging_referrals"]
    for asset in (WABA, PAGE):
        assert ask(sandbox, f"{asset}/subscribed_apps", "t", "DELETE").json() == {"success": True}
        assert ask(sandbox, f"{asset}/subscribed_apps").json() == {"data": []}


@pytest.mark.parametrize(
    "body", [{}, {"subscribed_fields": 7}, {"subscribed_fields": [1]}, {"subscribed_fields": " ,"}]
)
def test_a_page_cannot_be_subscribed_to_nothing(sandbox: Sandbox, body: Json) -> None:
    answer = sandbox.client.post(f"/v25.0/{PAGE}/subscribed_apps", json=body, headers=BEARER)
    assert refusal(answer) == (400, 100, None)


@pytest.mark.parametrize("asset", [WABA, PAGE, INSTAGRAM])
def test_subscriptions_ask_for_the_scope_that_manages_the_asset(sandbox: Sandbox, asset: str) -> None:
    only_events = ["whatsapp_business_manage_events", "page_events", "instagram_manage_events"]
    sandbox.state(tokens={"frozen": {"scopes": only_events}})
    assert refusal(ask(sandbox, f"{asset}/subscribed_apps", "frozen")) == (403, 200, None)


def test_a_page_may_ask_for_its_own_token(sandbox: Sandbox) -> None:
    sandbox.state(settings={"page_needs_own_token": True}, tokens={"page's own": {"kind": "PAGE"}})
    assert refusal(ask(sandbox, f"{PAGE}/subscribed_apps")) == (400, 210, None)
    assert ask(sandbox, f"{PAGE}/subscribed_apps", "page's own").status_code == 200
    assert ask(sandbox, f"{WABA}/subscribed_apps").status_code == 200


def test_reads_are_among_the_requests_but_are_no_events(sandbox: Sandbox) -> None:
    ask(sandbox, f"{WABA}/dataset")
    ask(sandbox, "999")
    assert [(request["method"], request["status"]) for request in sandbox.requests()] == [("GET", 200), ("GET", 400)]
    assert (sandbox.summary()["events"], sandbox.summary()["refused"]) == (0, 0)
    sandbox.graph(whatsapp())
    assert sandbox.summary()["events"] == 1
