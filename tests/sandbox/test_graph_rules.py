"""Graph's validation of events, rule by rule: what is refused, with which code, and that nothing of a refused request counts."""

from typing import Any

import pytest

from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import (
    BEARER,
    CLICK,
    DIGEST,
    INSTAGRAM_DATASET,
    NOW,
    PAGE,
    PAGE_DATASET,
    WABA,
    WEB_DATASET,
    WHATSAPP_DATASET,
    instagram,
    messenger,
    website,
    whatsapp,
)

DAY = 86_400
OTHER = "100000000000099"
MONEY = {"currency": "BRL", "value": 189.9}
WRONG: dict[str, list[Any]] = {
    "event_name": ["", 7, ["Purchase"]],
    "event_time": [str(NOW), NOW + 0.5, True, {}],
    "action_source": ["web", ["website"], {}],
    "user_data": [[], "x", 0],
    "custom_data": [[], "x"],
    "event_id": [{"id": 1}],
}


def refusal(sandbox: Sandbox, event: Any, dataset: str = WHATSAPP_DATASET) -> tuple[int, int, int | None]:
    """Status, code and subcode; and nothing was counted."""
    before = sandbox.summary()["events"]
    answer = sandbox.graph(event, dataset=dataset)
    error = answer.json()["error"]
    assert error["fbtrace_id"]
    assert sandbox.summary()["events"] == before
    return answer.status_code, error["code"], error.get("error_subcode")


@pytest.fixture(scope="module", autouse=True)
def more_of_everything(strict_sandbox: Sandbox) -> None:
    """Assets and people beside the built-in ones, so that they can be mixed up."""
    answer = strict_sandbox.state(
        datasets={"200000000000009": {"page_id": PAGE}, "200000000000010": {"page_id": OTHER}},
        clicks={"CLICK-OF-ANOTHER": {"waba_id": OTHER, "page_id": OTHER}},
        psids={"PSID-OF-ANOTHER": OTHER},
        igsids={"IGSID-OF-ANOTHER": {"ig_account_id": OTHER}},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("event", "dataset"),
    [
        (whatsapp(), WHATSAPP_DATASET),
        (whatsapp(user_data={"ctwa_clid": CLICK, "page_id": int(PAGE)}), "200000000000009"),
        (whatsapp(event_name="ViewContent", custom_data=None), WHATSAPP_DATASET),
        (whatsapp(custom_data=MONEY | {"currency": "brl"}), WHATSAPP_DATASET),
        (messenger(), PAGE_DATASET),
        (messenger(user_data={"page_id": int(PAGE), "page_scoped_user_id": 300000000000002}), PAGE_DATASET),
        (instagram(), INSTAGRAM_DATASET),
        (website(), WEB_DATASET),
        (website(user_data={"fbc": f"fb.1.{NOW}000.AbC"}), WEB_DATASET),
        (website(event_name="MyOwnEvent", custom_data=None), WEB_DATASET),
        (website(user_data={"em": f"{DIGEST}.AQICAQEC", "made_up": 1}), WEB_DATASET),
        (website(action_source="physical_store", event_time=NOW - 61 * DAY), WEB_DATASET),
        (whatsapp(event_time=NOW - 7 * DAY), WHATSAPP_DATASET),
        (whatsapp(event_time=NOW + 600), WHATSAPP_DATASET),
        (website(action_source="system_generated", event_name="Lead", user_data={"ctwa_clid": CLICK}), WEB_DATASET),
    ],
)
def test_what_meta_takes_is_accepted(strict_sandbox: Sandbox, event: Any, dataset: str) -> None:
    answer = strict_sandbox.graph(event, dataset=dataset)
    assert (answer.status_code, answer.json()["events_received"], answer.json()["messages"]) == (200, 1, [])
    assert strict_sandbox.events()[-1]["event"] == event


@pytest.mark.parametrize("data", [None, {}, [], "no", 7, [whatsapp()] * 1001], ids=str)
def test_data_must_be_an_array_of_1_to_1000(strict_sandbox: Sandbox, data: Any) -> None:
    path, body = f"/v25.0/{WHATSAPP_DATASET}/events", {} if data is None else {"data": data}
    answer = strict_sandbox.client.post(path, json=body, headers=BEARER)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, 100)
    assert "error_subcode" not in answer.json()["error"]


def test_a_thousand_events_go_in_one_request(strict_sandbox: Sandbox) -> None:
    answer = strict_sandbox.graph(*[whatsapp(event_id=f"many-{number}") for number in range(1000)])
    assert answer.json()["events_received"] == 1000


@pytest.mark.parametrize(
    "event",
    [
        *(whatsapp(**{key: None}) for key in ("event_name", "event_time", "action_source", "user_data")),
        *(whatsapp(**{key: value}) for key, values in WRONG.items() for value in values),
        "text",
        None,
        [whatsapp()],
    ],
)
def test_a_malformed_event_is_refused_without_a_subcode(strict_sandbox: Sandbox, event: Any) -> None:
    assert refusal(strict_sandbox, event) == (400, 100, None)


@pytest.mark.parametrize(
    ("event", "subcode"),
    [
        (whatsapp(event_time=NOW - 7 * DAY - 1), 2804003),
        (website(action_source="physical_store", event_time=NOW - 62 * DAY - 1), 2804003),
        (whatsapp(event_time=NOW + 601), None),
    ],
)
def test_events_too_old_or_from_the_future_are_refused(
    strict_sandbox: Sandbox, event: Any, subcode: int | None
) -> None:
    assert refusal(strict_sandbox, event) == (400, 100, subcode)


@pytest.mark.parametrize(
    ("event", "dataset", "subcode"),
    [
        (whatsapp(messaging_channel=None), WHATSAPP_DATASET, 2804063),
        (whatsapp(messaging_channel="sms"), WHATSAPP_DATASET, 2804063),
        (whatsapp(messaging_channel=["whatsapp"]), WHATSAPP_DATASET, 2804063),
        (whatsapp(messaging_channel=None, user_data={"messaging_channel": "whatsapp"}), WHATSAPP_DATASET, 2804063),
        (whatsapp(event_name="Lead"), WHATSAPP_DATASET, 2804066),
        (whatsapp(event_name="Lead", user_data={"ctwa_clid": "forged"}), WHATSAPP_DATASET, 2804066),
        (whatsapp(user_data=whatsapp()["user_data"] | {"client_ip_address": "8.8.8.8"}), WHATSAPP_DATASET, 2804064),
        (messenger(user_data=messenger()["user_data"] | {"client_user_agent": "x"}), PAGE_DATASET, 2804064),
        (whatsapp(user_data={"ctwa_clid": CLICK}), WHATSAPP_DATASET, 2804116),
        (whatsapp(), WEB_DATASET, 2804132),
        (whatsapp(), PAGE_DATASET, 2804132),
        (whatsapp(user_data={"whatsapp_business_account_id": OTHER, "ctwa_clid": CLICK}), WHATSAPP_DATASET, 2804132),
        (whatsapp(user_data=whatsapp()["user_data"] | {"page_id": PAGE}), WHATSAPP_DATASET, 2804131),
        (whatsapp(user_data={"ctwa_clid": CLICK, "page_id": PAGE}), "200000000000010", 2804065),
        (whatsapp(user_data={"whatsapp_business_account_id": WABA}), WHATSAPP_DATASET, 2804087),
        (whatsapp(user_data=whatsapp()["user_data"] | {"ctwa_clid": CLICK[:-1]}), WHATSAPP_DATASET, 2804087),
        (whatsapp(user_data=whatsapp()["user_data"] | {"ctwa_clid": CLICK.lower()}), WHATSAPP_DATASET, 2804087),
        (whatsapp(user_data=whatsapp()["user_data"] | {"ctwa_clid": ["x"]}), WHATSAPP_DATASET, 2804087),
        (whatsapp(user_data=whatsapp()["user_data"] | {"ctwa_clid": "CLICK-OF-ANOTHER"}), WHATSAPP_DATASET, None),
        (whatsapp(user_data={"ctwa_clid": "CLICK-OF-ANOTHER", "page_id": PAGE}), "200000000000009", 2804072),
        (messenger(user_data={"page_scoped_user_id": "300000000000002"}), PAGE_DATASET, 2804116),
        (messenger(), WHATSAPP_DATASET, 2804131),
        (messenger(), "200000000000010", 2804065),
        (messenger(user_data={"page_id": PAGE}), PAGE_DATASET, 2804073),
        (messenger(user_data={"page_id": PAGE, "page_scoped_user_id": "PSID-OF-ANOTHER"}), PAGE_DATASET, 2804073),
        (instagram(user_data={"ig_sid": "300000000000003"}), INSTAGRAM_DATASET, 2804079),
        (
            instagram(user_data={"instagram_business_account_id": "1", "ig_sid": "300000000000003"}),
            INSTAGRAM_DATASET,
            2804079,
        ),
        (instagram(), PAGE_DATASET, 2804133),
        (
            instagram(user_data=instagram()["user_data"] | {"ig_sid": "IGSID-OF-ANOTHER"}),
            INSTAGRAM_DATASET,
            None,
        ),
    ],
)
def test_messaging_events_must_fit_their_assets(
    strict_sandbox: Sandbox, event: Any, dataset: str, subcode: int | None
) -> None:
    assert refusal(strict_sandbox, event, dataset) == (400, 100, subcode)


def test_a_click_of_another_whatsapp_account_is_named_in_words(strict_sandbox: Sandbox) -> None:
    user = {"whatsapp_business_account_id": WABA, "ctwa_clid": "CLICK-OF-ANOTHER"}
    error = strict_sandbox.graph(whatsapp(user_data=user)).json()["error"]
    assert error["error_user_title"] == "Mismatching WhatsApp Business Account ID"


@pytest.mark.parametrize(
    "user",
    [
        {},
        {"em": "", "ph": [], "fbc": None},
        {"client_user_agent": "Mozilla/5.0"},
        {"made_up": "x"},
        dict.fromkeys(("ct", "country", "st", "zp", "ge"), DIGEST) | {"client_user_agent": "Mozilla/5.0"},
        {"db": DIGEST, "client_user_agent": "Mozilla/5.0"},
        {"fn": DIGEST, "ge": DIGEST},
        {"ln": DIGEST, "ge": DIGEST},
    ],
)
def test_website_events_need_enough_identity(strict_sandbox: Sandbox, user: Any) -> None:
    assert refusal(strict_sandbox, website(user_data=user), WEB_DATASET) == (400, 100, 2804050)


@pytest.mark.parametrize("value", ["someone@shop.example", ["16505551212"], [DIGEST, "x"], DIGEST[:-1], 16505551212])
def test_contact_data_that_is_not_hashed_is_refused(strict_sandbox: Sandbox, value: Any) -> None:
    assert refusal(strict_sandbox, website(user_data={"fbp": "fb.1.2.3", "em": value}), WEB_DATASET)[2] == 2804016
    user = whatsapp()["user_data"] | {"ph": value}
    assert refusal(strict_sandbox, whatsapp(user_data=user)) == (400, 100, 2804016)


@pytest.mark.parametrize(
    ("name", "custom", "subcode"),
    [
        ("Purchase", None, 2804010),
        ("Purchase", {"value": 5}, 2804010),
        ("Purchase", {"value": 5, "currency": ""}, 2804010),
        ("Purchase", {"value": 5, "currency": "XYZ"}, 2804011),
        ("Purchase", {"value": 5, "currency": "MRU"}, 2804011),  # in ISO 4217, but Meta was seen to refuse it
        ("Purchase", {"value": 5, "currency": 986}, 2804011),
        ("Purchase", {"currency": "BRL"}, None),
        ("Purchase", MONEY | {"value": "189.90"}, None),
        ("Purchase", MONEY | {"value": -1}, None),
        ("Purchase", MONEY | {"value": True}, None),
        ("ViewContent", {"value": 5}, 2804023),
        ("ViewContent", {"value": 5, "currency": "XYZ"}, None),
        ("ViewContent", {"contents": [{"quantity": 1}]}, 2804008),
        ("Purchase", MONEY | {"contents": [{"id": "a"}, {"id": ""}]}, 2804008),
        ("Purchase", MONEY | {"contents": {"id": "a"}}, None),
        ("Purchase", MONEY | {"contents": ["a"]}, None),
        ("Purchase", MONEY | {"contents": 5}, None),
    ],
)
def test_money_and_contents_are_checked(strict_sandbox: Sandbox, name: str, custom: Any, subcode: int | None) -> None:
    assert refusal(strict_sandbox, whatsapp(event_name=name, custom_data=custom)) == (400, 100, subcode)
    assert refusal(strict_sandbox, website(event_name=name, custom_data=custom), WEB_DATASET) == (400, 100, subcode)


def test_a_time_too_large_for_a_float_is_a_refusal(strict_sandbox: Sandbox) -> None:
    assert refusal(strict_sandbox, website(event_time=10**400), WEB_DATASET)[:2] == (400, 100)


def test_one_bad_event_refuses_the_whole_request(strict_sandbox: Sandbox) -> None:
    before = strict_sandbox.summary()["events"]
    good = [whatsapp(event_id=f"neighbour-{number}") for number in range(3)]
    answer = strict_sandbox.graph(*good, whatsapp(custom_data={"value": 1}), *good)
    assert answer.json()["error"]["error_subcode"] == 2804010
    assert strict_sandbox.summary()["events"] == before


def test_a_refusal_blames_the_field_but_not_the_event(strict_sandbox: Sandbox) -> None:
    error = strict_sandbox.graph(whatsapp(), whatsapp(custom_data={"value": 1})).json()["error"]
    assert error["error_data"] == {"blame_field_specs": [["custom_data", "currency"]]}
    assert (error["message"], error["is_transient"]) == ("Invalid parameter", False)
    assert error["error_user_title"] == "Missing Currency for Purchase Event"
