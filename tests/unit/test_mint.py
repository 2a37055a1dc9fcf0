"""Row ids: in the order in which they were made, and not to be guessed."""

import os

from collector.app import MINTED_AT_ONCE, Mint

NOW = 1_760_000_000_000


def test_ids_sort_as_they_were_made() -> None:
    mint = Mint()
    ids = [mint(NOW + number // 500) for number in range(3 * MINTED_AT_ONCE)]
    assert ids == sorted(ids)


def test_an_id_tells_its_millisecond_and_is_32_digits_long() -> None:
    mint = Mint()
    ids = [mint(NOW) for _ in range(70_000)]  # more than are counted: their order is lost, they are not
    assert {each[:12] for each in ids} == {f"{NOW:012x}"}
    assert {len(each) for each in ids} == {32}
    assert len(set(ids)) == len(ids)


def test_whoever_knows_an_id_cannot_tell_the_next() -> None:
    """Eight bytes of each are random and used once."""
    drawn: list[bytes] = []

    def random(count: int) -> bytes:
        drawn.append(os.urandom(count))
        return drawn[-1]

    mint = Mint(random)
    tails = {mint(NOW)[16:] for _ in range(MINTED_AT_ONCE)}
    assert len(drawn) == 1
    assert len(tails) == MINTED_AT_ONCE
    assert all(bytes.fromhex(tail) in drawn[0] for tail in tails)


def test_a_clock_that_is_set_back_gives_no_id_twice() -> None:
    mint = Mint()
    ids = [mint(NOW - number % 2) for number in range(1000)]
    assert len(set(ids)) == len(ids)
