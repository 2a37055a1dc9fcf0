"""What goes to Meta of a customer, and the keys that look a conversation up."""

import hashlib
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from collector import nameless
from collector.attribution import ID_BYTES_MAX
from collector.errors import InvalidField
from collector.fbc import SHAPE_RULE, TIME_RULE
from collector.identity import (
    NUMBER_MAX,
    TEXT_CHARS_MAX,
    USER_AGENT_CHARS_MAX,
    VALUES_MAX,
    Identity,
    UserData,
    customer_key,
    is_enough_for_web,
    mobile_key,
    read,
)

HASHED = hashlib.sha256(b"ana@example.com").hexdigest()


def sha(*texts: str) -> list[str]:
    return [hashlib.sha256(text.encode()).hexdigest() for text in texts]


def identity(region: str | None = None, **given: Any) -> Identity:
    return read(msgspec.convert(given, UserData), region)


def test_a_person_leaves_hashed_and_ids_leave_as_they_stand() -> None:
    read_out = identity(em=" Ana@Example.com", ph="+55 (11) 98765-4321", page_id="100000000000002", ctwa_clid="ARx-_9")
    assert read_out == Identity(
        {"em": [HASHED], "ph": sha("5511987654321"), "ctwa_clid": "ARx-_9", "page_id": "100000000000002"}
    )
    assert "ana" not in str(read_out).lower()


def test_values_keep_their_order_and_lose_their_repeats() -> None:
    wire = identity(em=["bo@example.com", HASHED.upper(), "ANA@example.com", "bo@example.com"]).wire
    assert wire == {"em": sha("bo@example.com", "ana@example.com")}


TOLD: dict[str, Any] = {
    "em": "ana@example.com", "ph": "+5511987654321", "fn": "Ana", "ln": "Souza", "ge": "f", "db": "19970216", "ct": "Recife", "st": "PE",
    "zp": "50030230", "country": "br", "external_id": "c-1",
}  # fmt: skip


@pytest.mark.parametrize("odd", [*TOLD, None])
@pytest.mark.parametrize("way", [str.upper, lambda known: [known], lambda known: [known, known.upper()]])
def test_a_customer_who_is_hashed_already_leaves_as_each_field_alone(
    odd: str | None, way: Callable[[str], Any]
) -> None:
    known = {field: sha(text)[0] for field, text in TOLD.items()}
    said = {field: way(text) if field == odd else text for field, text in known.items()}
    assert identity(**said).wire == {field: [text] for field, text in known.items()}
    if odd:
        assert identity(**known | {odd: TOLD[odd]}).wire[odd] == identity(**{odd: TOLD[odd]}).wire[odd]


@pytest.mark.parametrize("odd", ["", "ana@example.com", "x" * (ID_BYTES_MAX + 1), "a\nb", "é", -1])
def test_one_bad_id_is_found_among_good_ones(odd: str | int) -> None:
    good: dict[str, Any] = {"subscription_id": "9001", "lead_id": 77, "page_id": "1" * ID_BYTES_MAX, "madid": "m"}
    assert identity(**good).wire == good | {"lead_id": "77"}
    for given in (good, good | {"lead_id": "77", "page_id": "1"}):
        with pytest.raises(InvalidField) as caught:
            identity(**given | {"anon_id": odd})
        assert caught.value.field == "user_data.anon_id"


def test_look_up_keys_stand_in_order_and_are_not_sent() -> None:
    found = identity(
        customer_id="c-7", ig_sid=300000000000003, page_scoped_user_id="30", mobile_number="+5511987654321"
    )
    assert found.lookups == (
        ("mobile_number", mobile_key("5511987654321")),
        ("page_scoped_user_id", "30"),
        ("ig_sid", "300000000000003"),
        ("customer_id", customer_key("c-7")),
    )
    assert found.wire == {"page_scoped_user_id": "30", "ig_sid": "300000000000003"}
    assert "987654321" not in str(found.lookups[0])


def test_a_customer_known_by_an_address_is_looked_up_by_its_hash_alone() -> None:
    found = identity(customer_id="jane@shop.example").lookups
    assert found == (("customer_id", customer_key("jane@shop.example")),)
    assert "jane" not in str(found)


def test_browser_ids_and_agent_leave_as_they_are() -> None:
    said = {
        "client_user_agent": "Mozilla/5.0 (\u00e9)",
        "fbc": "fb.1.1740000000000.IwAR0_-aB",
        "fbp": "fb.1.1740000000000.1098115397",
    }
    assert identity(**said).wire == said


def test_the_guides_name_of_an_instagram_account_leaves_under_the_name_that_meta_takes() -> None:
    assert identity(instagram_business_account_id=178).wire == {"ig_account_id": "178"}
    assert identity(instagram_business_account_id="1", ig_account_id="2").wire == {"ig_account_id": "2"}


@pytest.mark.parametrize(
    ("given", "field", "rule"),
    [
        ({"em": ["ana@example.com", "ana"]}, "em[1]", "must be an e-mail address such as ana@example.com"),
        ({"em": "ana@example.com" * 100}, "em", f"at most {TEXT_CHARS_MAX} characters"),
        ({"em": ["ana@example.com"] * (VALUES_MAX + 1)}, "em", f"at most {VALUES_MAX} values"),
        ({"fn": ""}, "fn", "must not be empty"),
        ({"fn": []}, "fn", "must not be empty"),
        ({"fn": " \t"}, "fn", "must not be empty"),
        ({"fn": "\ud800"}, "fn", "must be valid Unicode, without lone surrogates"),
        ({"external_id": "\udfff"}, "external_id", "must be valid Unicode, without lone surrogates"),
        ({"client_user_agent": " "}, "client_user_agent", "must not be empty"),
        ({"client_user_agent": "a\nb"}, "client_user_agent", "must not hold control characters"),
        (
            {"client_user_agent": "a" * (USER_AGENT_CHARS_MAX + 1)},
            "client_user_agent",
            f"at most {USER_AGENT_CHARS_MAX} characters",
        ),
        ({"page_id": "1\n"}, "page_id", "only printable ASCII"),
        ({"ph": 10**5000}, "ph", f"must be written as a string: a number is from 0 to {NUMBER_MAX}"),
        (
            {"mobile_number": HASHED},
            "mobile_number",
            "must be the phone number itself, not its hash: it is hashed here",
        ),
        ({"mobile_number": "12"}, "mobile_number", "must have 7 to 15 digits, with the country code"),
        ({"fbc": "IwAR0abc"}, "fbc", SHAPE_RULE),
        ({"fbp": "fb.1.1740000000.12345"}, "fbp", TIME_RULE),
        ({"customer_id": ""}, "customer_id", "must not be empty"),
        ({"lead_id": "jane@shop.example"}, "lead_id", nameless.RULE),
        ({"page_scoped_user_id": "jane@shop.example"}, "page_scoped_user_id", nameless.RULE),
        (
            {"ig_sid": NUMBER_MAX + 1},
            "ig_sid",
            f"must be written as a string: a number is from 0 to {NUMBER_MAX}",
        ),
        ({"page_id": -1}, "page_id", f"must be written as a string: a number is from 0 to {NUMBER_MAX}"),
    ],
)
def test_what_breaks_a_rule_is_named_with_the_rule(given: dict[str, Any], field: str, rule: str) -> None:
    with pytest.raises(InvalidField) as refused:
        identity(**given)
    assert (refused.value.field, refused.value.rule) == (f"user_data.{field}", rule)


@pytest.mark.parametrize(
    ("keys", "enough"),
    [
        ("", False),
        ("client_user_agent", False),
        ("ct country st zp ge client_user_agent", False),
        ("db client_user_agent", False),
        ("fn ge", False),
        ("ln ge", False),
        ("em", True),
        ("fbc", True),
        ("fbp", True),
        ("client_ip_address client_user_agent", True),
        ("db ge", True),
        ("fn ln", True),
        ("fn client_user_agent", True),
        ("external_id", True),
    ],
)
def test_a_website_conversion_needs_more_than_what_many_share(keys: str, enough: bool) -> None:
    assert is_enough_for_web(dict.fromkeys(keys.split(), "x")) is enough
