"""Every rule of docs/identity.md, by example: what is hashed for Meta, and what is refused."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collector.errors import InvalidField
from collector.identity import UserData, read

EXAMPLES = [
    json.loads(line) for line in (Path(__file__).parent.parent / "golden" / "identity.jsonl").read_text().splitlines()
]
HASHED_FIELDS = "em ph fn ln ge db ct st zp country external_id".split()


def outcome(region: Any = None, **given: Any) -> dict[str, str | list[str]] | str:
    try:
        return read(msgspec.convert(given, UserData), region).wire
    except InvalidField as refused:
        return f"{refused.field}: {refused.rule}"


def sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: f"{example['field']}: {example['why']}")
def test_a_field_has_one_normal_form_or_breaks_a_rule(example: dict[str, Any]) -> None:
    field = example["field"]
    expected = {field: [sha(example["normal"])]} if "normal" in example else f"user_data.{field}: {example['rule']}"
    assert outcome(example.get("region"), **{field: example["raw"]}) == expected


def test_there_are_examples_and_counterexamples_of_every_field_that_can_be_wrong() -> None:
    assert {example["field"] for example in EXAMPLES if "normal" in example} == set(HASHED_FIELDS)
    assert {example["field"] for example in EXAMPLES if "rule" in example} == {*HASHED_FIELDS} - {"ln", "external_id"}


@pytest.mark.parametrize(
    ("field", "text", "hash"),
    [
        ("em", "John_Smith@gmail.com", "62a14e44f765419d10fea99367361a727c12365e2520f32218d505ed9aa0f62f"),
        ("ph", "+1 (650) 555-1212", "e323ec626319ca94ee8bff2e4c87cf613be6ea19919ed1364124e16807ab3176"),
        ("fn", "Mary", "6915771be1c5aa0c886870b6951b03d7eafc121fea0e80a5ea83beb7c449f4ec"),
        ("fn", "정", "8fa8cd9c440be61d0151429310034083132b35975c4bea67fdd74158eb51db14"),
        ("fn", "Valéry", "08e1996b5dd49e62a4b4c010d44e4345592a863bb9f8e3976219bac29417149c"),
    ],
)
def test_metas_documentation_has_the_same_hashes(field: str, text: str, hash: str) -> None:
    assert outcome(**{field: text}) == {field: [hash]}


@pytest.mark.parametrize("field", HASHED_FIELDS)
def test_what_is_hashed_already_passes_in_lower_case(field: str) -> None:
    known = sha("known")
    assert outcome(**{field: known.upper()}) == {field: [known]}
    assert outcome(**{field: [f" {known}\n", known]}) == {field: [known]}
    for suffix in (".AQICAQEC", ".Bg"):
        assert outcome(**{field: known.upper() + suffix}) == {field: [known + suffix]}


@pytest.mark.parametrize("field", sorted({*HASHED_FIELDS} - {"external_id"}))
@pytest.mark.parametrize(
    "broken",
    [
        sha("known")[:-1],
        sha("known") + "0",
        "x" + sha("known")[1:],
        f"sha256:{sha('known')}",
        f"SHA-256={sha('known')}",
        f"0x{sha('known')}",
        hashlib.md5(b"known").hexdigest(),
        hashlib.sha1(b"known").hexdigest(),
        f"md5:{hashlib.md5(b'known').hexdigest()}",
        f"{sha('known')}.AQICAQE",
        "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
    ],
)
def test_a_broken_or_another_hash_is_refused_and_never_hashed_again(field: str, broken: str) -> None:
    refusal = outcome(**{field: broken})
    assert isinstance(refusal, str)
    assert refusal.startswith(f"user_data.{field}: must be plain, or a whole SHA-256 as 64 hexadecimal digits")


def test_an_address_may_begin_like_a_hash() -> None:
    relay = hashlib.md5(b"known").hexdigest() + ".x@relay.example.com"
    assert outcome(em=relay) == {"em": [sha(relay)]}


@pytest.mark.parametrize(
    ("country", "postcode", "normal"),
    [
        ("US", "94107-1234", "94107"),
        ("us", "941071234", "94107"),
        (sha("us"), "94107", "94107"),
        ("SA", "12345-6789", "123456789"),
        (["US", "CA"], "k1a 0b1", "k1a0b1"),
    ],
)
def test_a_postcode_is_cut_to_five_digits_in_the_usa_alone(country: Any, postcode: str, normal: str) -> None:
    wire = outcome(country=country, zp=postcode)
    assert isinstance(wire, dict)
    assert wire["zp"] == [sha(normal)]


def test_a_postcode_that_the_usa_cannot_have_is_refused_there() -> None:
    assert outcome(country="us", zp="K1A 0B1") == "user_data.zp: must be five digits in the USA, or nine"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 8.8.8.8\n", "8.8.8.8"),
        ("255.1.1.1", None),
        ("2001:DB8::1", "2001:db8::1"),
        ("2001:DB8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6"),
        ("fd00:1:2:3:4:5:6:7", None),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:10.0.0.1", None),
        ("10.1.2.3", None),
        ("100.1.2.3", "100.1.2.3"),
        ("100.64.0.1", None),
        ("127.0.0.1", None),
        ("169.254.1.1", None),
        ("172.15.0.1", "172.15.0.1"),
        ("172.31.0.1", None),
        ("192.168.0.1", None),
        ("192.169.0.1", "192.169.0.1"),
        ("224.0.0.1", None),
        ("0.0.0.0", None),
        ("::1", None),
        ("::", None),
        ("::2", "::2"),
        ("fd00::1", None),
        ("fe80::1", None),
        ("fe80::1%eth0", None),
        ("2001:db8::1%eth0", None),
        ("ff02::1", None),
    ],
)
def test_a_public_address_is_sent_as_it_is_and_no_other(given: str, sent: str | None) -> None:
    assert outcome(client_ip_address=given) == ({"client_ip_address": sent} if sent else {})


@pytest.mark.parametrize(
    "given",
    ["", "localhost", "203.0.113.7:443", "203.0.113", "203.0.113.007", "203.0.113.7, 10.0.0.1", "1.2.3.256", "[::1]"],
)
def test_what_is_no_address_is_refused(given: str) -> None:
    rule = "must be one IPv4 or IPv6 address, without port"
    assert outcome(client_ip_address=given) == f"user_data.client_ip_address: {rule}"
