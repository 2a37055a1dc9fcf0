"""A channel that is refused stands still, loses nothing, and runs again: by a new token, by a command, by a probe."""

import asyncio

import msgspec

from collector.delivery import LaneName
from collector.destinations.outbound import Outbound
from collector.dispatcher import Dispatcher
from collector.errors import Unavailable
from collector.store import face
from tests.delivery.house import SHOP, TOKEN, House
from tests.delivery.sandbox import Meddling

OTHER = "5f1e6c1a-0000-4000-8000-000000000002"


async def revoke(house: House) -> None:
    await house.sandbox.put("state", {"tokens": {TOKEN: {"expired": True}}})


async def mend(house: House, token: str = TOKEN) -> None:
    await house.sandbox.put("state", {"tokens": {token: {"expired": False}}})


async def test_a_revoked_token_costs_three_requests_at_most_and_no_event(house: House, dispatcher: Dispatcher) -> None:
    await house.sandbox.faults({"kind": "status", "status": 401, "code": 190, "delay_ms": 300})
    tickets = [await house.take() for _ in range(60)]  # one after the other: each could be a request of its own
    tickets += await house.take_many(20, source="browser")
    tickets += await house.take_many(20, leased=False)
    states = await house.until(lambda states: states == {"held(token)": 100})
    assert "dead" not in str(states)
    verdict = await tickets[0].wait(20)
    assert verdict is not None
    assert (verdict.state, verdict.reason) == ("held", "token")
    assert await house.held_because() == "token"
    await house.live_through(50, 10)
    await house.take_many(10)
    await house.rest()
    assert len(await house.sandbox.requests()) <= 3
    assert await house.states() == {"held(token)": 110}


async def test_callers_whose_event_had_no_turn_hear_that_it_is_held(house: House, dispatcher: Dispatcher) -> None:
    await revoke(house)
    await house.sandbox.faults({"kind": "slow", "delay_ms": 100})
    tickets = await house.take_many(5) + await house.take_many(20)
    verdicts = await asyncio.gather(*(ticket.wait(20) for ticket in tickets))
    heard = [verdict for verdict in verdicts if verdict]
    assert heard
    assert {(verdict.state, verdict.reason) for verdict in heard} == {("held", "token")}


async def test_a_new_token_releases_everything(house: House, dispatcher: Dispatcher) -> None:
    await revoke(house)
    await house.take_many(30)
    await house.until(lambda states: states == {"held(token)": 30})
    await house.rest()
    await mend(house, "new-token")
    await house.channel(token="new-token")
    await house.live_through(2)
    await house.until(lambda states: states == {"delivered": 30})
    assert sorted(await house.sandbox.accepted()) == sorted(f"order-{number}" for number in range(1, 31))
    assert (await (await house.take()).wait(20)) is not None
    assert dispatcher.facts()["channels_held"] == 0


async def test_a_resumed_channel_that_is_still_refused_is_held_again_after_one_request(
    house: House, dispatcher: Dispatcher
) -> None:
    await revoke(house)
    await house.take_many(30)
    await house.until(lambda states: states == {"held(token)": 30})
    await house.rest()  # a hold that is still being committed would take back what is resumed
    await house.sandbox.forget()
    await house.outbox.resume(SHOP, "whatsapp", f"meta:{SHOP}:whatsapp:")
    await house.live_through(2)
    await house.rest()
    await house.until(lambda states: states == {"held(token)": 30})
    await house.rest()
    assert len(await house.sandbox.requests()) == 1


async def test_the_probe_finds_a_mended_channel_by_itself_and_asks_ever_more_rarely(
    house: House, dispatcher: Dispatcher
) -> None:
    await revoke(house)
    await house.take_many(30)
    await house.until(lambda states: states == {"held(token)": 30})
    await house.rest()
    await house.sandbox.forget()
    await house.live_through(3600, 20)
    probes = await house.sandbox.requests()
    assert 3 <= len(probes) <= 7
    assert all(str(probe["body"]).count("event_name") == 1 for probe in probes)
    assert await house.states() == {"held(token)": 30}
    await mend(house)
    await house.live_through(3600, 60)
    assert await house.states() == {"delivered": 30}
    assert sorted(set(await house.sandbox.accepted())) == sorted(await house.sandbox.accepted())


async def test_a_probe_that_finds_the_store_away_is_made_later(house: House, dispatcher: Dispatcher) -> None:
    await revoke(house)
    await house.take()
    await house.until(lambda states: states == {"held(token)": 1})
    await house.rest()
    await mend(house)
    await house.live_through(58, 2)
    house.outbox.troubles = [Unavailable("away")] * 4
    await house.live_through(60, 2)
    assert house.outbox.troubles == []
    await house.live_through(70, 2)
    assert await house.states() == {"delivered": 1}


async def test_a_refusal_of_one_event_proves_that_the_channel_runs_again(house: House, dispatcher: Dispatcher) -> None:
    await revoke(house)
    await house.take_many(30)
    await house.until(lambda states: states == {"held(token)": 30})
    await house.rest()
    await house.sandbox.forget()
    await mend(house)
    await house.sandbox.put("state", {"settings": {"any_click": False}})
    await house.channel()
    await house.live_through(2)
    assert await house.states() == {"dead(rejected)": 30}
    assert str((await house.sandbox.requests())[1]["body"]).count("event_name") > 1


async def test_what_slips_in_while_the_channel_is_held_is_held_too(house: House, dispatcher: Dispatcher) -> None:
    await revoke(house)
    await house.take()
    await house.until(lambda states: states == {"held(token)": 1})
    await house.rest()
    await house.directory.refresh()
    event, delivery = house.event()
    record = face.Record(business_id=event.business_id, id=event.id, received_at=event.received_at)
    await house.store.ledger.take(event, delivery, record, (), house.directory.version)
    await house.live_through(3)
    assert await house.states() == {"held(token)": 2}
    assert len(await house.sandbox.requests()) == 1


async def test_a_hold_that_another_process_placed_is_probed_here_too(house: House, dispatcher: Dispatcher) -> None:
    """Whoever placed it may be dead."""
    await house.outbox.hold(SHOP, "whatsapp", f"meta:{SHOP}:whatsapp:", "token")
    await house.directory.refresh()
    dispatcher.learn([(LaneName("meta", SHOP, "whatsapp", "server"), "token")])
    await house.take()
    editions = await house.store.directory.editions()
    await house.rest()
    assert await house.store.directory.editions() == editions  # what the store knows is not written again
    await house.live_through(70, 2)
    assert await house.states() == {"delivered": 1}


async def test_what_a_process_left_held_when_it_ended_is_released(house: House, dispatcher: Dispatcher) -> None:
    """Deliveries are moved a bounded number at a time: the channel may run already while some are held still."""
    await revoke(house)
    await house.take_many(5)
    await house.until(lambda states: states == {"held(token)": 5})
    await house.rest()
    await mend(house)
    await house.outbox.probe(SHOP, "whatsapp", f"meta:{SHOP}:whatsapp:")
    dispatcher._holds._holds.clear()  # as after a start
    await house.live_through(90, 5)
    assert await house.states() == {"delivered": 5}


async def test_what_is_held_while_its_channel_is_held_stays_so(house: House, dispatcher: Dispatcher) -> None:
    await revoke(house)
    await house.take_many(5)
    await house.until(lambda states: states == {"held(token)": 5})
    await house.rest()
    await house.sandbox.forget()
    await house.live_through(50, 5)
    assert await house.states() == {"held(token)": 5}
    assert await house.sandbox.requests() == []


async def test_a_hold_from_before_the_start_is_probed_too(house: House, outbound: Outbound) -> None:
    await house.outbox.hold(SHOP, "whatsapp", f"meta:{SHOP}:whatsapp:", "permission")
    await house.directory.refresh()
    dispatcher = house.employ(outbound)
    await house.take_many(5)
    assert await house.states() == {"held(permission)": 5}
    await dispatcher.start([(LaneName("meta", SHOP, "whatsapp", "server"), "permission")])
    await house.live_through(30, 10)
    assert await house.sandbox.requests() == []
    await house.live_through(60, 10)
    assert await house.states() == {"delivered": 5}
    await dispatcher.stop(10)


async def test_one_businesss_token_is_not_the_others(house: House, dispatcher: Dispatcher) -> None:
    await house.business(OTHER)
    await house.channel(OTHER, token="another-token")
    await house.sandbox.put("state", {"tokens": {"another-token": {}, TOKEN: {"expired": True}}})
    await house.directory.refresh()
    await house.take_many(20)
    tickets = await house.take_many(20, business_id=OTHER)
    await house.until(lambda states: states == {"held(token)": 20})
    await house.rest()
    verdicts = await asyncio.gather(*(ticket.wait(20) for ticket in tickets))
    assert {verdict.state for verdict in verdicts if verdict} == {"delivered"}
    assert (await house.states(OTHER)) == {"delivered": 20}


async def test_what_is_on_its_way_when_the_channel_is_held_is_settled_not_lost(
    house: House, dispatcher: Dispatcher
) -> None:
    await house.sandbox.faults({"kind": "slow", "delay_ms": 150})
    first = await house.take()
    await revoke(house)
    second = await house.take(source="browser")
    await asyncio.gather(first.wait(20), second.wait(20))
    states = await house.until(lambda states: "sending" not in states)
    assert states in ({"held(token)": 2}, {"delivered": 1, "held(token)": 1})


async def test_events_of_a_channel_that_is_not_set_up_are_held_until_it_is(
    house: House, dispatcher: Dispatcher
) -> None:
    await house.business(OTHER)
    await house.take_many(3, business_id=OTHER, leased=False)
    await house.until(lambda states: states == {"held(channel)": 3}, OTHER)
    await house.rest()
    assert await house.sandbox.requests() == []
    await house.channel(OTHER)
    await house.live_through(2)
    await house.until(lambda states: states == {"delivered": 3}, OTHER)


async def test_a_channel_without_a_dataset_is_held_without_a_request(house: House, dispatcher: Dispatcher) -> None:
    await house.channel(dataset_id=None)
    await house.directory.refresh()
    await house.take_many(3)
    await house.until(lambda states: states == {"held(dataset)": 3})
    await house.rest()
    assert await house.sandbox.requests() == []


async def test_a_token_that_cannot_be_opened_is_never_used(house: House, dispatcher: Dispatcher) -> None:
    (row,) = (await house.store.directory.snapshot()).channels
    await house.store.directory.put_channel(msgspec.structs.replace(row, sealed_token="garbage"))
    await house.directory.refresh()
    await house.take_many(3, leased=False)
    await house.until(lambda states: states == {"held(token)": 3})
    await house.rest()
    assert await house.sandbox.requests() == []


async def test_a_late_refusal_of_an_old_token_does_not_hold_the_channel_with_the_new_one(
    house: House, outbound: Outbound
) -> None:
    async def replace_token() -> None:
        await house.sandbox.put("state", {"tokens": {TOKEN: {"expired": True}, "new-token": {}}})
        await house.channel(token="new-token")
        await house.directory.refresh()

    dispatcher = house.employ(outbound, destinations={"meta": Meddling(outbound, house.sandbox.url, 1, replace_token)})
    await dispatcher.start()
    verdict = await (await house.take()).wait(20)
    assert verdict is not None
    assert verdict.state == "retrying"
    assert await house.held_because() is None
    await house.live_through(5)
    assert await house.states() == {"delivered": 1}
    await dispatcher.stop(5)
