"""What waits to be committed, and who goes next: settlements beside those who wait for an acknowledgement."""

import asyncio

import pytest

from collector.store.ledger import TAKE
from collector.store.outbox import SETTLE
from collector.store.waiting import Kind, Op, Waiting

pytestmark = pytest.mark.anyio


def op(kind: Kind, name: str, rows: int = 1) -> Op:
    slot = tuple((name, number) for number in range(rows))
    return Op(kind, (slot,), asyncio.get_running_loop().create_future())


def names(batch: list[Op]) -> list[str]:
    return [each.slots[0][0][0] for each in batch]


async def test_settlements_have_commits_of_their_own_where_several_write() -> None:
    waiting = Waiting(apart=True)
    waiting.add(op(TAKE, "event"), "server")
    for name in ("first", "second"):
        waiting.add(op(SETTLE, name, 50), "server")
    assert names(waiting.next(2)) == ["first", "second"]
    assert names(waiting.next(1)) == ["event"]
    assert waiting.next(1) == []


async def test_settlements_come_along_where_one_writes() -> None:
    waiting = Waiting(apart=False)
    waiting.add(op(TAKE, "event"), "server")
    waiting.add(op(SETTLE, "settlement", 50), "server")
    waiting.add(op(TAKE, "view"), "browser")
    assert names(waiting.next(1)) == ["event", "settlement", "view"]


@pytest.mark.parametrize("rows", [1, 5])
async def test_however_many_settlements_come_every_other_commit_is_for_events(rows: int) -> None:
    waiting = Waiting(apart=True)
    for name in ("a", "b"):
        waiting.add(op(TAKE, name, rows), "server")
    seen = []
    for _ in range(4):
        waiting.add(op(SETTLE, "settlement"), "server")
        batch = waiting.next(2)
        waiting.ended(batch)
        seen += names(batch)
    assert seen == (
        ["settlement", "a", "b", "settlement", "settlement", "settlement"]
        if rows == 1
        else ["settlement", "a", "settlement", "settlement", "b"]
    )


async def test_settlements_alone_follow_each_other() -> None:
    waiting = Waiting(apart=True)
    for name in ("first", "second"):
        waiting.add(op(SETTLE, name), "server")
        assert names(waiting.next(2)) == [name]


async def test_a_commit_of_settlements_is_no_short_one() -> None:
    """Nobody stands aside for it: its rows are no single ones."""
    waiting = Waiting(apart=True)
    waiting.add(op(SETTLE, "settlement"), "server")
    assert not waiting.is_short(waiting.next(2))
    waiting.add(op(TAKE, "event"), "server")
    assert waiting.is_short(waiting.next(2))
