"""The attribution token and the ref: what is signed comes back, nothing else is believed."""

import base64
import re

import pytest

from bench.tokens import SIZE_BYTES_MAX, sample, sizes
from collector.attribution import (
    AGE_SECONDS_MAX,
    CLOCK_SKEW_SECONDS,
    Attribution,
    Click,
    _Signer,
    ref,
    sign,
    verify,
)
from collector.errors import BadToken
from tests.unit.samples import BUSINESS, CLICK, KEY, NEXT_KEY, NOW, OTHER

SEEN = Attribution(CLICK, NOW)
TOKEN = sign(SEEN, BUSINESS, [KEY])
ODD = Click("a.b", "c d", "e|f~+/=", "x")


def refusal(token: str, business_id: str = BUSINESS, keys: tuple[bytes, ...] = (KEY,), now: int = NOW) -> str | None:
    """Why the token is refused; None when it is believed."""
    try:
        verify(token, business_id, keys, now)
    except BadToken as fault:
        return fault.reason
    return None


def resigned(value: str) -> str:
    """A value signed with the right key, as an earlier or later version of this software might have written it."""
    return _Signer([KEY], BUSINESS, NOW).sign(value).decode()


@pytest.mark.parametrize("click", [CLICK, ODD, Click(ctwa_clid="c"), Click("t"), Click(*["~" * 512] * 4), Click()])
def test_what_is_signed_comes_back(click: Click) -> None:
    token = sign(Attribution(click, NOW), BUSINESS, [KEY])
    assert verify(token, BUSINESS, [KEY], NOW) == Attribution(click, NOW)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", token)


def altered(token: str, position: int, char: str) -> str:
    return token[:position] + char + token[position + 1 :]


def test_a_byte_altered_at_any_position_to_any_value_is_never_accepted() -> None:
    """Each part is here with a few characters; the next test takes a token of real length."""
    token = sign(Attribution(Click("tr", "s.d", "clid", "7"), NOW), BUSINESS, [KEY])
    believed = [
        (position, char)
        for position, own in enumerate(token)
        for char in map(chr, range(256))
        if char != own and refusal(altered(token, position, char)) != "token-forged"
    ]
    assert believed == []
    assert refusal(token) is None


def test_a_bit_flipped_anywhere_in_a_token_of_real_length_is_never_accepted() -> None:
    believed = [
        (position, bit)
        for position, own in enumerate(TOKEN)
        for bit in range(8)
        if refusal(altered(TOKEN, position, chr(ord(own) ^ 1 << bit))) != "token-forged"
    ]
    assert believed == []
    assert refusal(TOKEN) is None


def test_a_byte_left_out_doubled_or_added_is_never_accepted() -> None:
    for position in range(len(TOKEN)):
        assert refusal(TOKEN[:position] + TOKEN[position + 1 :]) == "token-forged"
        assert refusal(TOKEN[: position + 1] + TOKEN[position:]) == "token-forged"
    for added in ["=", " ", "\n", "\0", "A", ".", "é", "\ud800"]:
        assert refusal(TOKEN + added) == "token-forged"
        assert refusal(added + TOKEN) == "token-forged"


@pytest.mark.parametrize(
    "token",
    ["", ".", "...", "a" * 5000, "a.b.c", "1" * 300 + ".x.y", "\ud800.\ud800.\ud800", "é.é.é", f"{TOKEN}.{TOKEN}"],
)
def test_what_was_never_a_token_is_forged(token: str) -> None:
    assert refusal(token) == "token-forged"


@pytest.mark.parametrize("business_id", [OTHER, "", BUSINESS.upper(), f"{BUSINESS} "])
def test_a_token_of_another_business_is_forged(business_id: str) -> None:
    assert refusal(TOKEN, business_id) == "token-forged"


def test_an_unknown_key_is_forged() -> None:
    assert refusal(TOKEN, keys=(NEXT_KEY,)) == "token-forged"


def test_after_rotation_the_newest_key_signs_and_the_old_one_is_still_believed() -> None:
    rotated = sign(SEEN, BUSINESS, [KEY, NEXT_KEY])
    assert refusal(TOKEN, keys=(KEY, NEXT_KEY)) is None
    assert refusal(rotated, keys=(KEY, NEXT_KEY)) is None
    assert refusal(rotated, keys=(NEXT_KEY,)) is None
    assert refusal(rotated, keys=(KEY,)) == "token-forged"
    assert refusal(TOKEN, keys=(NEXT_KEY,)) == "token-forged"


def test_a_token_is_believed_to_the_last_second_of_its_90_days() -> None:
    assert AGE_SECONDS_MAX == 90 * 24 * 3600
    assert refusal(TOKEN, now=NOW + AGE_SECONDS_MAX) is None
    assert refusal(TOKEN, now=NOW + AGE_SECONDS_MAX + 1) == "token-expired"


def test_a_token_from_the_future_is_forged_beyond_the_skew_of_two_clocks() -> None:
    assert refusal(TOKEN, now=NOW - CLOCK_SKEW_SECONDS) is None
    assert refusal(TOKEN, now=NOW - CLOCK_SKEW_SECONDS - 1) == "token-forged"


@pytest.mark.parametrize(
    "value", ["", "1", "10", "10...", "10.....", "20....", "1g....", "100....", "11.é...", "11.A...", "1 ...."]
)
def test_a_good_signature_over_another_format_is_forged(value: str) -> None:
    assert refusal(resigned(value)) == "token-forged"


def test_a_value_of_bytes_that_are_no_text_is_forged() -> None:
    not_text = base64.urlsafe_b64encode(b"\xff").decode().rstrip("=")
    assert refusal(resigned(f"11.{not_text}...")) == "token-forged"
    assert refusal(resigned("11.YQ...")) is None  # the same, with text


@pytest.mark.parametrize("length", [99, 131])
def test_a_token_of_real_ids_fits_into_320_bytes(length: int) -> None:
    """Real click ids have 99 or 131 characters; a cookie's name and attributes come on top."""
    attribution = sample(length)
    assert len(attribution.click.ctwa_clid or "") == length
    size = len(sign(attribution, BUSINESS, [KEY]))
    print(f"token with a {length}-character click id: {size} bytes")  # noqa: T201  # `pytest -rP` shows it; `python -m bench.tokens` too
    assert size <= SIZE_BYTES_MAX == 320
    assert sizes()[length] == size


def test_the_same_landing_always_has_the_same_ref_of_22_plain_characters() -> None:
    name = ref(CLICK, BUSINESS, KEY)
    assert name == ref(Click(*CLICK.values()), BUSINESS, KEY)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", name)


def test_refs_differ_by_business_by_each_id_by_place_and_by_key() -> None:
    clicks = [CLICK, Click(), *(Click(**{name: "x"}) for name in Click.__struct_fields__), Click("xx"), Click("x", "x")]
    names = [
        ref(click, business_id, key) for click in clicks for business_id in (BUSINESS, OTHER) for key in (KEY, NEXT_KEY)
    ]
    assert len(set(names)) == len(names)
