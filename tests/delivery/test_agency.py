"""An agency's token, which many channels share: when it is refused, the shops of others notice nothing."""

import pytest

from collector.dispatcher import Dispatcher
from collector.lane.hold import WRITES_AT_ONCE
from collector.store.face import LaneDue
from tests.delivery.house import House

SHOPS = [f"5f1e6c1a-0000-4000-8000-{number:012}" for number in range(2, 2 + 2 * WRITES_AT_ONCE)]


async def test_its_holds_send_no_writer_back_and_its_probes_hold_up_no_lane(
    house: House, dispatcher: Dispatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    for shop in SHOPS:
        await house.business(shop)
        await house.channel(shop, token="agency")
    await house.directory.refresh()
    version = house.directory.version
    probes: list[int] = []
    probe, due = house.outbox.probe, house.outbox.due

    async def counted(business_id: str, channel: str, lane_prefix: str) -> None:
        probes[-1] += 1
        await probe(business_id, channel, lane_prefix)

    async def looked() -> list[LaneDue]:
        probes.append(0)
        return await due()

    monkeypatch.setattr(house.outbox, "probe", counted)
    monkeypatch.setattr(house.outbox, "due", looked)
    for shop in SHOPS:
        await house.take(business_id=shop)
    await house.rest()
    assert [await house.states(shop) for shop in SHOPS] == [{"held(token)": 1}] * len(SHOPS)
    await house.sandbox.put("state", {"tokens": {"agency": {}}})
    await house.live_through(90, 2)
    assert [await house.states(shop) for shop in SHOPS] == [{"delivered": 1}] * len(SHOPS)
    assert (sum(probes), max(probes)) == (len(SHOPS), WRITES_AT_ONCE)
    assert await house.store.directory.version() == house.directory.version == version
