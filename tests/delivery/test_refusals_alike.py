"""Many single events refused alike in a row are their channel's fault; refusals that differ, or that name the event, are their own."""

from collector.attribution import Click
from collector.dispatcher import Dispatcher
from tests.delivery.house import House


async def test_twenty_refused_alike_hold_the_channel(house: House, dispatcher: Dispatcher) -> None:
    await house.sandbox.put("state", {"settings": {"any_click": False}, "clicks": {"AfgClick": {"waba_id": "1"}}})
    for number in range(20):
        verdict = await (await house.take()).wait(20)
        assert verdict is not None
        assert verdict.reason == ("rejected" if number < 19 else "channel")
    await house.take_many(5)
    await house.rest()
    assert await house.states() == {"dead(rejected)": 19, "held(channel)": 6}
    assert len(await house.sandbox.requests()) == 20


async def test_refusals_that_differ_do_not_add_up(house: House, dispatcher: Dispatcher) -> None:
    for number in range(24):
        subcode = 2804079 if number % 2 else 2804014
        await house.sandbox.faults({"kind": "status", "status": 400, "code": 100, "subcode": subcode})
        await (await house.take()).wait(20)
    assert await house.states() == {"dead(rejected)": 24}


async def test_an_accepted_event_in_between_shows_that_the_channel_works(house: House, dispatcher: Dispatcher) -> None:
    clicks = {"AfgClick": {"waba_id": "1"}, "AfgGood": {}}
    await house.sandbox.put("state", {"settings": {"any_click": False}, "clicks": clicks})
    good = Click(ctwa_clid="AfgGood")
    for _ in range(2):
        for _ in range(15):
            await (await house.take()).wait(20)
        await (await house.take(click=good)).wait(20)
    assert await house.states() == {"dead(rejected)": 30, "delivered": 2}


async def test_any_number_of_unknown_clicks_does_not_hold_the_channel(house: House, dispatcher: Dispatcher) -> None:
    await house.sandbox.put("state", {"settings": {"any_click": False}})
    for number in range(25):
        click = Click(ctwa_clid=f"AfgUnknown{number}")
        await (await house.take(click=click)).wait(20)
    assert await house.states() == {"dead(rejected)": 25}
    assert await house.held_because() is None
