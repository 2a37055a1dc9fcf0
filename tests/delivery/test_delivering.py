"""Events that are taken arrive: real store, real HTTP, a sandbox that misbehaves on order."""

import asyncio

import pytest

from collector.destinations.meta import Meta
from collector.destinations.outbound import Outbound
from collector.dispatcher import Dispatcher
from collector.lane import FEWER, FEWEST, MANY_EVENTS, Limits
from tests.delivery.house import House


async def test_a_handed_over_event_is_delivered_and_its_caller_hears_so(house: House, dispatcher: Dispatcher) -> None:
    ticket = await house.take()
    verdict = await ticket.wait(20)
    assert verdict is not None
    assert (verdict.state, verdict.attempts) == ("delivered", 1)
    assert verdict.reference
    assert await house.sandbox.accepted() == ["order-1"]
    stored = (await house.deliveries())["order-1"]
    assert (stored.state, stored.reference) == ("delivered", verdict.reference)
    (attempt,) = await house.attempts()
    assert (attempt.number, attempt.trigger, attempt.outcome, attempt.http_status) == (1, "first", "accepted", 200)


async def test_a_pending_event_is_claimed_and_its_caller_hears_so(house: House, dispatcher: Dispatcher) -> None:
    await house.rest()
    verdict = await (await house.take(leased=False)).wait(20)
    assert verdict is not None
    assert verdict.state == "delivered"
    assert await house.sandbox.accepted() == ["order-1"]


async def test_what_another_process_put_into_the_store_is_found_by_looking(
    house: House, dispatcher: Dispatcher
) -> None:
    house.dispatcher = house.employ(Outbound())  # its nudges reach nobody: it never started
    await house.take(leased=False)
    await house.live_through(5)
    await house.until(lambda states: states == {"delivered": 1})


async def test_events_that_wait_travel_together(house: House, dispatcher: Dispatcher) -> None:
    await house.sandbox.faults({"kind": "slow", "delay_ms": 200})
    tickets = await house.take_many(200)
    verdicts = await asyncio.gather(*(ticket.wait(20) for ticket in tickets))
    assert {verdict.state for verdict in verdicts if verdict} == {"delivered"}
    assert sorted(await house.sandbox.accepted()) == sorted(f"order-{number}" for number in range(1, 201))
    assert len(await house.sandbox.requests()) <= 10


async def test_few_events_wait_for_nobodys_answer(house: House, dispatcher: Dispatcher) -> None:
    await (await house.take()).wait(20)
    await house.sandbox.faults({"kind": "hang"})
    for _ in range(40):
        await house.take()
        await asyncio.sleep(0)
    assert dispatcher.facts()["requests_on_way"] == 40


@pytest.mark.parametrize(("source", "most"), [("server", Meta.requests_max // FEWER), ("browser", FEWEST)])
async def test_while_many_events_are_on_their_way_few_requests_are_and_not_one_alone(
    house: House, dispatcher: Dispatcher, source: str, most: int
) -> None:
    await (await house.take(source=source)).wait(20)
    await house.sandbox.faults({"kind": "hang"})
    await house.take_many(MANY_EVENTS, source=source)
    for _ in range(40):
        await house.take(source=source)
        await asyncio.sleep(0)
    async with asyncio.timeout(5):
        while dispatcher.facts()["requests_on_way"] < FEWEST:  # noqa: ASYNC110  # a request that leaves tells nobody
            await asyncio.sleep(0)
    assert FEWEST <= dispatcher.facts()["requests_on_way"] <= most


async def test_browser_and_server_events_never_share_a_request(house: House, dispatcher: Dispatcher) -> None:
    await house.sandbox.faults({"kind": "slow", "delay_ms": 50})
    tickets = [await house.take(source=source) for source in ("server", "browser") * 10]
    await asyncio.gather(*(ticket.wait(20) for ticket in tickets))
    odd = {f"order-{number}" for number in range(1, 21, 2)}
    for request in await house.sandbox.requests():
        ids = {f"order-{number}" for number in range(1, 21) if f'"event_id":"order-{number}"' in str(request["body"])}
        assert ids
        assert ids <= odd or not ids & odd


async def test_test_events_never_share_a_request_with_live_ones(house: House, dispatcher: Dispatcher) -> None:
    await house.business(mode="test", test_event_code="TEST9")
    await house.sandbox.faults({"kind": "slow", "delay_ms": 50})
    tickets = [await house.take(test=bool(number % 2)) for number in range(8)]
    await asyncio.gather(*(ticket.wait(20) for ticket in tickets))
    bodies = [str(request["body"]) for request in await house.sandbox.requests()]
    for number in range(8):
        (body,) = [body for body in bodies if f'"event_id":"order-{number + 1}"' in body]
        assert ("TEST9" in body) is bool(number % 2)


async def test_a_test_event_without_a_code_is_never_sent(house: House, dispatcher: Dispatcher) -> None:
    verdict = await (await house.take(test=True)).wait(20)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("dead", "test")
    assert await house.sandbox.requests() == []


async def test_connectly_gets_one_event_a_call(house: House, dispatcher: Dispatcher) -> None:
    await house.business(destination="connectly")
    await house.channel(channel="connectly", token="sandbox-key", asset_id=house_id(house), dataset_id=None)
    await house.directory.refresh()
    tickets = await house.take_many(20, destination="connectly")
    verdicts = await asyncio.gather(*(ticket.wait(20) for ticket in tickets))
    assert {verdict.state for verdict in verdicts if verdict} == {"delivered"}
    assert len(await house.sandbox.requests()) == 20


def house_id(house: House) -> str:
    return house.directory.business("5f1e6c1a-0000-4000-8000-000000000001").business_id  # type: ignore[union-attr]  # set up


async def test_an_event_that_is_too_old_when_its_turn_comes_is_never_sent(house: House, dispatcher: Dispatcher) -> None:
    event, _ = house.event()
    verdict = await (await house.take(event_at=event.event_at - 7 * 24 * 3_600_000)).wait(20)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("dead", "expired")
    assert await house.sandbox.requests() == []


async def test_500s_are_ridden_out_and_every_event_arrives_once(house: House, dispatcher: Dispatcher) -> None:
    await house.sandbox.faults({"kind": "status", "status": 500, "times": 5}, {"kind": "html500", "times": 1})
    first = await (await house.take()).wait(20)
    assert first is not None
    assert (first.state, first.reason) == ("retrying", None)
    await house.take_many(9)
    await house.live_through(20)
    assert await house.states() == {"delivered": 10}
    assert sorted(await house.sandbox.accepted()) == sorted(f"order-{number}" for number in range(1, 11))
    assert [attempt.number for attempt in await house.attempts()] == list(range(1, len(await house.attempts()) + 1))
    assert dispatcher.facts()["unknown"] == 0


async def test_a_retry_is_made_when_it_is_due_not_at_the_next_look(house: House, dispatcher: Dispatcher) -> None:
    await house.sandbox.faults({"kind": "html500", "times": 1})
    await (await house.take()).wait(20)
    await house.live_through(0.5, 0.1)
    assert await house.states() == {"delivered": 1}


async def test_a_rejected_event_is_buried_with_metas_words_and_its_caller_hears_them(
    house: House, dispatcher: Dispatcher
) -> None:
    await house.sandbox.put("state", {"settings": {"any_click": False}})
    verdict = await (await house.take()).wait(20)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("dead", "rejected")
    assert "Invalid Ctwa Clid" in (verdict.error or "")
    (attempt,) = await house.attempts()
    assert (attempt.outcome, attempt.code, attempt.subcode) == ("rejected", 100, 2804087)
    assert "AfgClick" not in (attempt.answer or "")


@pytest.mark.parametrize("kind", ["reset_after_accept", "wrong_count"])
async def test_an_unknown_fate_is_tried_again_under_the_same_id(
    house: House, dispatcher: Dispatcher, kind: str
) -> None:
    await house.sandbox.faults({"kind": kind, "times": 1, "events_received": 0})
    verdict = await (await house.take()).wait(20)
    assert verdict is not None
    assert verdict.state == "retrying"
    await house.live_through(60, 60)
    await house.until(lambda states: states == {"delivered": 1})
    assert [attempt.outcome for attempt in await house.attempts()] == ["unknown", "accepted"]
    assert set(await house.sandbox.accepted()) == {"order-1"}
    assert dispatcher.facts()["unknown"] == 1


async def test_an_unknown_fate_is_held_where_a_double_is_worse_than_a_loss(house: House, outbound: Outbound) -> None:
    dispatcher = house.employ(outbound, on_unknown="hold")
    await dispatcher.start()
    await house.sandbox.faults({"kind": "reset_after_accept", "times": 1})
    verdict = await (await house.take()).wait(20)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("held", "unknown")
    await house.live_through(300, 100)
    await (await house.take()).wait(20)
    assert await house.sandbox.accepted() == ["order-1", "order-2"]
    await dispatcher.stop(10)


async def test_a_hung_destination_holds_a_bounded_number_of_sockets(house: House) -> None:
    async with Outbound(seconds=1.0) as impatient:
        dispatcher = house.employ(impatient, limits=Limits(sockets=4))
        await dispatcher.start()
        await house.sandbox.faults({"kind": "hang"})
        tickets = await house.take_many(100)
        most = dispatcher.facts()["requests_on_way"]
        assert await tickets[0].wait(20) is not None
        await house.until(lambda states: states.get("retrying", 0) + states.get("pending", 0) == 100)
        assert most <= 2
        assert len(await house.sandbox.requests()) <= 4
        await house.sandbox.faults()
        await house.live_through(3600, 3600)
        await house.until(lambda states: states == {"delivered": 100})
        await dispatcher.stop(10)


async def test_a_throttle_stops_the_lane_for_as_long_as_it_says_then_one_probe_goes(
    house: House, dispatcher: Dispatcher
) -> None:
    await house.sandbox.faults({"kind": "throttle", "retry_after": 120, "regain_minutes": 0, "times": 1})
    verdict = await (await house.take()).wait(20)
    assert verdict is not None
    assert (verdict.state, dispatcher.facts()["lanes_paused"]) == ("retrying", 1)
    await house.take_many(50)
    await house.live_through(119, 119)
    assert len(await house.sandbox.requests()) == 1
    assert await house.states() == {"retrying": 1, "pending": 50}
    await house.live_through(2)
    await house.until(lambda states: states == {"delivered": 51})
    first, second, *_ = (await house.sandbox.requests())[1:]
    assert str(first["body"]).count("event_name") == 1
    assert str(second["body"]).count("event_name") > 1
    assert (await house.sandbox.accepted())[:1] == ["order-2"]


async def test_one_businesss_outage_costs_the_others_nothing(house: House, dispatcher: Dispatcher) -> None:
    other = "5f1e6c1a-0000-4000-8000-000000000002"
    await house.business(other)
    await house.channel(other, dataset_id="200000000000009")
    await house.sandbox.put("state", {"datasets": {"200000000000009": {"waba_id": "100000000000001"}}})
    await house.directory.refresh()
    await house.sandbox.faults({"kind": "hang", "dataset_id": "200000000000001"})
    await house.take_many(30)
    tickets = await house.take_many(30, business_id=other)
    verdicts = await asyncio.gather(*(ticket.wait(20) for ticket in tickets))
    assert {verdict.state for verdict in verdicts if verdict} == {"delivered"}
    assert dispatcher.facts()["requests_on_way"] <= 2
    await house.sandbox.faults()
    await house.until(lambda states: states == {"delivered": 30})


async def test_a_denial_that_came_while_it_was_sent_ends_its_next_try_without_a_request(
    house: House, dispatcher: Dispatcher
) -> None:
    verdict = await (await house.take(leased=False, consent="denied")).wait(20)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("dead", "consent")
    assert (await house.attempts())[0].outcome == "not_sent"
    assert await house.sandbox.requests() == []
