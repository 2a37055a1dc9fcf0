"""Events of which their process does not know whether they were committed: nobody has sent them, and nobody waits for their leases to end."""

import asyncio
from typing import Any, cast

import pytest

from collector.destinations.outbound import Outbound
from collector.errors import Unavailable, Uncertain
from collector.event import Event
from collector.intake import Intake
from collector.match import Match
from collector.outset import Target
from collector.receipt import Candidate
from collector.store import face
from tests.delivery.house import SHOP, House

WITHOUT_ANSWER = 3


class Takes:
    """A destination that asks for nothing."""

    takes_tests = True

    def lacks(self, _event: Event) -> str | None:
        return None


class Deaf:
    """The store's ledger, which may take what it is given, and does not say so."""

    def __init__(self, house: House, error: BaseException, takes: bool) -> None:
        self._ledger = house.store.ledger
        self._error = error
        self._takes = takes

    async def take_all(self, takes: list[face.Take], version: int) -> list[face.Taken]:
        if self._takes:
            await self._ledger.take_all(takes, version)
        raise self._error


async def call(house: House, error: BaseException, takes: bool) -> None:
    """Some events of one call, whose commit is not answered."""
    anything = cast("Any", None)
    ledger = cast("Any", Deaf(house, error, takes))
    targets: dict[str, Target] = {"meta": Takes()}
    intake = Intake(ledger, house.directory, house.dispatcher, anything, targets, anything, house.time.clock)
    events = [house.event()[0] for _ in range(WITHOUT_ANSWER)]
    calls = [
        (Candidate(event=each, match=Match(each.click)), face.Record(business_id=SHOP, id=each.id, received_at=1))
        for each in events
    ]
    with pytest.raises(type(error)):
        await intake.take_all(calls, house.directory.version)


@pytest.mark.parametrize("error", [Uncertain("the connection was lost in COMMIT"), asyncio.CancelledError()])
async def test_what_was_committed_all_the_same_goes_out_once_at_once_and_leaves_no_unknown(
    house: House, outbound: Outbound, error: BaseException
) -> None:
    dispatcher = house.employ(outbound, on_unknown="hold")
    await dispatcher.start()
    before = house.time.clock()
    await call(house, error, takes=True)
    await house.until(lambda states: states == {"delivered": WITHOUT_ANSWER})
    assert house.time.clock() - before < 60_000
    for each in (await house.deliveries()).values():
        attempts = await house.store.ledger.attempts(SHOP, each.id)
        assert [(attempt.number, attempt.outcome) for attempt in attempts] == [(1, "accepted")]
    assert dispatcher.facts()["events_in_hand"] == 0


async def test_what_was_not_committed_is_not_sent_and_keeps_no_slot(house: House, outbound: Outbound) -> None:
    dispatcher = house.employ(outbound)
    await dispatcher.start()
    await call(house, Uncertain("the connection was refused"), takes=False)
    await house.rest()
    assert (await house.states(), await house.sandbox.requests()) == ({}, [])
    assert dispatcher.facts()["events_in_hand"] == 0
    (lane,) = dispatcher._lanes.values()
    assert lane.slots == 0


async def test_what_was_refused_for_certain_asks_nothing_of_the_store(house: House, outbound: Outbound) -> None:
    dispatcher = house.employ(outbound)
    await dispatcher.start()
    released: list[int] = []
    release = house.outbox.release

    async def counting(claims: list[face.StoredEvent], due_at: int) -> None:
        released.append(len(claims))
        await release(claims, due_at)

    house.outbox.release = counting  # type: ignore[method-assign]  # what it is asked is what the test is about
    for error in (Unavailable("too much waits to be stored"), face.StaleDirectory(2)):
        await call(house, error, takes=False)
    await call(house, Uncertain("the connection was refused"), takes=False)
    await house.rest()
    assert released == [WITHOUT_ANSWER]  # in one commit
