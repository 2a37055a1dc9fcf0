"""The state: built-in entries that let everything run, patches that merge, mistakes that change nothing."""

from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import (
    CLICK,
    INSTAGRAM_DATASET,
    NOW,
    PAGE_DATASET,
    WABA,
    WEB_DATASET,
    WHATSAPP_DATASET,
    instagram,
    messenger,
    website,
    whatsapp,
)


def with_click(click: str, waba: str = WABA) -> dict[str, Any]:
    return whatsapp(user_data={"whatsapp_business_account_id": waba, "ctwa_clid": click})


def test_every_channel_works_with_nothing_configured(sandbox: Sandbox) -> None:
    assert sandbox.graph(whatsapp()).status_code == 200
    assert sandbox.graph(messenger(), dataset=PAGE_DATASET).status_code == 200
    assert sandbox.graph(instagram(), dataset=INSTAGRAM_DATASET).status_code == 200
    assert sandbox.graph(website(), dataset=WEB_DATASET).status_code == 200


def test_a_patch_adds_and_keeps_what_was_there(sandbox: Sandbox) -> None:
    other = "100000000000055"
    sandbox.state(
        datasets={"200000000000055": {"waba_id": other}},
        clicks={"NEW-CLICK": {"waba_id": other, "ad_id": "7"}},
    )
    assert sandbox.graph(with_click("NEW-CLICK", other), dataset="200000000000055").status_code == 200
    assert sandbox.graph(with_click("NEW-CLICK")).status_code == 400
    assert sandbox.graph(whatsapp()).status_code == 200


@pytest.mark.parametrize("clicks", [["A", "B"], {"A": {}, "B": {"ad_id": "1"}}, {"A": WABA, "B": WABA}])
def test_clicks_may_be_given_in_short(sandbox: Sandbox, clicks: Any) -> None:
    assert sandbox.state(clicks=clicks).status_code == 200
    assert [sandbox.graph(with_click(click)).status_code for click in ("A", "B", "C", CLICK)] == [200, 200, 400, 200]


def test_people_may_be_given_in_short(sandbox: Sandbox) -> None:
    sandbox.state(psids=["P"], igsids=["I"])
    user = messenger()["user_data"] | {"page_scoped_user_id": "P"}
    assert sandbox.graph(messenger(user_data=user), dataset=PAGE_DATASET).status_code == 200
    user = instagram()["user_data"] | {"ig_sid": "I"}
    assert sandbox.graph(instagram(user_data=user), dataset=INSTAGRAM_DATASET).status_code == 200


@pytest.mark.parametrize(
    ("kind", "event"),
    [
        ("waba", whatsapp()),
        ("whatsapp", whatsapp()),
        ("page", messenger()),
        ("ig", instagram()),
        ("web", website()),
    ],
)
def test_a_dataset_may_be_given_by_kind_and_asset(sandbox: Sandbox, kind: str, event: Any) -> None:
    asset = {"page": "100000000000002", "ig": "100000000000003"}.get(kind, WABA)
    sandbox.state(datasets={"200000000000066": {"kind": kind, "asset_id": asset}})
    assert sandbox.graph(event, dataset="200000000000066").status_code == 200


def test_a_token_expires_and_recovers_without_losing_its_scopes(sandbox: Sandbox) -> None:
    sandbox.state(tokens={"sandbox-token": {"expired": True}})
    error = sandbox.graph(whatsapp()).json()["error"]
    assert (error["code"], error["error_subcode"]) == (190, 463)
    assert "Session has expired" in error["message"]
    sandbox.state(tokens={"sandbox-token": {"expired": False}})
    assert sandbox.graph(whatsapp()).status_code == 200


def test_a_token_expires_at_its_time(sandbox: Sandbox) -> None:
    sandbox.state(tokens={"sandbox-token": {"expires_at": NOW + 1}})
    assert sandbox.graph(whatsapp()).status_code == 200
    sandbox.state(tokens={"sandbox-token": {"expires_at": NOW}})
    answer = sandbox.graph(whatsapp())
    assert (answer.status_code, answer.json()["error"]["error_subcode"]) == (401, 463)


def test_null_removes(sandbox: Sandbox) -> None:
    sandbox.state(tokens={"sandbox-token": None})
    assert sandbox.graph(whatsapp()).status_code == 401
    sandbox.state(tokens=None)  # the part as it was built in
    assert sandbox.graph(whatsapp()).status_code == 200


def test_unknown_clicks_pass_only_where_that_is_wanted(sandbox: Sandbox) -> None:
    assert sandbox.graph(with_click("INVENTED")).status_code == 400
    sandbox.state(settings={"any_click": True})
    assert sandbox.graph(with_click("INVENTED")).status_code == 200
    assert sandbox.graph(with_click("")).json()["error"]["error_subcode"] == 2804087


@pytest.mark.parametrize(
    ("names", "accepted"),
    [
        ("two", ["Purchase", "LeadSubmitted"]),
        ("five", ["Purchase", "LeadSubmitted", "ViewContent"]),
        ("fourteen", ["Purchase", "LeadSubmitted", "ViewContent", "QualifiedLead"]),
    ],
)
def test_the_list_of_event_names_can_be_narrowed(sandbox: Sandbox, names: str, accepted: list[str]) -> None:
    sandbox.state(settings={"event_names": names})
    tried = ["Purchase", "LeadSubmitted", "ViewContent", "QualifiedLead", "Lead"]
    assert [name for name in tried if sandbox.graph(whatsapp(event_name=name)).status_code == 200] == accepted


def test_instagrams_account_key_can_be_switched(sandbox: Sandbox) -> None:
    old = instagram(user_data={"instagram_business_account_id": "100000000000003", "ig_sid": "300000000000003"})
    for key, statuses in (("instagram_business_account_id", [400, 200]), ("either", [200, 200])):
        sandbox.state(settings={"instagram_key": key})
        answers = [sandbox.graph(event, dataset=INSTAGRAM_DATASET) for event in (instagram(), old)]
        assert [answer.status_code for answer in answers] == statuses


def test_titles_come_in_another_language_with_the_same_code(sandbox: Sandbox) -> None:
    english = sandbox.graph(with_click("X")).json()["error"]
    sandbox.state(settings={"language": "fr", "error_data": "text"})
    french = sandbox.graph(with_click("X")).json()["error"]
    assert french["error_user_title"] != english["error_user_title"]
    assert french["error_subcode"] == english["error_subcode"] == 2804087
    assert french["error_data"] == '{"blame_field_specs":[["user_data","ctwa_clid"]]}'


COMMON = {
    2804003: website(event_time=NOW - 8 * 86_400),
    2804010: website(custom_data={"value": 1}),
    2804011: website(custom_data={"value": 1, "currency": "MRU"}),
    2804050: website(user_data={}),
    2804066: whatsapp(event_name="Lead"),
    2804087: with_click("X"),
    2804132: whatsapp(),
}


@pytest.mark.parametrize("language", ["fr", "da", "pt", "it"])
def test_the_common_refusals_are_worded_in_the_language_of_the_tokens_owner(sandbox: Sandbox, language: str) -> None:
    sandbox.state(tokens={"local": {"language": language}})
    for subcode, event in COMMON.items():
        dataset = WHATSAPP_DATASET if subcode in (2804066, 2804087) else WEB_DATASET
        errors = [
            sandbox.client.post(
                f"/v25.0/{dataset}/events", json={"data": [event]}, headers={"Authorization": f"Bearer {token}"}
            ).json()["error"]
            for token in ("sandbox-token", "local")
        ]
        assert [error["error_subcode"] for error in errors] == [subcode, subcode]
        assert errors[0]["error_user_title"] != errors[1]["error_user_title"], subcode


def test_a_title_without_a_translation_stays_english(sandbox: Sandbox) -> None:
    sandbox.state(settings={"language": "it"})
    error = sandbox.graph(whatsapp(messaging_channel=None)).json()["error"]
    assert (error["error_subcode"], error["error_user_title"]) == (
        2804063,
        "Messaging Event Missing Messaging Channel",
    )


def test_the_tolerance_for_the_future_can_be_changed(sandbox: Sandbox) -> None:
    sandbox.state(settings={"future_seconds": 0})
    future = whatsapp(event_time=whatsapp()["event_time"] + 61)
    assert sandbox.graph(future).status_code == 400


@pytest.mark.parametrize(
    "patch",
    [
        [],
        "x",
        {"clikcs": {}},
        {"clicks": {"A": {"wabaid": "1"}}},
        {"clicks": {"A": 1}},
        {"clicks": [1]},
        {"tokens": {"t": {"scopes": "page_events"}}},
        {"tokens": {"t": {"expired": "yes"}}},
        {"datasets": {"1": {"kind": "offline"}}},
        {"datasets": {"1": {"kind": ["waba"]}}},
        {"settings": {"language": "xx"}},
        {"settings": {"future_seconds": -1}},
        {"tokens": {"t": {"language": "xx"}}},
        {"tokens": {"t": {"expires_at": -1}}},
        {"tokens": {"t": {"expires_at": 10**15}}},
        {"subscriptions": {"1": "messages"}},
        {"subscriptions": {"1": {"app": "messages"}}},
        {"tokens": {"added": {}}, "psids": 5},
    ],
)
def test_a_patch_with_a_mistake_is_refused_whole(strict_sandbox: Sandbox, patch: Any) -> None:
    before = strict_sandbox.client.get("/sandbox/state").json()
    answer = strict_sandbox.client.put("/sandbox/state", json=patch)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert strict_sandbox.client.get("/sandbox/state").json() == before


def test_a_patch_that_is_no_json_is_refused(strict_sandbox: Sandbox) -> None:
    assert strict_sandbox.client.put("/sandbox/state", content=b"{").status_code == 400


def test_the_state_reads_back_as_it_was_given(sandbox: Sandbox) -> None:
    sandbox.state(tokens={"t": {"scopes": ["page_events"], "datasets": [WHATSAPP_DATASET]}})
    token = sandbox.client.get("/sandbox/state").json()["tokens"]["t"]
    assert (token["scopes"], token["datasets"], token["expired"]) == (["page_events"], [WHATSAPP_DATASET], False)
