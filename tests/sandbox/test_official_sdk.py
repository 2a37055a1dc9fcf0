"""Meta's own Python SDK talks to the sandbox: it reads the answers, and raises its own exceptions where Meta would make it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from facebook_business.adobjects.adspixel import AdsPixel
from facebook_business.adobjects.iguser import IGUser
from facebook_business.adobjects.page import Page
from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.event_request import EventRequest
from facebook_business.adobjects.serverside.event_request_async import EventRequestAsync
from facebook_business.adobjects.serverside.messaging_channel import MessagingChannel
from facebook_business.adobjects.serverside.user_data import UserData
from facebook_business.adobjects.whatsappbusinessaccount import WhatsAppBusinessAccount
from facebook_business.api import FacebookAdsApi
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

from tests.sandbox.conftest import Sandbox
from tests.sandbox.samples import (
    CLICK,
    INSTAGRAM,
    INSTAGRAM_DATASET,
    NOW,
    PAGE,
    PAGE_DATASET,
    WABA,
    WEB_DATASET,
    WHATSAPP_DATASET,
    Json,
    instagram,
    messenger,
    whatsapp,
)

PAGE_LINKED = "200000000000009"
"""A dataset of a Page: the only kind that the SDK's own classes can send a WhatsApp event to."""


@pytest.fixture(autouse=True)
def sdk(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The SDK, with the sandbox where Graph would be."""
    monkeypatch.setattr(FacebookSession, "GRAPH", sandbox.url.rstrip("/"))
    sandbox.state(datasets={PAGE_LINKED: {"page_id": PAGE}})
    before = FacebookAdsApi.get_default_api()
    yield from signed_in("sandbox-token")
    FacebookAdsApi.set_default_api(before)


def signed_in(token: str) -> Iterator[None]:
    """The SDK works for a token; with an app secret it adds a proof, as real apps do."""
    api = FacebookAdsApi.init("500000000000001", "app-secret-123", token, crash_log=False)
    api._session.requests.trust_env = False
    yield
    api._session.requests.close()


def website(**changes: Any) -> Event:
    """A purchase on a website."""
    values: Json = {
        "event_name": "Purchase",
        "event_time": NOW - 60,
        "event_id": "ORDER-1",
        "event_source_url": "https://shop.example/obrigado?nome=ação",
        "action_source": ActionSource.WEBSITE,
        "user_data": UserData(
            emails=["Ana@Shop.Example "], client_ip_address="8.8.8.8", client_user_agent="Mozilla/5.0"
        ),
        "custom_data": CustomData(
            currency="BRL", value=189.9, contents=[Content(product_id="sku-1", quantity=1, item_price=189.9)]
        ),
    }
    return Event(**(values | changes))


def chat(**changes: Any) -> Event:
    """A purchase in a WhatsApp chat, as far as the SDK knows these."""
    user = UserData(ctwa_clid=CLICK, page_id=PAGE)
    source, channel = ActionSource.BUSINESS_MESSAGING, MessagingChannel.WHATSAPP
    return website(**({"user_data": user, "action_source": source, "messaging_channel": channel} | changes))


def refused(*events: Event, dataset: str = WEB_DATASET) -> FacebookRequestError:
    """The SDK's own exception about these events."""
    with pytest.raises(FacebookRequestError) as raised:
        EventRequest(pixel_id=dataset, events=list(events)).execute()
    error: FacebookRequestError = raised.value
    return error


def verdict(error: FacebookRequestError) -> tuple[int, int, int | None]:
    return error.http_status(), error.api_error_code(), error.api_error_subcode()


def test_it_delivers_and_reads_the_answer(sandbox: Sandbox) -> None:
    answer = EventRequest(
        pixel_id=WEB_DATASET, events=[website(), website(event_id="ORDER-2")], test_event_code="TEST7"
    ).execute()
    assert (answer.events_received, answer.messages) == (2, [])
    assert answer.fbtrace_id
    first, _ = sandbox.events()
    assert (first["event"]["event_id"], first["test_event_code"]) == ("ORDER-1", "TEST7")
    assert first["event"]["event_source_url"] == "https://shop.example/obrigado?nome=ação"
    assert len(first["event"]["user_data"]["em"][0]) == 64
    (request,) = sandbox.requests()
    assert "access_token=sandbox-token&appsecret_proof=" in request["url"]
    assert request["headers"]["content-type"] == "application/x-www-form-urlencoded"


async def test_its_asynchronous_form_delivers_too(sandbox: Sandbox) -> None:
    answer = await EventRequestAsync(pixel_id=WEB_DATASET, events=[website()]).execute()
    assert answer.events_received == 1
    (request,) = sandbox.requests()
    assert "access_token" not in request["url"]
    assert sandbox.events()[0]["event"]["event_id"] == "ORDER-1"


async def test_its_asynchronous_form_does_not_understand_a_refusal(sandbox: Sandbox) -> None:
    """It looks for fields of a success without looking whether there is one: Meta's own gap, kept as it is."""
    with pytest.raises(KeyError, match="fbtrace_id"):
        await EventRequestAsync(pixel_id=WEB_DATASET, events=[website(event_time=NOW - 8 * 86_400)]).execute()
    assert sandbox.events() == []


def test_it_delivers_a_chat_event_to_a_page_linked_dataset(sandbox: Sandbox) -> None:
    assert EventRequest(pixel_id=PAGE_LINKED, events=[chat()]).execute().events_received == 1
    event = sandbox.events()[0]["event"]
    assert (event["messaging_channel"], event["user_data"]["ctwa_clid"]) == ("whatsapp", CLICK)


@pytest.mark.parametrize(
    ("event", "dataset"),
    [(whatsapp(), WHATSAPP_DATASET), (messenger(), PAGE_DATASET), (instagram(), INSTAGRAM_DATASET)],
)
def test_below_its_classes_it_delivers_for_every_channel(sandbox: Sandbox, event: Json, dataset: str) -> None:
    answer = AdsPixel(dataset).create_event(params={"data": [json.dumps(event)]})
    assert answer["events_received"] == 1
    assert sandbox.events()[0]["event"] == event


@pytest.mark.parametrize(
    ("event", "dataset", "subcode"),
    [
        (website(event_time=NOW - 8 * 86_400), WEB_DATASET, 2804003),
        (website(custom_data=CustomData(value=1.0)), WEB_DATASET, 2804010),
        (website(user_data=UserData(client_user_agent="Mozilla/5.0")), WEB_DATASET, 2804050),
        (website(), "999999999999999", 33),
        (chat(event_name="Lead"), PAGE_LINKED, 2804066),
        (chat(), WHATSAPP_DATASET, 2804131),
        (chat(user_data=UserData(ctwa_clid="forged", page_id=PAGE)), PAGE_LINKED, 2804087),
    ],
)
def test_a_refusal_is_its_own_exception_with_code_and_subcode(
    sandbox: Sandbox, event: Event, dataset: str, subcode: int
) -> None:
    assert verdict(refused(event, dataset=dataset)) == (400, 100, subcode)
    assert sandbox.events() == []


def test_one_bad_event_refuses_its_neighbours_and_blames_the_field(sandbox: Sandbox) -> None:
    bad = website(custom_data=CustomData(value=1.0))
    for shape in ("object", "text"):
        sandbox.state(settings={"error_data": shape})
        error = refused(website(), bad, website())
        assert error.api_blame_field_specs() == [["custom_data", "currency"]]
        assert (error.api_error_type(), error.api_transient_error()) == ("OAuthException", False)
    assert sandbox.events() == []


@pytest.mark.parametrize(("token", "subcode"), [("unknown", None), ("old", 463)])
def test_a_bad_token_is_its_own_exception(sandbox: Sandbox, token: str, subcode: int | None) -> None:
    sandbox.state(tokens={"old": {"expired": True}})
    for _ in signed_in(token):
        assert verdict(refused(website())) == (401, 190, subcode)


def test_a_throttle_is_its_own_exception_that_may_be_tried_again(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "throttle", "code": 80004, "regain_minutes": 2})
    error = refused(website())
    assert (verdict(error), error.api_transient_error()) == ((400, 80004, None), True)
    (use,) = json.loads(error.http_headers()["x-business-use-case-usage"]).values()
    assert use[0]["estimated_time_to_regain_access"] == 2


def test_an_error_with_status_200_is_an_exception_all_the_same(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "status", "status": 200, "code": 2})
    assert verdict(refused(website())) == (200, 2, None)


def test_a_page_of_html_breaks_it_as_at_meta(sandbox: Sandbox) -> None:
    """It takes any text for a success and then finds no fields in it."""
    sandbox.faults({"kind": "html500"})
    with pytest.raises(TypeError):
        EventRequest(pixel_id=WEB_DATASET, events=[website()]).execute()
    assert sandbox.requests()[-1]["status"] == 500


def test_nothing_received_is_no_exception_to_it(sandbox: Sandbox) -> None:
    sandbox.faults({"kind": "wrong_count", "events_received": 0})
    assert EventRequest(pixel_id=WEB_DATASET, events=[website()]).execute().events_received == 0
    assert sandbox.events() == []


@pytest.mark.parametrize(
    ("kind", "asset", "dataset"),
    [
        (WhatsAppBusinessAccount, WABA, WHATSAPP_DATASET),
        (Page, PAGE, PAGE_DATASET),
        (IGUser, INSTAGRAM, INSTAGRAM_DATASET),
    ],
)
def test_it_finds_the_dataset_and_the_subscriptions_of_every_asset(
    sandbox: Sandbox, kind: Any, asset: str, dataset: str
) -> None:
    sandbox.state(datasets={PAGE_LINKED: None})
    node = kind(asset)
    assert [found["id"] for found in node.get_dataset()] == [dataset]
    assert node.create_dataset(params={"dataset_name": "too late"})["id"] == dataset
    (subscription,) = node.get_subscribed_apps()
    app = subscription["whatsapp_business_api_data"] if asset == WABA else subscription
    assert app["id"] == "500000000000001"


def test_it_reads_a_dataset_and_a_token() -> None:
    assert AdsPixel(WEB_DATASET).api_get(fields=["id", "name"])["name"] == "Sandbox website"
    answer = FacebookAdsApi.get_default_api().call("GET", ("debug_token",), {"input_token": "sandbox-token"})
    assert answer.json()["data"]["is_valid"] is True
    with pytest.raises(FacebookRequestError) as raised:
        AdsPixel("999999999999999").api_get(fields=["id", "name"])
    assert verdict(raised.value) == (400, 100, 33)
