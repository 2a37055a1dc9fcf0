"""Whatever is sent instead of the contract: a 4xx that names the field, one record, nothing sent, and never a 500."""

import gzip
import http.client
import json
import socket
from typing import Any

import pytest

from tests.integration.house import House, eventually
from tests.integration.shop import Shop, days_ago, told
from tests.unit.samples import with_raw, without

DEEP = ["[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200]
JUNK = [
    *("null", "true", "{}", "[]", "[1]", "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "-1", "0.5"),
    *("1" + "0" * 400, "-1" + "0" * 20, '""', '"\\u0000"', '"\\u001b[31m"', '"a\\nb"'),
    *('"\\ud800"', '"\\ud800\\udc00\\udc00"', '"\\u00e9' + "\\u20ac" * 20_000 + '"', '"' + "a" * 100_000 + '"'),
    *DEEP,
]
"""JSON text, valid or not, in place of a value."""

GOOD = {
    "payload.value": "0.5",
    "payload.contents[0].item_price": "0.5",
    "payload.content_ids": "[]",
    "payload.contents": "[]",
    "payload.contents[0]": "{}",
}
"""What of it a field may hold after all."""

FIELDS = [
    "cnct_tracking_id",
    "event_name",
    "sendout_id",
    "attribution",
    "attribution.meta_ctwa",
    "attribution.meta_ctwa.ctwa_clid",
    "attribution.meta_ctwa.ad_id",
    "payload",
    "payload.currency",
    "payload.value",
    "payload.order_id",
    "payload.content_type",
    "payload.content_ids",
    "payload.content_ids[0]",
    "payload.num_items",
    "payload.contents",
    "payload.contents[0]",
    "payload.contents[0].id",
    "payload.contents[0].quantity",
    "payload.contents[0].item_price",
    "payload.event_time",
]
REQUIRED = FIELDS[:10]
POINTERS = ["attribution_token", "ref", "checkout_id"]


def order(shop: Shop) -> dict[str, Any]:
    """An order that uses every field."""
    lines = [{"id": "a", "quantity": 1, "item_price": 1.5}, {"id": "b"}]
    more: dict[str, Any] = {
        "content_type": "product",
        "content_ids": ["a", "b"],
        "num_items": 2,
        "contents": lines,
        "event_time": days_ago(0),
    }
    return shop.order(**more)


def expect_refused(shop: Shop, bodies: dict[str, bytes], field: str) -> None:
    """Each is refused by the name of the field, or of the place in it that is at fault, leaves one record, and sends nothing."""
    for text, body in bodies.items():
        answer = shop.post(body)
        assert answer.status_code == 400, f"{field} {text[:60]}: {answer.status_code} {answer.text[:200]}"
        error = answer.json()["error"]
        assert (error["status"], error["failure_stage"]) == ("INVALID_ARGUMENT", "payload_mapping")
        named = error["details"][0]["field"]
        assert named == "body" if text in DEEP else named.startswith(field), f"{field} {text[:60]}: {named}"
        assert len(answer.text) < 600
        assert answer.text.isprintable()
        assert told(answer) == {}
    records = shop.records()
    assert len(records) == len(bodies)
    assert {(record["success"], record["failure_stage"]) for record in records} == {(False, "payload_mapping")}
    assert (shop.events(), shop.requests()) == ([], [])


@pytest.mark.parametrize("field", FIELDS)
def test_junk_in_place_of_a_value(shop: Shop, field: str) -> None:
    junk = [text for text in JUNK if text != GOOD.get(field)]
    expect_refused(shop, {text: with_raw(order(shop), field, text) for text in junk}, field)


@pytest.mark.parametrize("field", REQUIRED)
def test_a_missing_value(shop: Shop, field: str) -> None:
    expect_refused(shop, {"missing": without(order(shop), field)}, field)


@pytest.mark.parametrize("field", POINTERS)
def test_junk_in_place_of_a_pointer(shop: Shop, field: str) -> None:
    maybe_tokens = {'"\\u0000"', '"\\u001b[31m"', '"a\\nb"'} if field == "attribution_token" else set()
    junk = [text for text in JUNK if text not in maybe_tokens]
    expect_refused(shop, {text: with_raw(shop.pointed(), field, text) for text in junk}, field)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


WHOLE = {
    "empty": b"",
    "blank": b" \n ",
    "half": b'{"event_name": "Purchase", "payl',
    "two": b"{} {}",
    "text": b'"Purchase"',
    "number": b"1",
    "null": b"null",
    "list": b"[{}]",
    "UTF-16": json.dumps({}).encode("utf-16"),
    "invalid UTF-8": b'{"event_name": "\xff\xfe"}',
    "overlong UTF-8": b'{"event_name": "\xc0\xaf"}',
    "CESU": b'{"event_name": "\xed\xa0\x80"}',
    "NUL": b"\0",
    "gzip": gzip.compress(b"{}"),
    "form": b"event_name=Purchase&value=1",
    "single quotes": b"{'event_name': 'Purchase'}",
    "comment": b"{} // done",
    "deep": nested(100_000),
    "deep and open": b"[" * 200_000,
    "deep objects": b'{"a":' * 50_000,
    "many keys": b"{" + b",".join(b'"%d":{}' % each for each in range(20_000)) + b"}",
    "backslashes": b'"' + b"\\" * 200_001,
}


@pytest.mark.parametrize("name", WHOLE)
def test_a_body_that_is_no_order(shop: Shop, name: str) -> None:
    expect_refused(shop, {name: WHOLE[name]}, "event_name" if name == "many keys" else "body")


def test_a_duplicate_key_does_not_smuggle_a_value_past_the_checks(shop: Shop) -> None:
    body = json.dumps(order(shop)).encode().replace(b'"value": 99.97', b'"value": 1, "value": -1')
    expect_refused(shop, {"twice": body}, "payload.value")


def test_a_compressed_body_is_415(shop: Shop) -> None:
    answer = shop.post(gzip.compress(json.dumps(order(shop)).encode()), Content_Encoding="gzip")
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (415, "Content-Encoding")
    assert [(each.success, each.failure_stage) for each in shop.entries()] == [(False, "payload_mapping")]
    assert shop.requests() == []


def speak(house: House, *pieces: bytes) -> int:
    """Send raw bytes; gives the status of the answer."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
        connection.sendall(b"".join(pieces))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read()
        return answer.status


def leave(house: House, *pieces: bytes) -> bytes:
    """Send raw bytes and end the sending side; gives what still comes."""
    with socket.create_connection(("127.0.0.1", house.port), timeout=10) as connection:
        connection.sendall(b"".join(pieces))
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def head(shop: Shop, *lines: str) -> bytes:
    fixed = (
        f"POST {shop.path} HTTP/1.1",
        "Host: collector",
        f"X-API-KEY: {shop.key}",
        "Content-Type: application/json",
    )
    return "\r\n".join((*fixed, *lines, "", "")).encode()


def test_a_caller_who_leaves_in_the_middle_of_its_body_leaves_a_record_and_no_harm(house: House, shop: Shop) -> None:
    body = json.dumps(order(shop)).encode()
    for sent in (body, body[:50], b""):
        leave(house, head(shop, f"Content-Length: {len(body) + 100}"), sent)
    records = eventually(lambda: found if len(found := shop.records()) == 3 else None, "three records")
    assert {record["error"] for record in records} == {"body: must come whole"}
    assert (shop.events(), shop.requests()) == ([], [])
    assert told(shop.post(shop.order())) == {"X-Delivery-State": "delivered"}


def test_a_caller_who_leaves_while_it_waits_takes_nothing_back(house: House, shop: Shop) -> None:
    body = json.dumps(shop.order()).encode()
    leave(house, head(shop, f"Content-Length: {len(body)}"), body)
    assert [event["event_id"] for event in shop.sent(at_least=1)] == ["ORD-1"]
    assert told(shop.post(shop.order()))["X-Duplicate"] == "true"


def test_a_body_in_chunks_is_a_body(house: House, shop: Shop) -> None:
    body = json.dumps(shop.order()).encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:100], body[100:]))
    assert speak(house, head(shop, "Transfer-Encoding: chunked"), chunks, b"0\r\n\r\n") == 200
    assert len(shop.sent()) == 1


def test_a_body_that_says_it_is_too_large_is_413_before_it_comes(house: House, shop: Shop) -> None:
    assert speak(house, head(shop, "Content-Length: 300000")) == 413
    assert [each.failure_stage for each in shop.entries()] == ["payload_mapping"]


def test_a_body_that_hides_its_size_is_413_all_the_same(house: House, shop: Shop) -> None:
    chunks = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    assert speak(house, head(shop, "Transfer-Encoding: chunked"), chunks * 5, b"0\r\n\r\n") == 413
    assert [each.failure_stage for each in shop.entries()] == ["payload_mapping"]


@pytest.mark.parametrize("noise", [b"\0" * 1000, b"GET\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00"])
def test_what_is_not_http_harms_nobody(house: House, shop: Shop, noise: bytes) -> None:
    assert b" 500 " not in leave(house, noise)
    assert shop.post(shop.order()).status_code == 200


def test_too_large_is_always_heard(shop: Shop) -> None:
    answers = [shop.post(b" " * 300_000) for _ in range(50)]
    assert {answer.status_code for answer in answers} == {413}
    assert len(shop.records()) == 50
