"""Working off a backlog: few questions to the store, and no lane is forgotten over another's."""

import pytest

from collector.destinations.outbound import Outbound
from collector.dispatcher import LOOK_SECONDS
from collector.lane import Limits
from collector.store.face import LaneDue, StoredEvent
from tests.delivery.house import House

OTHER = "5f1e6c1a-0000-4000-8000-000000000002"
FEW = Limits(lane_events=30, claimed_events=20)


@pytest.fixture
async def asked(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the dispatcher asks of the store: "due", or the lane of a claim."""
    asked: list[str] = []
    due, claim = house.outbox.due, house.outbox.claim

    async def noted_due() -> list[LaneDue]:
        asked.append("due")
        return await due()

    async def noted_claim(lane: str, limit: int, lease_ms: int) -> list[StoredEvent]:
        asked.append(lane)
        return await claim(lane, limit, lease_ms)

    monkeypatch.setattr(house.outbox, "due", noted_due)
    monkeypatch.setattr(house.outbox, "claim", noted_claim)
    return asked


async def test_a_lane_that_is_behind_is_claimed_for_without_asking_each_time_what_is_due(
    house: House, outbound: Outbound, asked: list[str]
) -> None:
    house.employ(Outbound())
    await house.take_many(200, leased=False)
    dispatcher = house.employ(outbound, limits=FEW)
    await dispatcher.start()
    await house.until(lambda states: states == {"delivered": 200})
    assert len(asked) - asked.count("due") >= 10
    assert asked.count("due") <= 3
    await dispatcher.stop(5)


async def test_what_falls_due_while_another_lane_is_behind_is_found_soon(
    house: House, outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.business(OTHER)
    await house.channel(OTHER)
    await house.directory.refresh()
    elsewhere = house.employ(Outbound())
    await house.take_many(200, leased=False)
    dispatcher = house.employ(outbound, limits=FEW)
    house.dispatcher = elsewhere  # it nudges nobody here
    claim, claims = house.outbox.claim, 0

    async def claim_later(lane: str, limit: int, lease_ms: int) -> list[StoredEvent]:
        nonlocal claims
        claims += 1
        if claims == 1:
            await house.take(leased=False, business_id=OTHER)
        house.time.advance(LOOK_SECONDS / 2)
        return await claim(lane, limit, lease_ms)

    monkeypatch.setattr(house.outbox, "claim", claim_later)
    await dispatcher.start()
    await house.until(lambda states: states == {"delivered": 1}, OTHER)
    house.dispatcher = dispatcher
    assert (await house.states())["pending"] > 100
    await house.until(lambda states: states == {"delivered": 200})
    await dispatcher.stop(5)


async def test_a_lane_that_has_caught_up_asks_nothing_of_the_store(
    house: House, outbound: Outbound, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    """Its last claim was a full one, and the next look found nothing."""
    house.employ(Outbound())
    await house.take_many(20, leased=False)
    dispatcher = house.employ(outbound, limits=FEW)
    claim = house.outbox.claim

    async def claim_slowly(lane: str, limit: int, lease_ms: int) -> list[StoredEvent]:
        house.time.advance(LOOK_SECONDS)
        return await claim(lane, limit, lease_ms)

    monkeypatch.setattr(house.outbox, "claim", claim_slowly)
    await dispatcher.start()
    await house.until(lambda states: states == {"delivered": 20})
    await house.rest()
    asked.clear()
    for _ in range(10):
        await (await house.take()).wait(20)
    assert asked == []
    await dispatcher.stop(5)


async def test_what_is_committed_while_a_claim_is_under_way_is_sent_at_once(
    house: House, outbound: Outbound, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher = house.employ(outbound, limits=FEW)
    await dispatcher.start()
    await house.rest()
    claim, late = house.outbox.claim, False

    async def claim_nothing(lane: str, limit: int, lease_ms: int) -> list[StoredEvent]:
        nonlocal late
        found = await claim(lane, limit, lease_ms)
        if not found and not late:
            late = True
            await house.take(leased=False)
        return found

    monkeypatch.setattr(house.outbox, "claim", claim_nothing)
    dispatcher.nudge(house.event()[1].lane)
    await house.until(lambda states: states == {"delivered": 1})
    await dispatcher.stop(5)
