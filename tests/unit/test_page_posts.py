"""What a page may post: events, landings, links; anyone can post here."""

import json
from typing import Any

import pytest
from msgspec import UNSET

from collector.errors import Forbidden, InvalidField
from collector.sources.browser import read_event, read_landing_post, read_link, read_view
from tests.unit.samples import NOW, Json, with_raw, without

EVENT: Json = {
    "event_name": "ViewContent",
    "event_id": "0f9e8d7c-6b5a",
    "event_time": NOW,
    "page_url": "https://shop.example/p/7",
    "custom_data": {"currency": "BRL", "value": 10, "content_ids": ["sku"]},
    "consent": "granted",
    "token": "t.k.n",
}
LANDING: Json = {
    "query": "ctwa_clid=x",
    "hash": "top",
    "page_url": "https://shop.example/",
    "referrer": "https://l.wl.co/",
    "at_ms": NOW * 1000,
    "consent": "pending",
    "view": {"event_name": "ViewContent", "event_id": "e"},
    "token": "t.k.n",
}
LINK: Json = {"kind": "checkout_id", "id": "chk-1", "token": "t.k.n"}
READERS = {"event": (read_event, EVENT), "landing": (read_landing_post, LANDING), "link": (read_link, LINK)}

NO_STRING = ["1", "true", "null", "[]", "{}", "NaN", "1e999", '"\\ud800"']
NO_INTEGER = ['"1"', "1.5", "true", "null", "[]", "{}", "NaN", "Infinity", "1e999", "9" * 5000]
NO_ID = [*NO_STRING, '""', '"é"', '"a\\u0000b"', f'"{"a" * 513}"', f'"{"a" * 60_000}"']
NO_CONSENT = [*NO_STRING, '""', '"yes"', '"Granted"']
NO_TOKEN = [*NO_STRING, f'"{"a" * 4097}"']
FAULTS = [
    ("event", "event_name", [*NO_STRING, '""', '"purchase"', '"Lead"', '"view_content"']),
    ("event", "event_id", NO_ID),
    ("event", "event_time", NO_INTEGER),
    ("event", "page_url", NO_STRING),
    ("event", "custom_data", ["1", "null", "[]", '"x"', "NaN"]),
    ("event", "custom_data.currency", [*NO_STRING, '"XXY"']),
    ("event", "custom_data.value", ['"1"', "-1", "NaN", "1e13"]),
    ("event", "custom_data.content_ids[0]", [*NO_STRING, '""', '"\\u0007"']),
    ("event", "consent", NO_CONSENT),
    ("event", "token", NO_TOKEN),
    ("landing", "query", NO_STRING),
    ("landing", "hash", NO_STRING),
    ("landing", "page_url", NO_STRING),
    ("landing", "referrer", NO_STRING),
    ("landing", "at_ms", NO_INTEGER),
    ("landing", "consent", NO_CONSENT),
    ("landing", "token", NO_TOKEN),
    ("link", "kind", [*NO_STRING, '""', '"order_id"', '"customer_id"']),
    ("link", "id", NO_ID),
    ("link", "token", NO_TOKEN),
]


def encoded(document: object) -> bytes:
    return json.dumps(document).encode()


@pytest.mark.parametrize(("post", "field", "raws"), FAULTS, ids=lambda value: value if isinstance(value, str) else "")
def test_every_fault_of_a_field_is_a_refusal_that_names_it(post: str, field: str, raws: list[str]) -> None:
    reader, sample = READERS[post]
    reader(encoded(sample))
    for raw in raws:
        with pytest.raises(InvalidField) as caught:
            reader(with_raw(sample, field, raw))
        assert caught.value.field == field, raw[:80]


@pytest.mark.parametrize(
    ("post", "field"),
    [("event", "event_name"), ("event", "event_id"), ("landing", "query"), ("link", "kind"), ("link", "id")],
)
def test_what_is_required_and_missing_is_named(post: str, field: str) -> None:
    reader, sample = READERS[post]
    with pytest.raises(InvalidField, match=f"^{field}: is required$"):
        reader(without(sample, field))


def test_money_is_never_taken_from_a_browser() -> None:
    with pytest.raises(Forbidden):
        read_event(encoded(EVENT | {"event_name": "Purchase"}))
    with pytest.raises(Forbidden):
        read_view(encoded(EVENT | {"event_name": "Purchase"}))


@pytest.mark.parametrize("name", ["ViewContent", "AddToCart", "InitiateCheckout"])
def test_an_event_is_read_in_full(name: str) -> None:
    found = read_event(encoded(EVENT | {"event_name": name}))
    assert (found.event_name, found.event_id, found.event_time) == (name, "0f9e8d7c-6b5a", NOW)
    assert (found.page_url, found.consent, found.token) == ("https://shop.example/p/7", "granted", "t.k.n")
    assert (found.detail.currency, found.detail.value_micros) == ("BRL", 10_000_000)


def test_ids_in_the_body_of_an_event_are_not_believed() -> None:
    body = encoded(
        {"event_name": "ViewContent", "event_id": "e", "ctwa_clid": "stolen", "attribution": {"ctwa_clid": "x"}}
    )
    assert "stolen" not in repr(read_event(body))


def test_of_an_event_only_name_and_id_must_be_there() -> None:
    found = read_event(encoded({"event_name": "ViewContent", "event_id": "e", "token": ""}))
    assert (found.event_time, found.page_url, found.consent, found.token) == (UNSET, None, "unknown", None)
    assert found.detail.custom_data == "{}"


def test_a_landing_is_read_raw() -> None:
    found = read_landing_post(encoded(LANDING | {"query": "?a=%zz&ctwa_clid=%41"}))
    assert (found.query, found.fragment, found.at_ms, found.consent) == (
        "?a=%zz&ctwa_clid=%41",
        "top",
        NOW * 1000,
        "pending",
    )
    assert json.loads(found.view or b"") == LANDING["view"]


def test_of_a_landing_only_the_query_must_be_there_and_it_may_be_empty() -> None:
    found = read_landing_post(b'{"query": ""}')
    assert (found.query, found.fragment, found.page_url, found.referrer) == ("", "", None, None)
    assert (found.at_ms, found.consent, found.view, found.token) == (None, "unknown", None, None)


@pytest.mark.parametrize("view", [None, 7, [], "x", {}, {"event_name": "Purchase"}, {"event_name": 7}])
def test_a_fault_in_the_view_does_not_cost_the_landing(view: Any) -> None:
    found = read_landing_post(encoded(LANDING | {"view": view}))
    assert found.query == "ctwa_clid=x"
    with pytest.raises((InvalidField, Forbidden)):
        read_view(found.view or b"")


@pytest.mark.parametrize(
    ("view", "field"),
    [
        (b"null", "view"),
        (b"[]", "view"),
        (b"{}", "view.event_name"),
        (b'{"event_name": 7}', "view.event_name"),
        (b'{"event_name": "ViewContent"}', "view.event_id"),
        (b'{"event_name": "Lead", "event_id": "e"}', "view.event_name"),
        (b'{"event_name": "ViewContent", "event_id": ""}', "view.event_id"),
        (b'{"event_name": "ViewContent", "event_id": "e", "consent": "x"}', "view.consent"),
        (b'{"event_name": "ViewContent", "event_id": "e", "custom_data": {"value": "1"}}', "view.custom_data.value"),
        (b'{"event_name": "ViewContent", "event_id": "e", "custom_data": {"value": 1}}', "view.custom_data.currency"),
        (b'{"event_name": "ViewContent", "event_id": "e", "token": "%s"}' % (b"a" * 4097), "view.token"),
    ],
)
def test_the_faults_of_a_view_are_named_below_it(view: bytes, field: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read_view(view)
    assert caught.value.field == field


def test_a_good_view_is_an_event() -> None:
    assert read_view(encoded(EVENT)) == read_event(encoded(EVENT))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://shop.example/p/7?email=jane@example.com#x", "https://shop.example/p/7"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://shop.example/a\u0085b\u200b", "https://shop.example/ab"),
        ("https://shop.example/größe", "https://shop.example/größe"),
        ("https://jane:secret@shop.example/", None),
        ("https://@shop.example/", None),
        ("javascript:alert(1)", None),
        ("file:///etc/passwd", None),
        ("data:text/html,x", None),
        ("//shop.example/", None),
        ("https://", None),
        ("https://[", None),
        ("https://[::1/x", None),
        ("", None),
        ("x", None),
        ("\0", None),
    ],
)
def test_of_an_address_only_where_the_page_is_is_kept(given: str, kept: str | None) -> None:
    assert read_event(encoded(EVENT | {"page_url": given})).page_url == kept
    assert read_landing_post(encoded(LANDING | {"referrer": given})).referrer == kept


def test_a_long_address_is_cut() -> None:
    kept = read_event(encoded(EVENT | {"page_url": "https://shop.example/" + "a" * 50_000})).page_url
    assert kept is not None
    assert len(kept) == 2048


@pytest.mark.parametrize("kind", ["checkout_id", "cart_token"])
def test_a_link_is_read_in_full(kind: str) -> None:
    found = read_link(encoded(LINK | {"kind": kind}))
    assert (found.kind, found.id, found.token) == (kind, "chk-1", "t.k.n")
