"""A stop, a crash, a store that goes away: nothing acknowledged is lost, and what nobody knows is counted."""

import asyncio

import msgspec
import pytest

from collector.delivery import Outcome
from collector.destinations import Answer
from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.dispatcher import Dispatcher
from collector.errors import Unavailable
from collector.lane import Limits
from collector.store import face
from tests.delivery.house import House


async def leave_behind(house: House, count: int) -> None:
    """So many events leased by a process that died before it settled them."""
    for _ in range(count):
        event, delivery = house.event()
        leased = msgspec.structs.replace(delivery, state="sending", attempts=1, lease_ms=60_000)
        record = face.Record(business_id=event.business_id, id=event.id, received_at=event.received_at)
        await house.store.ledger.take(event, leased, record, (), house.directory.version)


async def test_a_soft_stop_finishes_what_is_on_its_way_and_its_callers_hear(house: House, outbound: Outbound) -> None:
    dispatcher = house.employ(outbound)
    await dispatcher.start()
    await house.sandbox.faults({"kind": "slow", "delay_ms": 200})
    tickets = await house.take_many(30)
    waiting = [asyncio.create_task(ticket.wait(20)) for ticket in tickets]
    await dispatcher.stop(10)
    assert {verdict.state for verdict in await asyncio.gather(*waiting) if verdict} == {"delivered"}
    assert await house.states() == {"delivered": 30}
    assert dispatcher.facts()["events_in_hand"] == 0


async def test_a_stopped_dispatcher_takes_nothing_and_nothing_is_lost(house: House, outbound: Outbound) -> None:
    dispatcher = house.employ(outbound)
    await dispatcher.start()
    await dispatcher.stop(10)
    assert not dispatcher.reserve(house.event()[1].lane)
    await house.take()
    assert await house.states() == {"pending": 1}
    assert await house.sandbox.requests() == []


async def test_after_the_grace_what_waits_goes_back_and_what_is_on_its_way_is_unknown(
    house: House, outbound: Outbound
) -> None:
    dispatcher = house.employ(outbound, limits=Limits(sockets=1))
    await dispatcher.start()
    await house.sandbox.faults({"kind": "hang"})
    await house.take()
    await asyncio.sleep(0)  # its request begins in this turn of the loop, and takes the only socket
    await house.take_many(42)
    stopping = asyncio.create_task(dispatcher.stop(5))
    await asyncio.sleep(0)
    await house.time.parked()
    house.time.advance(6)
    await stopping
    assert await house.states() == {"retrying": 1, "pending": 42}
    (attempt,) = await house.attempts()
    assert (attempt.outcome, attempt.answer) == ("unknown", "given up: the process stops")
    assert dispatcher.facts()["events_in_hand"] == 0
    await house.sandbox.faults()
    again = house.employ(outbound)
    await again.start()
    await house.live_through(120, 10)
    assert await house.states() == {"delivered": 43}
    await again.stop(5)


@pytest.mark.parametrize(("on_unknown", "states"), [("retry", {"delivered": 50}), ("hold", {"held(unknown)": 50})])
async def test_what_a_dead_process_left_is_rescued_at_the_start_as_unknown(
    house: House, outbound: Outbound, on_unknown: str, states: dict[str, int]
) -> None:
    await leave_behind(house, 50)
    dispatcher = house.employ(outbound, on_unknown=on_unknown)  # type: ignore[arg-type]  # one of the two words
    await dispatcher.start()
    await house.rest()
    assert await house.states() == states
    assert dispatcher.facts()["rescued"] == 50
    first = (await house.attempts())[0]
    assert (first.number, first.trigger, first.outcome) == (1, "rescue", "unknown")
    await dispatcher.stop(5)


async def test_a_lease_that_nobody_holds_is_rescued_when_it_is_over_not_before(
    house: House, dispatcher: Dispatcher
) -> None:
    await house.rest()
    await leave_behind(house, 1)  # as when a commit was reported lost and had happened
    await house.live_through(40, 10)
    assert await house.states() == {"sending": 1}
    await house.live_through(60, 10)
    assert await house.states() == {"delivered": 1}


async def test_what_passes_its_deadline_is_buried(house: House, dispatcher: Dispatcher) -> None:
    await house.outbox.hold("5f1e6c1a-0000-4000-8000-000000000001", "whatsapp", "x", "permission")
    await house.directory.refresh()
    await house.take_many(2)
    await house.live_through(8 * 24 * 3600, 8 * 24 * 3600)
    await house.live_through(60, 20)
    assert await house.states() == {"dead(expired)": 2}
    assert await house.sandbox.requests() == []


async def test_an_outcome_waits_for_a_store_that_is_away_and_nothing_is_sent_twice(
    house: House, dispatcher: Dispatcher
) -> None:
    house.outbox.away = 3
    verdict = await (await house.take()).wait(20)
    assert verdict is not None
    assert house.outbox.away == 0
    assert verdict.state == "delivered"
    assert await house.sandbox.accepted() == ["order-1"]


async def test_a_look_at_the_store_that_fails_is_repeated(house: House, dispatcher: Dispatcher) -> None:
    await house.rest()
    house.outbox.troubles = [Unavailable("away"), RuntimeError("a fault of ours"), Unavailable("away")]
    await house.take(leased=False)
    await house.live_through(10)
    assert house.outbox.troubles == []
    assert await house.states() == {"delivered": 1}


async def test_a_fault_of_ours_costs_one_attempt_not_the_event_nor_the_lane(house: House, outbound: Outbound) -> None:
    class Faulty(Meta):
        faults = 1

        def read(self, answer: Answer, sent: int) -> Outcome:
            self.faults -= 1
            if self.faults >= 0:
                raise RuntimeError("cannot read")
            return super().read(answer, sent)

    dispatcher = house.employ(
        outbound, destinations={"meta": Faulty(outbound, house.sandbox.url, "v25.0", "collector")}
    )
    await dispatcher.start()
    await house.take()
    await house.rest()
    assert await house.states() == {"sending": 1}
    assert dispatcher.facts()["events_in_hand"] == 0
    await (await house.take()).wait(20)
    await house.live_through(120, 10)
    assert await house.states() == {"delivered": 2}
    assert [attempt.outcome for attempt in await house.attempts()] == ["unknown", "accepted"]
    await dispatcher.stop(5)


async def test_an_attempt_that_lost_its_lease_is_not_told_as_the_verdict(house: House, dispatcher: Dispatcher) -> None:
    await house.sandbox.faults({"kind": "slow", "delay_ms": 200, "times": 1})
    await house.take()
    await house.outbox.rescue(True, "retrying", None, house.time.clock() + 5000, 10)
    await house.rest()
    assert dispatcher.facts()["fenced"] == 1
    assert await house.states() == {"retrying": 1}
    await house.live_through(10)
    assert await house.states() == {"delivered": 1}
    assert [attempt.outcome for attempt in await house.attempts()] == ["unknown", "accepted"]


async def test_a_lease_with_too_little_left_is_given_back_not_sent(house: House, outbound: Outbound) -> None:
    dispatcher = house.employ(outbound, limits=Limits(sockets=1))
    await dispatcher.start()
    await house.sandbox.faults({"kind": "slow", "delay_ms": 200, "times": 1})
    await house.take()
    second = await house.take(source="browser")  # waits for the only socket
    house.time.advance(45)
    await house.until(lambda states: states == {"delivered": 2})
    verdict = await second.wait(20)
    assert verdict is not None
    assert verdict.attempts == 1
    assert len(house.outbox.settlements) == 2
    await dispatcher.stop(5)


async def test_a_lease_shorter_than_a_request_is_refused(house: House, outbound: Outbound) -> None:
    with pytest.raises(ValueError, match="lease"):
        house.employ(outbound, limits=Limits(lease_ms=20_000))


async def test_a_lane_that_somebody_misnamed_by_hand_stops_nobody(house: House, dispatcher: Dispatcher) -> None:
    event, delivery = house.event()
    record = face.Record(business_id=event.business_id, id=event.id, received_at=event.received_at)
    odd = msgspec.structs.replace(delivery, lane="nonsense")
    await house.store.ledger.take(event, odd, record, (), house.directory.version)
    assert not dispatcher.reserve("nonsense")
    dispatcher.nudge("nonsense")
    assert not dispatcher.reserve("mars:b:whatsapp:server")
    verdict = await (await house.take()).wait(20)
    assert verdict is not None
    assert await house.states() == {"pending": 1, "delivered": 1}


async def test_slots_are_bounded_and_given_back(house: House, outbound: Outbound) -> None:
    dispatcher = house.employ(outbound, limits=Limits(lane_events=3, claimed_events=2, events=5))
    lane, other = house.event()[1].lane, house.event(source="browser")[1].lane
    assert not dispatcher.reserve(lane)  # it does not deliver yet
    await dispatcher.start()
    assert [dispatcher.reserve(lane) for _ in range(4)] == [True, True, True, False]
    assert [dispatcher.reserve(other) for _ in range(3)] == [True, True, False]
    dispatcher.give_back(lane)
    assert dispatcher.reserve(lane)
    for name in (lane, lane, lane, other, other):
        dispatcher.give_back(name)
    assert dispatcher.facts()["events_in_hand"] == 0
    await dispatcher.stop(5)
