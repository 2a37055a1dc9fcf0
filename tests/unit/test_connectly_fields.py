"""Connectly's contract, field by field: each fault is a refusal that names the field, and what is allowed stays allowed."""

import json
from collections.abc import Iterator

import pytest

from collector.edge import answer
from collector.errors import InvalidField
from collector.sources.connectly import known_part, read
from tests.unit.samples import Json, report, with_raw, without

ID = [
    "cnct_tracking_id",
    "sendout_id",
    "attribution.meta_ctwa.ctwa_clid",
    "attribution.meta_ctwa.ad_id",
    "payload.order_id",
]
POINTER = ["ref", "checkout_id"]
TEXT = ["payload.content_ids[0]", "payload.content_ids[1]", "payload.contents[0].id", "payload.contents[1].id"]
WORD = ["event_name", "payload.currency", "payload.content_type"]
MONEY = ["payload.value", "payload.contents[0].item_price", "payload.contents[1].item_price"]
COUNT = ["payload.num_items", "payload.contents[0].quantity"]
LIST = ["payload.content_ids", "payload.contents"]
OBJECT = ["attribution", "attribution.meta_ctwa", "payload", "payload.contents[0]"]
FIELDS = [*ID, *POINTER, *TEXT, *WORD, *MONEY, *COUNT, *LIST, *OBJECT, "payload.event_time", "attribution_token"]

NINES = "9" * 5000
NO_NUMBERS = [
    "NaN",
    "Infinity",
    "-Infinity",
    "1e999",
    "-1e999",
    NINES,
    f"-{NINES}",
    f"0.{NINES}e99999",
    "1" + "0" * 400,
]
STRINGS = ['"x"', '""', '"1"', '"NaN"']
SURROGATES = ['"\\ud800"', '"\\udfff"', '"a\\udc00b"']
NO_STRING = ["1", "1.5", "true", "null", "[]", "{}", '["x"]', '{"id": "x"}', *NO_NUMBERS, *SURROGATES]
HUGE = f'"{"a" * 100_000}"'
CONTROL = [f'"a\\u{code:04x}b"' for code in (0, 1, 9, 10, 13, 27, 31, 127)]
NO_TEXT = ['""', f'"{"a" * 513}"', f'"{"é" * 257}"', f'"{"😀" * 129}"', HUGE, *CONTROL, '"\\u0085"', '"\\u009b"']
NO_ID = [
    '""',
    f'"{"a" * 513}"',
    HUGE,
    *CONTROL,
    '"é"',
    '"\\u00a0"',
    '"\\u200b"',
    '"\\u202e"',
    '"😀"',
    '"\\ud83d\\ude00"',
]
NO_WORD = [
    '""',
    '" "',
    '"x"',
    HUGE,
    '"USD "',
    '" USD"',
    '"US"',
    '"USDX"',
    '"U\\u0000D"',
    '"ＵＳＤ"',
    '"uſd"',
    '"PURCHASE"',
    '"Product"',
]
NO_NUMBER = [*STRINGS, "true", "false", "null", "[]", "{}", *NO_NUMBERS[:6], *SURROGATES]

NO_MONEY = [*NO_NUMBER, "-1", "-0.000001", "-1e-300", "1000000000000.1", "1e13", "1e308", "1" + "0" * 400]
NO_COUNT = [*NO_NUMBER, "-1", "1.5", "1.0", "1e2", "1000000001", "9" * 20, "1" + "0" * 400]
NO_LIST = [*STRINGS, "1", "1.5", "true", "null", "{}", *NO_NUMBERS]
NO_OBJECT = [*STRINGS, "1", "1.5", "true", "null", "[]", "[{}]", *NO_NUMBERS]
NO_TIME = [*NO_NUMBER, "1.5", "1.0", "1746480000.0", "1e9"]
NO_TOKEN = [*NO_STRING, '""', f'"{"a" * 4097}"', HUGE]

FAULTS: dict[str, list[str]] = {
    field: raws
    for fields, raws in (
        (ID + POINTER, NO_STRING + NO_ID),
        (TEXT, NO_STRING + NO_TEXT),
        (WORD, NO_STRING + NO_WORD),
        (MONEY, NO_MONEY),
        (COUNT, NO_COUNT),
        (LIST, NO_LIST),
        (OBJECT, NO_OBJECT),
        (["payload.event_time"], NO_TIME),
        (["attribution_token"], NO_TOKEN),
    )
    for field in fields
}


def sample(field: str) -> Json:
    """A document in which the field may stand."""
    whole = report()
    if field in POINTER or field == "attribution_token":
        del whole["cnct_tracking_id"], whole["sendout_id"], whole["attribution"]
    return whole


@pytest.mark.parametrize("field", FIELDS)
def test_every_fault_of_the_field_is_a_refusal_that_names_it(field: str) -> None:
    for raw in FAULTS[field]:
        body = with_raw(sample(field), field, raw)
        with pytest.raises(InvalidField) as caught:
            read(body)
        assert caught.value.field == field, raw[:80]
        assert len(caught.value.message) < 200, raw[:80]
        reply = answer.error(caught.value)
        assert reply.status == 400
        assert json.loads(reply.body)["error"]["details"] == [{"field": field, "rule": caught.value.rule}]
        known_part(body)  # what the record keeps can always be told


def test_the_table_of_faults_holds_every_field_of_the_contract() -> None:
    """Whoever adds a field adds its faults."""

    def paths(value: object, path: str) -> Iterator[str]:
        if path:
            yield path
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from paths(inner, f"{path}.{key}".lstrip("."))
        elif isinstance(value, list):
            yield from paths(value[0], f"{path}[0]")

    assert set(paths(report(), "")) <= set(FIELDS)
    assert set(FAULTS) == set(FIELDS)
    assert all(FAULTS.values())


@pytest.mark.parametrize(
    ("path", "named"),
    [
        ("event_name", "event_name"),
        ("cnct_tracking_id", "cnct_tracking_id"),
        ("sendout_id", "sendout_id"),
        ("attribution", "attribution"),
        ("attribution.meta_ctwa", "attribution.meta_ctwa"),
        ("attribution.meta_ctwa.ctwa_clid", "attribution.meta_ctwa.ctwa_clid"),
        ("attribution.meta_ctwa.ad_id", "attribution.meta_ctwa.ad_id"),
        ("payload", "payload"),
        ("payload.currency", "payload.currency"),
        ("payload.value", "payload.value"),
    ],
)
def test_what_is_required_and_missing_is_named(path: str, named: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read(without(report(), path))
    assert (caught.value.field, caught.value.rule) == (named, "is required")
    assert caught.value.stage == "payload_mapping"


@pytest.mark.parametrize(
    "path",
    [
        "payload.order_id",
        "payload.content_type",
        "payload.content_ids",
        "payload.num_items",
        "payload.contents",
        "payload.event_time",
        "payload.contents[0].id",
        "payload.contents[0].quantity",
        "payload.contents[0].item_price",
    ],
)
def test_what_is_optional_may_be_missing(path: str) -> None:
    assert read(without(report(), path)).event_name == "Purchase"


@pytest.mark.parametrize("path", ["payload", "payload.currency", "payload.value"])
def test_a_view_content_needs_neither_payload_nor_value_but_never_a_value_without_currency(path: str) -> None:
    view = report() | {"event_name": "ViewContent"}
    if path == "payload.currency":
        with pytest.raises(InvalidField, match=r"^payload\.currency: is required$"):
            read(without(view, path))
    else:
        assert read(without(view, path)).detail.value_micros is None


@pytest.mark.parametrize("path", ["payload.content_ids", "payload.contents"])
def test_a_hundred_items_are_taken_and_the_next_one_is_refused_even_without_id(path: str) -> None:
    item = '"x"' if path.endswith("ids") else "{}"
    read(with_raw(report(), path, f"[{','.join([item] * 100)}]"))
    with pytest.raises(InvalidField) as caught:
        read(with_raw(report(), path, f"[{','.join([item] * 101)}]"))
    assert (caught.value.field, caught.value.rule) == (path, "at most 100 items")


ALLOWED = [
    *((field, raw) for field in ID for raw in ('"x"', f'"{"a" * 512}"', '" a b~!"', '"\\u0041"')),
    *(
        (field, raw)
        for field in TEXT
        for raw in ('"é"', '"Größe 42 – rot"', '"😀"', '"\\ud83d\\ude00"', f'"{"é" * 256}"')
    ),
    *(("payload.currency", raw) for raw in ('"usd"', '"Brl"', '"JPY"', '"KWD"')),
    *(
        (field, raw)
        for field in MONEY
        for raw in ("0", "-0.0", "1", "99.97", "1e3", "0.000001", "1000000000000", "1e-300")
    ),
    *((field, raw) for field in COUNT for raw in ("0", "1", "1000000000")),
    *((field, "[]") for field in LIST),
    ("payload.content_type", '"product_group"'),
    ("payload.contents[0]", "{}"),
    ("payload.contents[0]", '{"id": "x", "email": "jane@example.com"}'),
    ("payload.unknown", '{"deep": [null, 1e300]}'),
    ("unknown", "null"),
    ("attribution.other", "[]"),
]


@pytest.mark.parametrize(("field", "raw"), ALLOWED)
def test_what_is_allowed_is_taken(field: str, raw: str) -> None:
    assert read(with_raw(report(), field, raw)).detail.currency is not None


@pytest.mark.parametrize("name", ["purchase", "Lead", "AddToCart", "ViewContent ", "PageView"])
def test_other_event_names_are_refused(name: str) -> None:
    with pytest.raises(InvalidField, match=r'^event_name: must be "Purchase" or "ViewContent"$'):
        read(json.dumps(report() | {"event_name": name}).encode())
