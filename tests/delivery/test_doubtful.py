"""Events of which their process does not know whether they were committed: nobody has sent them, and nobody waits for their leases to end."""

import asyncio
from pathlib import Path
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
from tests.delivery.house import SHOP, House, open_house

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


def ready(house: House, ledger: Any) -> Intake:
    anything = cast("Any", None)
    targets: dict[str, Target] = {"meta": Takes()}
    return Intake(ledger, house.directory, house.dispatcher, anything, targets, anything, house.time.clock)


def candidate(house: House) -> tuple[Candidate, face.Record]:
    event = house.event()[0]
    return Candidate(event=event, match=Match(event.click)), face.Record(business_id=SHOP, id=event.id, received_at=1)


async def call(house: House, error: BaseException, takes: bool) -> None:
    """Some events of one call, whose commit is not answered."""
    intake = ready(house, Deaf(house, error, takes))
    with pytest.raises(type(error)):
        await intake.take_all([candidate(house) for _ in range(WITHOUT_ANSWER)], house.directory.version)


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


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    dsn: str = request.getfixturevalue("postgres_dsn") if request.param == "postgres" else ""
    return dsn or tmp_path / "store.db"


async def test_callers_who_are_cancelled_at_any_moment_leave_nothing_behind_that_waits_for_a_rescue(
    database: Path | str, sandbox_url: str, outbound: Outbound
) -> None:
    """Before their commit began, meanwhile, behind another, on the way back: what was stored goes out at once."""
    async with open_house(database, sandbox_url) as house:
        dispatcher = house.employ(outbound, on_unknown="hold", alone=isinstance(database, Path))
        await dispatcher.start()
        intake = ready(house, house.store.ledger)
        tasks = []
        for moment in range(40):
            tasks.append(asyncio.create_task(intake.take_all([candidate(house)], house.directory.version)))
            if moment % 2:
                for _ in range(moment // 2):
                    await asyncio.sleep(0)
                tasks[-1].cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert sum(isinstance(each, asyncio.CancelledError) for each in ended) > 5
        await house.until(lambda states: set(states) == {"delivered"} and states["delivered"] > 20)
        facts = dispatcher.facts()
        assert (facts["rescued"], facts["unknown"], facts["events_in_hand"]) == (0, 0, 0)
        house.time.advance(3600)
        await dispatcher.stop(0)


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
