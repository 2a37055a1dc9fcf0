"""Reading a landing: the ids verbatim after one decoding, from query or fragment; bad input is left out by name and never raises."""

import pytest

from collector.attribution import ID_BYTES_MAX, QUERY_CHARS_MAX, Click, id_fault, read_landing
from tests.unit.samples import CLICK, CLICK_ID

FULL = (
    f"cnct_tracking_id={CLICK.cnct_tracking_id}&sendout_id={CLICK.sendout_id}&ctwa_clid={CLICK.ctwa_clid}"
    f"&ad_id={CLICK.ad_id}&attribution_source=meta_ctwa"
)


def clid(query: str, fragment: str = "") -> str | None:
    return read_landing(query, fragment)[0].ctwa_clid


@pytest.mark.parametrize("lead", ["", "?", "utm_source=x&", "?utm_source=x&&=&a&=b&"])
def test_all_four_ids_are_read_whatever_stands_before_them(lead: str) -> None:
    assert read_landing(lead + FULL) == (CLICK, ())


@pytest.mark.parametrize(
    "fragment", [FULL, f"#{FULL}", f"/product/7?{FULL}", f"#!/p?{FULL}", f"?{FULL}", f"{FULL}&u=a?b"]
)
def test_a_fragment_gives_the_ids_when_the_query_has_none(fragment: str) -> None:
    assert read_landing("page=2", fragment) == (CLICK, ())


def test_the_query_wins_over_the_fragment_and_their_ids_are_never_mixed() -> None:
    assert read_landing("ctwa_clid=query", "ctwa_clid=fragment&ad_id=7") == (Click(ctwa_clid="query"), ())


def test_a_query_whose_id_breaks_a_rule_is_not_completed_from_the_fragment() -> None:
    assert read_landing("ctwa_clid=%00", "ctwa_clid=fragment") == (Click(), ("ctwa_clid",))


def test_a_fragment_route_without_pairs_gives_nothing() -> None:
    assert read_landing("", "/ctwa_clid/x") == (Click(), ())


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("a%2Db", "a-b"),
        ("a%2db", "a-b"),
        ("a%2526b", "a%26b"),
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("a=b==", "a=b=="),
        ("%41%42%43", "ABC"),
        ("a%", "a%"),
        ("a%4", "a%4"),
        ("a%zz", "a%zz"),
        ("%%41", "%A"),
        ("a;b", "a;b"),
        ("a#b?c", "a#b?c"),
        ("AR_x-Y", "AR_x-Y"),
    ],
)
def test_values_are_decoded_exactly_once_and_malformed_escapes_stay(raw: str, value: str) -> None:
    assert read_landing(f"ctwa_clid={raw}") == (Click(ctwa_clid=value), ())


@pytest.mark.parametrize("name", ["ctwa%5Fclid", "%63twa_clid", "ctwa_cli%64"])
def test_names_are_decoded_as_values_are(name: str) -> None:
    assert clid(f"{name}=x") == "x"


@pytest.mark.parametrize("name", ["CTWA_CLID", "ctwa_clid[]", " ctwa_clid", "xctwa_clid", "ctwa-clid", "ctwa_clid%00"])
def test_other_names_are_not_ours(name: str) -> None:
    assert read_landing(f"{name}=x") == (Click(), ())


def test_of_repeats_the_last_that_keeps_the_rules_wins() -> None:
    assert read_landing("ctwa_clid=first&ctwa_clid=last") == (Click(ctwa_clid="last"), ())
    assert read_landing("ctwa_clid=first&ctwa_clid=&ctwa_clid=%ff") == (Click(ctwa_clid="first"), ())


def test_escaped_ampersands_separate_too() -> None:
    assert read_landing(FULL.replace("&", "&amp;")) == (CLICK, ())


@pytest.mark.parametrize(
    "raw", ["%00", "a%0ab", "%7f", "%ff", "%C3%A9", "é", "%ED%A0%80", "\ud800", "%F0%9F%98%80", "a" * 513, "%41" * 513]
)
def test_an_id_that_is_not_printable_ascii_of_at_most_512_bytes_is_left_out_by_name(raw: str) -> None:
    assert read_landing(f"ctwa_clid={raw}&ad_id=7") == (Click(ad_id="7"), ("ctwa_clid",))


def test_an_id_of_512_bytes_is_kept() -> None:
    assert clid(f"ctwa_clid={'%41' * ID_BYTES_MAX}") == "A" * ID_BYTES_MAX


def test_an_empty_id_is_no_id_and_no_fault() -> None:
    assert read_landing("ctwa_clid=&ad_id&sendout_id=") == (Click(), ())


def test_an_id_that_the_length_limit_cuts_is_left_out_not_halved() -> None:
    query = f"{'x' * (QUERY_CHARS_MAX - 20)}&ctwa_clid={CLICK_ID}"
    assert read_landing(f"ad_id=7&{query}") == (Click(ad_id="7"), ())


def test_a_query_of_exactly_the_limit_is_read_to_its_end() -> None:
    tail = f"&ctwa_clid={CLICK_ID}"
    assert clid("x" * (QUERY_CHARS_MAX - len(tail)) + tail) == CLICK_ID


@pytest.mark.parametrize("text", ["a" * 100_000, "&" * 100_000, "%" * 100_000, "ctwa_clid=" * 10_000, "&amp;" * 20_000])
def test_100_kilobytes_are_read_without_harm(text: str) -> None:
    click, refused = read_landing(text, text)
    assert not click
    assert set(refused) <= {"ctwa_clid"}


def test_ids_at_the_start_of_100_kilobytes_are_found() -> None:
    assert read_landing(f"{FULL}&x={'a' * 100_000}") == (CLICK, ())


@pytest.mark.parametrize(
    ("click", "credits"),
    [
        (Click(), False),
        (Click(sendout_id="s", ad_id="a"), False),
        (Click(ctwa_clid="c"), True),
        (Click(cnct_tracking_id="t"), True),
    ],
)
def test_a_click_counts_when_it_has_a_click_id_or_a_tracking_id(click: Click, credits: bool) -> None:
    assert bool(click) is credits


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("", "must not be empty"),
        ("a" * 513, "at most 512 bytes"),
        ("a\n", "only printable ASCII"),
        ("é", "only printable ASCII"),
        ("a b~!", None),
        ("a" * 512, None),
    ],
)
def test_the_rules_of_an_id_are_named(value: str, rule: str | None) -> None:
    assert id_fault(value) == rule
