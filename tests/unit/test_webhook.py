"""Which messages came from an ad, read from Meta's webhooks as they come."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.attribution import Click
from collector.identity import mobile_key
from collector.sources.webhook import Touch, read

CLICK = {"source_type": "ad", "source_id": "120210000000000001", "ctwa_clid": "AfClick", "headline": "Chat with us"}
WABA, PAGE = "102290129340398", "12345654332"


def whatsapp(*messages: dict[str, Any], contacts: list[dict[str, Any]] | None = None, **more: Any) -> dict[str, Any]:
    value = {"messaging_product": "whatsapp", "contacts": contacts or [], "messages": list(messages), **more}
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": WABA, "changes": [{"field": "messages", "value": value}]}],
    }


def message(**more: Any) -> dict[str, Any]:
    return {"from": "16505551234", "id": "wamid.1", "timestamp": "1750275992", "type": "text", "referral": CLICK} | more


def messenger(item: dict[str, Any], object_: str = "page") -> dict[str, Any]:
    given = {"sender": {"id": "PSID-1"}, "recipient": {"id": PAGE}, "timestamp": 1458692752478} | item
    return {"object": object_, "entry": [{"id": int(PAGE), "time": 1458692752478, "messaging": [given]}]}


def touches(body: Any) -> list[Touch]:
    found = read(json.dumps(body).encode())
    assert found is not None
    return found


def test_a_message_of_whatsapp_tells_account_sender_time_and_click() -> None:
    assert touches(whatsapp(message())) == [
        Touch(
            "whatsapp",
            WABA,
            "mobile_number",
            mobile_key("16505551234"),
            "wamid.1",
            1750275992000,
            Click(ctwa_clid="AfClick", ad_id="120210000000000001"),
        )
    ]


@pytest.mark.parametrize("kind", ["text", "contacts", "sticker", "audio", "button", "something new"])
def test_the_referral_counts_on_a_message_of_any_type(kind: str) -> None:
    assert len(touches(whatsapp(message(type=kind)))) == 1


def test_every_message_of_every_change_of_every_entry_is_read() -> None:
    body = whatsapp(message(id="a"), message(id="b"), {"from": "1", "id": "c", "type": "text"})
    body["entry"] += whatsapp(message(id="d"))["entry"]
    assert [touch.message_id for touch in touches(body)] == ["a", "b", "d"]


def test_a_referral_without_a_click_id_keeps_its_ad_and_one_of_a_post_nothing() -> None:
    status = message(referral={"source_type": "ad", "source_id": "9"})
    assert [touch.click for touch in touches(whatsapp(status))] == [Click(ad_id="9")]
    assert touches(whatsapp(message(referral={"source_type": "post", "source_id": "456"}))) == []


@pytest.mark.parametrize(
    ("sender", "contacts", "kind", "value"),
    [
        ({"from": 16505551234}, [], "mobile_number", mobile_key("16505551234")),
        ({"from": None}, [{"wa_id": "16505551234"}], "mobile_number", mobile_key("16505551234")),
        ({"from": None, "from_user_id": "US.13491208655302741918"}, [], "whatsapp_user_id", "US.13491208655302741918"),
    ],
)
def test_a_sender_is_known_by_number_or_where_it_is_hidden_by_the_id_he_has(
    sender: dict[str, Any], contacts: list[dict[str, Any]], kind: str, value: str
) -> None:
    (touch,) = touches(whatsapp(message(**sender), contacts=contacts))
    assert (touch.kind, touch.id) == (kind, value)


def test_a_number_and_its_other_spelling_are_one_sender() -> None:
    one, other = (touches(whatsapp(message(**{"from": number})))[0].id for number in ("5215512345678", "525512345678"))
    assert one == other


def test_nothing_plain_of_the_sender_is_in_a_touch() -> None:
    assert "16505551234" not in repr(
        touches(whatsapp(message(), contacts=[{"profile": {"name": "Sheena"}, "wa_id": "16505551234"}]))
    )


REFERRAL = {"ref": "summer", "ad_id": "6045246247433", "source": "ADS", "type": "OPEN_THREAD"}


@pytest.mark.parametrize(
    ("item", "message_id"),
    [
        ({"referral": REFERRAL}, "messenger-1458692752478-6045246247433"),
        ({"message": {"mid": "m_1", "text": "hi", "referral": REFERRAL}}, "m_1"),
        ({"postback": {"mid": "m_2", "payload": "start", "referral": REFERRAL}}, "m_2"),
    ],
)
def test_in_messenger_the_referral_counts_wherever_it_stands(item: dict[str, Any], message_id: str) -> None:
    assert touches(messenger(item)) == [
        Touch(
            "messenger", PAGE, "page_scoped_user_id", "PSID-1", message_id, 1458692752478, Click(ad_id="6045246247433")
        )
    ]


def test_instagram_names_its_senders_in_its_own_way() -> None:
    (touch,) = touches(messenger({"message": {"mid": "m", "referral": REFERRAL}}, "instagram"))
    assert (touch.channel, touch.kind, touch.id) == ("instagram", "ig_sid", "PSID-1")


@pytest.mark.parametrize(
    "body",
    [
        messenger({"message": {"mid": "m", "is_echo": True, "referral": REFERRAL}}),
        messenger({"sender": {"user_ref": "9"}, "postback": {"referral": REFERRAL}}),
        messenger({"referral": {"ref": "x", "source": "SHORTLINK"}}),
        whatsapp(message(id="\n")),
        whatsapp(message(**{"from": "x"})),
        {"object": "page", "entry": [{"referral": 1, "messaging": [1, {"message": "referral"}]}]},
        {"object": "permissions", "entry": [{"referral": 1}]},
    ],
)
def test_what_credits_nobody_is_passed_over(body: Any) -> None:
    assert touches(body) == []


@pytest.mark.parametrize("body", [b'{"referral"', b'["referral"]', b'"referral"', b'{"referral":' + b"[" * 100_000])
def test_what_is_no_json_object_is_told_apart(body: bytes) -> None:
    assert read(body) is None


def test_a_body_without_any_referral_is_not_even_parsed() -> None:
    assert read(b"not json at all") == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["referral", "entry", "changes", "value", "messages", "messaging", "id", "sender"]), inner
        )
    ),
    max_leaves=30,
)


@given(JSON, st.sampled_from(["page", "instagram", "whatsapp_business_account"]))
def test_no_shape_makes_the_reader_raise(inner: Any, object_: str) -> None:
    read(json.dumps({"object": object_, "entry": [inner], "referral": 1}).encode("utf-8", "replace"))


@given(st.binary())
def test_no_bytes_make_the_reader_raise(body: bytes) -> None:
    read(body + b'"referral"')
