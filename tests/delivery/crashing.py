"""A process that takes events and says which are committed, until it is killed: `python -m tests.delivery.crashing STORE SANDBOX FROM`."""

import asyncio
import sys
from pathlib import Path

import uvloop

from collector.destinations.outbound import Outbound
from tests.delivery.clocks import WallTime
from tests.delivery.house import House, open_house

CALLERS = 8


async def call(house: House) -> None:
    while True:
        house.numbered_from += 1
        event_id = f"order-{house.numbered_from}"
        await house.take(id=f"{house.numbered_from:032x}", event_id=event_id)
        sys.stdout.write(f"{event_id}\n")
        sys.stdout.flush()


async def take_until_killed(store: Path, sandbox_url: str, numbered_from: int) -> None:
    async with open_house(store, sandbox_url, WallTime()) as house, Outbound() as outbound:
        house.numbered_from = numbered_from
        await house.employ(outbound).start()
        await asyncio.gather(*(call(house) for _ in range(CALLERS)))


if __name__ == "__main__":
    uvloop.run(take_until_killed(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
