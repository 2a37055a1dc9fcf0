"""The webhook calls that the sandbox makes up have Meta's shapes, bytes and signature, and nothing that Meta never sends."""

import json
from typing import Any

import pytest

from collector.sandbox.webhook import Channel, Click, Placement, Webhook, encode, known, message_id, payload, signature
from tests.sandbox.samples import CLICK, INSTAGRAM, NOW, PAGE, WABA, Json

AD = "120226305854810726"
OWNERS = {"whatsapp": WABA, "messenger": PAGE, "instagram": INSTAGRAM}


def webhook(channel: Channel = "whatsapp", ids: tuple[str, ...] = ("ID-1",), **rest: Any) -> Webhook:
    return Webhook(
        channel=channel, asset_id=OWNERS[channel], sender="16505551234", message_ids=ids, at_ms=NOW * 1000 + 5, **rest
    )


def change(told: Webhook) -> Json:
    (entry,) = payload(told)["entry"]
    (only,) = entry["changes"]
    value: Json = only["value"]
    return value


def item(told: Webhook) -> Json:
    (entry,) = payload(told)["entry"]
    only: Json
    (only,) = entry["messaging"]
    return only


def test_a_whatsapp_click_stands_in_the_message_below_its_account() -> None:
    told = webhook(click=Click(ctwa_clid=CLICK, ad_id=AD))
    body = payload(told)
    assert (body["object"], body["entry"][0]["id"]) == ("whatsapp_business_account", WABA)
    assert body["entry"][0]["changes"][0]["field"] == "messages"
    value = change(told)
    assert set(value) == {"messaging_product", "metadata", "contacts", "messages"}
    assert set(value["metadata"]) == {"display_phone_number", "phone_number_id"}
    assert value["contacts"][0]["wa_id"] == "16505551234"
    (message,) = value["messages"]
    assert (message["from"], message["id"], message["timestamp"]) == ("16505551234", "ID-1", str(NOW))
    assert message["type"] in message
    referral = message["referral"]
    assert (referral["ctwa_clid"], referral["source_id"], referral["source_type"]) == (CLICK, AD, "ad")
    assert {"source_url", "headline", "body", "media_type", "image_url", "welcome_message"} < set(referral)


def test_an_ad_in_whatsapps_status_has_no_click_id() -> None:
    (message,) = change(webhook(click=Click(ad_id=AD)))["messages"]
    assert message["referral"]["source_id"] == AD
    assert "ctwa_clid" not in message["referral"]


@pytest.mark.parametrize("channel", OWNERS)
def test_without_a_click_there_is_no_referral(channel: Channel) -> None:
    assert "referral" not in encode(payload(webhook(channel))).decode()


@pytest.mark.parametrize(("channel", "name"), [("messenger", "page"), ("instagram", "instagram")])
@pytest.mark.parametrize("placement", ["message", "postback", "referral"])
def test_a_click_on_an_ad_stands_where_it_was_put(channel: Channel, name: str, placement: Placement) -> None:
    told = webhook(channel, click=Click(ad_id=AD, ref="spring-1"), placement=placement)
    body = payload(told)
    assert (body["object"], body["entry"][0]["id"]) == (name, OWNERS[channel])
    assert body["entry"][0]["time"] == NOW * 1000 + 5
    only = item(told)
    assert (only["sender"], only["recipient"]) == ({"id": "16505551234"}, {"id": OWNERS[channel]})
    assert only["timestamp"] == NOW * 1000 + 5
    assert set(only) == {"sender", "recipient", "timestamp", placement}
    referral = only["referral"] if placement == "referral" else only[placement]["referral"]
    assert set(referral["ads_context_data"]) == {"ad_title", "photo_url", "post_id"}
    del referral["ads_context_data"]
    assert referral == {"ref": "spring-1", "ad_id": AD, "source": "ADS", "type": "OPEN_THREAD"}
    if placement != "referral":
        assert only[placement]["mid"] == "ID-1"


@pytest.mark.parametrize(("channel", "source"), [("messenger", "SHORTLINK"), ("instagram", "IGME-SOURCE-LINK")])
def test_a_link_with_a_ref_is_no_ad(channel: Channel, source: str) -> None:
    only = item(webhook(channel, click=Click(ref="bio"), placement="referral"))
    assert only["referral"] == {"ref": "bio", "source": source, "type": "OPEN_THREAD"}


def test_a_status_tells_of_messages_but_holds_none() -> None:
    value = change(webhook(status_only=True))
    assert "messages" not in value
    assert (value["statuses"][0]["id"], value["statuses"][0]["recipient_id"]) == ("ID-1", "16505551234")
    assert item(webhook("messenger", status_only=True))["delivery"]["mids"] == ["ID-1"]
    assert item(webhook("instagram", status_only=True))["read"] == {"mid": "ID-1"}
    assert "message" not in item(webhook("messenger", status_only=True))


@pytest.mark.parametrize("channel", OWNERS)
def test_a_batch_is_one_call_with_every_update(channel: Channel) -> None:
    ids = tuple(f"ID-{number}" for number in range(1000))
    (entry,) = payload(webhook(channel, ids))["entry"]
    if channel == "whatsapp":
        found = [message["id"] for each in entry["changes"] for message in each["value"]["messages"]]
    else:
        found = [each["message"]["mid"] for each in entry["messaging"]]
    assert tuple(found) == ids


def test_the_bytes_are_ascii_with_lowercase_escapes() -> None:
    body = encode(payload(webhook(click=Click(ctwa_clid=CLICK))))
    assert body.isascii()
    assert b"Ara\\u00fajo" in body
    assert b": " not in body
    assert json.loads(body) == payload(webhook(click=Click(ctwa_clid=CLICK)))


def test_the_signature_is_the_one_of_metas_scheme() -> None:
    body = b'{"object":"whatsapp_business_account","entry":[]}'
    digest = "20e391a99a86fc5adf7e3a453236d20c906360291977896cf2f671e03bb95703"
    assert signature(body, "app-secret-123") == f"sha256={digest}"
    assert signature(body + b" ", "app-secret-123") != f"sha256={digest}"


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"click": Click(ref="x")}, "whatsapp knows no ref"),
        ({"placement": "postback", "click": Click(ctwa_clid="x")}, "stands in the message"),
        ({"channel": "messenger", "click": Click(ctwa_clid="x")}, "messenger knows no ctwa_clid"),
        ({"channel": "instagram", "placement": "referral"}, "needs an ad_id or a ref"),
        ({"channel": "messenger", "click": Click(ref="a b")}, "letters, digits"),
        ({"status_only": True, "click": Click(ctwa_clid="x")}, "a status carries no click"),
        ({"ids": ()}, "1 to 1000 updates"),
        ({"ids": ("x",) * 1001}, "1 to 1000 updates"),
    ],
)
def test_what_meta_never_sends_is_refused(what: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        webhook(**what)


def test_a_sandbox_has_to_know_the_click_or_the_person() -> None:
    assert known(webhook(click=Click(ctwa_clid="C", ad_id=AD))) == {"clicks": {"C": {"waba_id": WABA, "ad_id": AD}}}
    assert known(webhook(click=Click(ad_id=AD))) == {}
    assert known(webhook("messenger")) == {"psids": {"16505551234": PAGE}}
    assert known(webhook("instagram")) == {"igsids": {"16505551234": INSTAGRAM}}


@pytest.mark.parametrize(("channel", "start"), [("whatsapp", "wamid."), ("messenger", "m_"), ("instagram", "aWdf")])
def test_message_ids_look_like_the_channels_and_differ(channel: Channel, start: str) -> None:
    assert message_id(channel, b"\xff" * 24).startswith(start)
    assert message_id(channel, b"\xff" * 24) != message_id(channel, b"\xfe" * 24)
