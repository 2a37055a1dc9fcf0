"""Outcomes are written together: a full commit at most waits behind the one under way, and small lanes need none of their own."""

import asyncio

import pytest

from collector.dispatcher import Dispatcher
from collector.lane.kit import Room
from collector.store.face import Settlement
from tests.delivery.house import House

SHOPS = [f"5f1e6c1a-0000-4000-8000-{number:012}" for number in range(2, 10)]


async def test_the_outcomes_of_many_small_lanes_share_a_commit(
    house: House, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_there = asyncio.Barrier(len(SHOPS))
    settle = house.outbox.settle

    async def together(settlements: list[Settlement]) -> list[bool]:
        async with asyncio.timeout(5):
            await all_there.wait()
        return await settle(settlements)

    for shop in SHOPS:
        await house.business(shop)
        await house.channel(shop)
    await house.directory.refresh()
    monkeypatch.setattr(house.outbox, "settle", together)
    verdicts = await asyncio.gather(*[(await house.take(business_id=shop)).wait(20) for shop in SHOPS])
    assert [verdict and verdict.state for verdict in verdicts] == ["delivered"] * len(SHOPS)


async def test_a_room_is_never_overfull_and_entered_in_turn() -> None:
    room, inside, entered = Room(10), list[int](), list[int]()

    async def visit(count: int, leave: asyncio.Event) -> None:
        async with room.hold(count):
            inside.append(count)
            entered.append(count)
            await leave.wait()
            inside.remove(count)

    leaves = [asyncio.Event() for _ in range(5)]
    tasks = [asyncio.create_task(visit(*each)) for each in zip((6, 4, 5, 1, 20), leaves, strict=True)]
    seen = []
    for leave in leaves:
        for _ in range(5):
            await asyncio.sleep(0)
        seen.append(list(inside))
        leave.set()
    await asyncio.gather(*tasks)
    assert seen == [[6, 4], [4, 5, 1], [5, 1], [1], [20]]
    assert entered == [6, 4, 5, 1, 20]  # one who is more than all goes in alone, and nobody overtakes


async def test_who_gives_up_waiting_keeps_nobody_out() -> None:
    room = Room(1)
    async with room.hold(1):
        waiting = asyncio.create_task(room.hold(1).__aenter__())
        await asyncio.sleep(0)
        waiting.cancel()
    async with asyncio.timeout(5), room.hold(1):
        pass
