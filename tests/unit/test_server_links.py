"""Links of the shop's server: what is tied, and to which click."""

import json

import pytest

from collector import identity
from collector.errors import InvalidField
from collector.sources.connectly import Pointer
from collector.sources.links import read
from tests.unit.samples import CLICK, Json, report, with_raw

IDS: Json = {name: report()[name] for name in ("cnct_tracking_id", "sendout_id", "attribution")}
LINK: Json = {"kind": "order_id", "id": "ORD-7821", **IDS}


def fault(document: Json) -> tuple[str, str]:
    with pytest.raises(InvalidField) as caught:
        read(json.dumps(document).encode())
    return caught.value.field, caught.value.rule


@pytest.mark.parametrize("kind", ["checkout_id", "cart_token", "order_id"])
def test_each_kind_is_tied_to_the_ids(kind: str) -> None:
    found = read(json.dumps(LINK | {"kind": kind}).encode())
    assert (found.kind, found.id, found.click, found.pointer) == (kind, "ORD-7821", CLICK, None)


def test_a_customer_is_linked_by_the_key_that_events_look_for() -> None:
    found = read(json.dumps(LINK | {"kind": "customer_id", "id": "jane@shop.example"}).encode())
    event = identity.read(identity.UserData(customer_id="jane@shop.example"), None)
    assert event.lookups == ((found.kind, found.id),)
    assert "jane" not in found.id


@pytest.mark.parametrize("name", ["attribution_token", "ref", "checkout_id"])
def test_a_pointer_stands_in_place_of_the_ids(name: str) -> None:
    found = read(json.dumps({"kind": "order_id", "id": "o", name: "x"}).encode())
    assert found.click is None
    assert found.pointer == Pointer(name, "x")  # type: ignore[arg-type]  # the parameters above are its names


def test_ids_win_over_a_pointer_beside_them() -> None:
    found = read(json.dumps(LINK | {"ref": "x"}).encode())
    assert (found.click, found.pointer) == (CLICK, None)


def test_a_link_to_nothing_is_refused() -> None:
    assert fault({"kind": "order_id", "id": "o"}) == (
        "attribution",
        "is required, or attribution_token, ref or checkout_id in its place",
    )


def test_ids_in_part_are_refused() -> None:
    assert fault({"kind": "order_id", "id": "o", "sendout_id": "s"}) == ("cnct_tracking_id", "is required")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": None}, "kind"),
        ({"kind": 7}, "kind"),
        ({"kind": ""}, "kind"),
        ({"kind": "email"}, "kind"),
        ({"kind": []}, "kind"),
        ({"id": None}, "id"),
        ({"id": 7}, "id"),
        ({"id": ""}, "id"),
        ({"id": "é"}, "id"),
        ({"id": "a\0"}, "id"),
        ({"id": "a" * 513}, "id"),
        ({"ref": ""}, "ref"),
        ({"checkout_id": "\n"}, "checkout_id"),
        ({"attribution_token": ""}, "attribution_token"),
        ({"attribution": {}}, "attribution.meta_ctwa"),
        ({"attribution": {"meta_ctwa": {"ctwa_clid": "", "ad_id": "a"}}}, "attribution.meta_ctwa.ctwa_clid"),
    ],
)
def test_each_fault_names_its_field(changes: Json, field: str) -> None:
    assert fault(LINK | changes)[0] == field


@pytest.mark.parametrize("raw", ["NaN", "1e999", '"\\ud800"', "9" * 5000])
@pytest.mark.parametrize("field", ["kind", "id", "ref", "sendout_id"])
def test_what_json_or_unicode_cannot_hold_names_its_field(field: str, raw: str) -> None:
    with pytest.raises(InvalidField) as caught:
        read(with_raw(LINK, field, raw))
    assert caught.value.field == field


@pytest.mark.parametrize(("field", "rule"), [("kind", "is required"), ("id", "is required")])
def test_what_is_required_and_missing_is_named(field: str, rule: str) -> None:
    assert fault({name: value for name, value in LINK.items() if name != field}) == (field, rule)
