"""Callers wait for a bounded time and in a bounded number, and hear what was committed."""

import asyncio
import gc

import msgspec

from collector.dispatcher import Dispatcher
from collector.store.face import Delivery
from collector.verdict import Verdicts
from tests.delivery.house import SHOP, House

DELIVERED = Delivery(business_id=SHOP, id="e", destination="meta", lane="l", state="delivered", due_at=0, deadline_at=0)


async def test_everybody_who_waits_for_an_event_hears_its_verdict(house: House) -> None:
    verdicts = Verdicts(house.outbox)
    tickets = [verdicts.expect(SHOP, "e") for _ in range(3)]
    stranger = verdicts.expect(SHOP, "other")
    verdicts.settled(DELIVERED)
    assert [await ticket.wait(5) for ticket in tickets] == [DELIVERED] * 3
    assert await stranger.wait(0) is None
    assert len(verdicts) == 0


async def test_a_verdict_that_comes_before_the_wait_is_not_missed_and_an_older_one_not_told(house: House) -> None:
    verdicts = Verdicts(house.outbox)
    verdicts.settled(msgspec.structs.replace(DELIVERED, state="dead"))
    ticket = verdicts.expect(SHOP, "e", 2)
    verdicts.settled(DELIVERED)
    corrected = msgspec.structs.replace(DELIVERED, revision=2)
    verdicts.settled(corrected)
    assert await ticket.wait(5) == corrected


async def test_a_wait_ends_when_its_time_is_over(house: House) -> None:
    verdicts = Verdicts(house.outbox)
    assert await verdicts.expect(SHOP, "e").wait(0.01) is None
    assert len(verdicts) == 0


async def test_too_many_waiters_hear_nothing_at_once(house: House) -> None:
    verdicts = Verdicts(house.outbox, waiters_max=2)
    first, second = verdicts.expect(SHOP, "e"), verdicts.expect(SHOP, "e")
    refused = verdicts.expect(SHOP, "f")
    assert await refused.wait(60) is None
    assert verdicts.refused == 1
    first.close()
    assert len(verdicts) == 1
    again = verdicts.expect(SHOP, "f")
    verdicts.settled(msgspec.structs.replace(DELIVERED, id="f"))
    assert await again.wait(5) is not None
    second.close()
    second.close()
    assert len(verdicts) == 0


async def test_a_caller_who_went_away_leaves_nothing_behind(house: House) -> None:
    verdicts = Verdicts(house.outbox)
    kept = verdicts.expect(SHOP, "e")
    verdicts.expect(SHOP, "e")
    gc.collect()
    assert len(verdicts) == 1
    waiting = asyncio.create_task(kept.wait(60))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert len(verdicts) == 0


async def test_what_another_process_settles_is_asked_of_the_store_for_all_at_once(
    house: House, dispatcher: Dispatcher
) -> None:
    looks: list[int] = []
    look = asyncio.Event()

    async def pause(_: float) -> None:
        looks.append(len(verdicts))
        await look.wait()

    verdicts = Verdicts(house.outbox, poll_seconds=0.05, pause=pause)
    tickets = [verdicts.expect(SHOP, f"{number:032x}") for number in range(1, 6)]
    await house.take_many(5)  # the dispatcher tells its own verdicts, not ours
    await house.until(lambda states: states == {"delivered": 5})
    look.set()
    heard = await asyncio.gather(*(ticket.wait(20) for ticket in tickets))
    assert {verdict.state for verdict in heard if verdict} == {"delivered"}
    assert looks[0] == 5
    assert len(looks) <= 2


async def test_a_delivery_that_only_waits_is_no_verdict(house: House) -> None:
    looks: list[int] = []

    async def pause(_: float) -> None:
        looks.append(1)
        await asyncio.sleep(0)

    house.verdicts = verdicts = Verdicts(house.outbox, poll_seconds=0.05, pause=pause)
    ticket = verdicts.expect(SHOP, f"{1:032x}")
    house.dispatcher = _Idle()  # type: ignore[assignment]  # nobody sends
    await house.take(leased=False)
    assert await ticket.wait(0.1) is None
    assert looks


class _Idle:
    def nudge(self, lane: str) -> None: ...


async def test_events_in_hand_here_are_not_asked_for(house: House) -> None:
    verdicts = Verdicts(house.outbox, poll_seconds=60)
    ticket = verdicts.expect(SHOP, "e")
    assert verdicts._elsewhere == {(SHOP, "e")}
    verdicts.here(SHOP, "e")
    assert not verdicts._elsewhere
    verdicts.away(SHOP, "e")
    assert verdicts._elsewhere == {(SHOP, "e")}
    ticket.close()
    verdicts.away(SHOP, "e")
    assert not verdicts._elsewhere
    assert verdicts._poll is not None
    verdicts._poll.cancel()
