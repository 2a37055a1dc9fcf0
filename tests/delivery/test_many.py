"""Several processes on one PostgreSQL: no event is claimed twice, and who waits in one hears what another settled."""

import asyncio
from collections.abc import Iterator

import pytest

from collector.destinations.outbound import Outbound
from collector.sandbox import create_sandbox
from tests.delivery.clocks import WallTime
from tests.delivery.house import House, open_house
from tests.processes import serving

EVENTS = 120


@pytest.fixture
def sandbox_url() -> Iterator[str]:
    with serving(create_sandbox(any_click=True)) as url:
        yield url


async def test_two_deliver_and_a_third_takes_and_hears(postgres_dsn: str, sandbox_url: str, outbound: Outbound) -> None:
    async with (
        open_house(postgres_dsn, sandbox_url, WallTime()) as web,
        open_house(postgres_dsn, sandbox_url, WallTime()) as first,
        open_house(postgres_dsn, sandbox_url, WallTime()) as second,
    ):
        web.employ(outbound, alone=False, poll_seconds=0.05)  # takes and waits, but does not deliver
        await web.directory.refresh()
        deliverers = [house.employ(outbound, alone=False) for house in (first, second)]
        await asyncio.gather(*(deliverer.start() for deliverer in deliverers))
        verdicts = await asyncio.gather(*(_verdict(web) for _ in range(EVENTS)))
        assert verdicts == ["delivered"] * EVENTS
        assert sorted(await web.sandbox.accepted()) == sorted(f"order-{number + 1}" for number in range(EVENTS))
        facts = [deliverer.facts() for deliverer in deliverers]
        assert sum(fact["accepted"] for fact in facts) == EVENTS
        assert [fact["rescued"] + fact["fenced"] for fact in facts] == [0, 0]
        await asyncio.gather(*(deliverer.stop(10) for deliverer in deliverers))


async def _verdict(house: House) -> str:
    verdict = await (await house.take()).wait(20)
    assert verdict is not None
    return verdict.state


async def test_what_another_process_has_in_hand_is_not_rescued_at_a_start(
    postgres_dsn: str, sandbox_url: str, outbound: Outbound
) -> None:
    async with (
        open_house(postgres_dsn, sandbox_url, WallTime()) as first,
        open_house(postgres_dsn, sandbox_url, WallTime()) as second,
    ):
        await first.sandbox.faults({"kind": "slow", "delay_ms": 500})
        await first.directory.refresh()
        sending = first.employ(outbound, alone=False)
        await sending.start()
        ticket = await first.take()
        starting = second.employ(outbound, alone=False)
        await starting.start()
        verdict = await ticket.wait(20)
        assert verdict is not None
        assert (verdict.state, verdict.attempts) == ("delivered", 1)
        assert starting.facts()["rescued"] == 0
        assert await first.sandbox.accepted() == ["order-1"]
        await sending.stop(10)
        await starting.stop(10)
