"""Which messages came from an ad, read from Meta's webhooks as they come."""

import base64
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, strategies as st

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
    return list(found)


def hashed(message_id: str) -> str:
    return hashlib.sha256(message_id.encode()).hexdigest()[:32]


def test_a_message_of_whatsapp_tells_account_sender_time_and_click() -> None:
    assert touches(whatsapp(message())) == [
        Touch(
            "whatsapp",
            WABA,
            "mobile_number",
            mobile_key("16505551234"),
            hashed("wamid.1"),
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
    assert [touch.message_id for touch in touches(body)] == [hashed(each) for each in "abd"]


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


CONTACTS = [{"wa_id": "16505551234", "user_id": "US.1"}, {"wa_id": "5215512345678", "user_id": "MX.2"}]


@pytest.mark.parametrize(
    ("user_id", "contacts", "id"),
    [
        ("MX.2", CONTACTS, mobile_key("525512345678")),
        ("US.1", CONTACTS[:1], mobile_key("16505551234")),
        ("US.1", [{"wa_id": "16505551234"}], mobile_key("16505551234")),
        ("US.1", CONTACTS[1:], "US.1"),
        ("US.1", [], "US.1"),
        (None, [{"user_id": "US.1"}], "US.1"),
        (None, CONTACTS[:1], mobile_key("16505551234")),
        (None, CONTACTS, None),
    ],
)
def test_a_contact_tells_the_sender_only_where_it_is_sure_to_be_his(
    user_id: str | None, contacts: list[dict[str, Any]], id: str | None
) -> None:
    hidden = message(**{"from": None, "from_user_id": user_id})
    assert [touch.id for touch in touches(whatsapp(hidden, contacts=contacts))] == ([id] if id else [])


def test_nothing_plain_of_the_sender_is_in_a_touch() -> None:
    """WhatsApp's own id of a message holds the number, too."""
    message_id = "wamid.HBgL" + base64.b64encode(b"16505551234\x15\x02\x00\x12\x18\x143AD47EE0").decode()
    told = repr(
        touches(whatsapp(message(id=message_id), contacts=[{"profile": {"name": "Sheena"}, "wa_id": "16505551234"}]))
    )
    assert "16505551234" not in told
    assert message_id[10:25] not in told


@pytest.mark.parametrize("text", ["\\ud83d", "\\ude00", "a\\ud83d b", "\\\\ud83d"])
def test_an_emoji_that_was_cut_in_two_costs_no_click(text: str) -> None:
    """Headlines are cut by UTF-16 units; half a pair is no JSON for a strict parser."""
    body = json.dumps(whatsapp(message(referral=CLICK | {"headline": "HERE"}))).replace("HERE", text)
    assert [touch.click.ctwa_clid for touch in read(body.encode()) or ()] == ["AfClick"]


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
            "messenger",
            PAGE,
            "page_scoped_user_id",
            "PSID-1",
            hashed(message_id),
            1458692752478,
            Click(ad_id="6045246247433"),
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
        whatsapp() | {"entry": [{"changes": [{"value": {"messages": [message()]}}]}]},
    ],
)
def test_what_credits_nobody_is_passed_over(body: Any) -> None:
    assert touches(body) == []


@pytest.mark.parametrize("body", [b'{"referral"', b'["referral"]', b'"referral"', b'{"referral":' + b"[" * 100_000])
def test_what_is_no_json_object_is_told_apart(body: bytes) -> None:
    assert read(body) is None


def test_a_body_without_any_referral_is_not_even_parsed() -> None:
    assert list(read(b"not json at all") or "x") == []


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
    body = json.dumps({"object": object_, "entry": [inner], "referral": 1}).encode("utf-8", "replace")
    for touch in read(body) or ():
        assert touch.click.ctwa_clid or touch.click.ad_id


@given(st.binary())
def test_no_bytes_make_the_reader_raise(body: bytes) -> None:
    """Nor where they break into a good body."""
    whole = json.dumps(whatsapp(message())).encode()
    middle = len(body) % len(whole)
    for broken in (body, body + b'"referral"', whole[:middle] + body + whole[middle:], whole[:middle] + body):
        list(read(broken) or ())
