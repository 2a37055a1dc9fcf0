"""The store's clock goes back: nothing waits for the hour that it was before, and no lease lasts longer than a lease lasts."""

import pytest

from collector.store.opening import Store
from tests.contract.conftest import Clock
from tests.contract.samples import NOW, lane, purchase, standing, stored

pytestmark = pytest.mark.anyio

DAY = 86_400_000
WAIT, LEASE = 3_600_000, 60_000


async def test_what_is_due_too_far_ahead_is_due_now(store: Store, clock: Clock) -> None:
    lanes = [lane(), lane(source="browser"), lane(channel="instagram")]
    rows = [await stored(store, None, state, lane=each) for each in lanes for state in ("pending", "retrying")]
    held = await stored(store, None, "held", reason="token")
    await clock.set(NOW - DAY)
    assert await store.outbox.claim(lane(), 10, LEASE) == []
    assert await store.outbox.rewind(WAIT, LEASE) == 6
    found = [await standing(store, row.event) for row in rows]
    assert {each.delivery.due_at for each in found} == {NOW - DAY}
    assert [each.delivery.state for each in found] == ["pending", "retrying"] * 3
    assert await standing(store, held.event) == held
    assert len(await store.outbox.claim(lane(), 10, LEASE)) == 2
    assert await store.outbox.rewind(WAIT, LEASE) == 0


async def test_a_retry_within_its_time_stays_where_it_is(store: Store, clock: Clock) -> None:
    row = await stored(store, purchase(), "retrying", due_at=NOW + WAIT)
    assert await store.outbox.rewind(WAIT, LEASE) == 0
    await clock.set(NOW - 1)
    assert await store.outbox.rewind(WAIT, LEASE) == 1
    assert (await standing(store, row.event)).delivery.due_at == NOW - 1


async def test_a_lease_ends_one_lease_from_now_and_not_before(store: Store, clock: Clock) -> None:
    await stored(store, None, "sending")
    assert await store.outbox.rewind(WAIT, LEASE) == 0
    await clock.set(NOW - DAY)
    assert await store.outbox.rewind(WAIT, LEASE) == 1
    await clock.set(NOW - DAY + LEASE - 1)
    assert await store.outbox.rescue(False, "retrying", None, NOW, 10) == 0
    await clock.set(NOW - DAY + LEASE)
    assert await store.outbox.rescue(False, "retrying", None, NOW, 10) == 1


async def test_any_number_is_set_right(store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.store.outbox.CHUNK", 4)
    for state in ("pending", "sending"):
        for _ in range(10):
            await stored(store, None, state)
    await clock.set(NOW - DAY)
    assert await store.outbox.rewind(WAIT, LEASE) == 20
