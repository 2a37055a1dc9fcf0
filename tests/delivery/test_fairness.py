"""Lanes take turns; browsers let servers go first; a great backlog leaves room to the others."""

import asyncio

import pytest

from collector.destinations.outbound import Outbound
from collector.dispatcher import _turn
from collector.lane import Limits
from collector.lane.kit import Sockets
from collector.store.face import LaneDue
from tests.delivery.house import House


class Greedy:
    """A lane that always wants one more request, and notes its turns."""

    def __init__(self, name: str, sockets: Sockets, turns: list[str], patient: bool = False) -> None:
        self.in_line = False
        self.patient = patient
        self._name = name
        self._sockets = sockets
        self._turns = turns

    def pump(self) -> None:
        if self._sockets.take(self):
            self._turns.append(self._name)
            self._sockets.take(self)


def test_lanes_take_turns_and_servers_go_before_browsers() -> None:
    sockets, turns = Sockets(1), list[str]()
    lanes = [Greedy("browser", sockets, turns, patient=True), Greedy("a", sockets, turns), Greedy("b", sockets, turns)]
    assert sockets.take(lanes[0])
    for lane in lanes:
        lane.pump()
    for _ in range(6):
        sockets.give()
    assert turns == ["a", "b", "a", "b", "a", "b"]
    assert sockets.free == 0


def test_a_lane_that_needs_its_turn_no_more_passes_it_on() -> None:
    class Content(Greedy):
        def pump(self) -> None:
            pass

    sockets, turns = Sockets(1), list[str]()
    content, greedy = Content("content", sockets, turns), Greedy("greedy", sockets, turns)
    assert sockets.take(content)
    assert not sockets.take(content)
    assert not sockets.take(greedy)
    sockets.give()
    assert turns == ["greedy"]


def test_servers_backlogs_are_claimed_before_browsers_and_the_oldest_first() -> None:
    due = [
        LaneDue(lane=f"meta:b:whatsapp:{source}", due_at=at)
        for source, at in (("browser", 1), ("server", 9), ("server", 5))
    ]
    assert [(each.lane.rpartition(":")[2], each.due_at) for each in sorted(due, key=_turn)] == [
        ("server", 5),
        ("server", 9),
        ("browser", 1),
    ]


@pytest.mark.parametrize("others", [6])
async def test_great_backlogs_do_not_starve_a_small_shop(house: House, outbound: Outbound, others: int) -> None:
    shops = [f"5f1e6c1a-0000-4000-8000-0000000001{number:02}" for number in range(others)]
    house.employ(Outbound())
    for shop in shops:
        await house.business(shop)
        await house.channel(shop, dataset_id="200000000000009")
    await house.sandbox.put("state", {"datasets": {"200000000000009": {"waba_id": "100000000000001"}}})
    await house.directory.refresh()
    await asyncio.gather(*(house.take_many(40, business_id=shop, leased=False) for shop in shops))
    house.time.advance(1)
    late = await house.take(leased=False)
    await house.sandbox.faults({"kind": "hang", "dataset_id": "200000000000009"})
    dispatcher = house.employ(outbound, limits=Limits(events=60, lane_events=30, claimed_events=20))
    await dispatcher.start()
    await house.until(lambda states: states == {"delivered": 1})
    assert len(await house.sandbox.accepted()) == 1
    late.close()
    await house.sandbox.faults()
    for shop in shops:
        await house.until(lambda states: states == {"delivered": 40}, shop)
    await dispatcher.stop(10)
