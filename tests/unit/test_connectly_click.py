"""How a call names its click: all ids, or an extension in their place, or its order id; and what a refused body leaves in its record."""

import json

import msgspec
import pytest

from collector.attribution import Click
from collector.errors import InvalidField
from collector.sources.connectly import KEPT_CHARS_MAX, Pointer, body_event_id, known_part, read
from tests.unit.samples import CLICK, NOW, Json, report, with_raw, without

MARK = "jane@example.com"


def pointed(**pointers: str) -> Json:
    """The sample with extensions in place of its ids."""
    whole = report()
    del whole["cnct_tracking_id"], whole["sendout_id"], whole["attribution"]
    return whole | pointers


def fault(document: Json) -> tuple[str, str]:
    with pytest.raises(InvalidField) as caught:
        read(json.dumps(document).encode())
    return caught.value.field, caught.value.rule


def test_the_sample_of_the_contract_is_read_as_it_stands() -> None:
    found = read(json.dumps(report()).encode())
    assert (found.event_name, found.event_time, found.click, found.pointers) == ("Purchase", NOW, CLICK, ())
    assert (found.detail.currency, found.detail.value_micros, found.detail.order_id) == ("USD", 99_970_000, "ORD-7821")
    assert json.loads(found.detail.custom_data) == {k: v for k, v in report()["payload"].items() if k != "event_time"}


def test_ids_are_taken_verbatim() -> None:
    odd = " a%2Fb+c==&x "
    found = read(with_raw(report(), "attribution.meta_ctwa.ctwa_clid", json.dumps(odd)))
    assert found.click == Click(CLICK.cnct_tracking_id, CLICK.sendout_id, odd, CLICK.ad_id)


def test_extensions_stand_in_place_of_the_ids_and_are_tried_in_order() -> None:
    found = read(json.dumps(pointed(checkout_id="chk", ref="r", attribution_token="t")).encode())
    assert found.click is None
    assert found.pointers == (Pointer("attribution_token", "t"), Pointer("ref", "r"), Pointer("checkout_id", "chk"))


def test_a_token_is_taken_to_its_limit() -> None:
    assert read(json.dumps(pointed(attribution_token="t" * 4096)).encode()).pointers[0].value == "t" * 4096


def test_an_order_id_alone_may_be_linked_and_nothing_at_all_names_the_tracking_id() -> None:
    assert read(json.dumps(pointed()).encode()).pointers == ()
    assert fault(json.loads(without(pointed(), "payload.order_id"))) == ("cnct_tracking_id", "is required")


@pytest.mark.parametrize("left_out", ["cnct_tracking_id", "sendout_id", "attribution"])
def test_ids_in_part_are_refused_even_beside_a_pointer(left_out: str) -> None:
    partial = json.loads(without(report(), left_out)) | {"ref": "r"}
    assert fault(partial) == (left_out, "is required; leave out all ids where a token, ref or checkout_id is given")


def test_ids_beside_a_pointer_are_both_read() -> None:
    found = read(json.dumps(report() | {"ref": "r"}).encode())
    assert (found.click, found.pointers) == (CLICK, (Pointer("ref", "r"),))


def test_the_id_of_a_body_is_the_same_for_the_same_call_and_differs_by_every_part() -> None:
    whole = report()
    bodies = [
        json.dumps(whole).encode(),
        json.dumps(whole, indent=2).encode(),
        json.dumps(whole | {"event_name": "ViewContent"}).encode(),
        with_raw(whole, "payload.value", "99.98"),
        with_raw(whole, "payload.event_time", str(NOW - 1)),
        json.dumps(whole | {"cnct_tracking_id": "other"}).encode(),
        json.dumps(whole | {"sendout_id": "other"}).encode(),
        *(json.dumps(pointed(**pointer)).encode() for pointer in ({"ref": "r"}, {"ref": "s"}, {"checkout_id": "r"})),
    ]
    names = [body_event_id(read(body)) for body in bodies]
    assert names[0] == names[1]
    assert len(set(names)) == len(bodies) - 1
    assert all(len(name) == 32 for name in names)


def test_a_refused_body_leaves_the_contract_fields_that_could_be_read() -> None:
    document = report()
    document["payload"]["currency"] = 7
    document["payload"]["value"] = None
    click, payload = known_part(json.dumps(document).encode())
    assert click == CLICK
    assert payload is not None
    assert json.loads(payload) == document["payload"]


@pytest.mark.parametrize(
    "place",
    [
        "email",
        "payload.email",
        "payload.contents[0].email",
        "payload.currency",
        "payload.order_id",
        "payload.contents",
        "payload.contents[0]",
        "payload.contents[0].id",
        "payload.contents[0].item_price",
        "payload.content_ids",
        "payload.content_ids[0]",
        "attribution",
        "attribution.email",
        "attribution.meta_ctwa",
        "attribution.meta_ctwa.ctwa_clid",
        "cnct_tracking_id",
        "payload",
    ],
)
@pytest.mark.parametrize(
    "raw", [f'{{"email": "{MARK}"}}', f'[{{"email": "{MARK}"}}]', f'{{"{MARK}": 1}}', f'[[["{MARK}"]]]']
)
def test_a_record_keeps_nothing_that_the_contract_does_not_name(place: str, raw: str) -> None:
    click, payload = known_part(with_raw(report(), place, raw))
    assert MARK not in f"{click} {payload}"
    if place.startswith("payload."):
        assert "USD" in str(payload) or place == "payload.currency"  # the rest is kept


@pytest.mark.parametrize(
    "body", [b"", b"\xff", b"[]", b"null", b"7", b'"x"', b"{", b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000]
)
def test_of_what_is_no_object_nothing_is_kept(body: bytes) -> None:
    assert known_part(body) == (Click(), None)


@pytest.mark.parametrize("attribution", [None, [], "x", {"meta_ctwa": None}, {"meta_ctwa": []}, {}])
def test_ids_that_can_be_read_are_kept_beside_an_attribution_that_cannot(attribution: object) -> None:
    click, _ = known_part(json.dumps(report() | {"attribution": attribution}).encode())
    assert click == Click(CLICK.cnct_tracking_id, CLICK.sendout_id)


@pytest.mark.parametrize("value", ["", "a" * 513, "é", "a\0b", 7, None, [], {}, True])
def test_an_id_that_breaks_a_rule_is_not_kept(value: object) -> None:
    click, _ = known_part(json.dumps(report() | {"sendout_id": value}).encode())
    assert click == Click(CLICK.cnct_tracking_id, None, CLICK.ctwa_clid, CLICK.ad_id)


@pytest.mark.parametrize("payload", [None, [], "x", 7])
def test_a_payload_that_is_no_object_is_not_kept(payload: object) -> None:
    assert known_part(json.dumps(report() | {"payload": payload}).encode()) == (CLICK, None)


@pytest.mark.parametrize(
    "raw", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", '"\\ud800"', '"\\u0000"', "9" * 4000, '"\\ud83d\\ude00"']
)
@pytest.mark.parametrize(
    "place", ["payload.value", "payload.currency", "payload.contents[0].id", "payload.content_ids[0]"]
)
def test_what_is_kept_is_strict_json_again(place: str, raw: str) -> None:
    _, payload = known_part(with_raw(report(), place, raw))
    assert payload is not None
    assert isinstance(msgspec.json.decode(payload), dict)


def test_of_invalid_utf8_the_readable_part_is_kept() -> None:
    body = json.dumps(report()).encode().replace(b"ORD-7821", b"ORD-\xff")
    click, payload = known_part(body)
    assert click == CLICK
    assert "ORD-\ufffd" in str(payload)


def test_a_payload_too_large_to_keep_is_left_out() -> None:
    small, large = "x" * (KEPT_CHARS_MAX - 1000), "x" * KEPT_CHARS_MAX
    assert small in str(known_part(with_raw(report(), "payload.order_id", f'"{small}"'))[1])
    assert known_part(with_raw(report(), "payload.order_id", f'"{large}"')) == (CLICK, None)
