"""Businesses, channels, keys, and the version that every change raises."""

import pytest
from msgspec.structs import replace

from collector.policy import Policy
from collector.store.opening import Store
from tests.contract.samples import (
    NOW,
    OTHER,
    SHOP,
    api_key,
    business,
    channel,
    credential,
    lane,
    purchase,
    standing,
    stored,
)

pytestmark = pytest.mark.anyio


async def test_a_snapshot_gives_back_what_was_put(store: Store) -> None:
    shop = business(
        origins=("https://shop.example", "https://www.shop.example"),
        cookie_domain="shop.example",
        consent_required=True,
        mode="test",
    )
    key = api_key(expires_at=NOW + 5)
    assert await store.directory.put_business(shop)
    await store.directory.put_channel(channel())
    await store.directory.put_key(key)
    snapshot = await store.directory.snapshot()
    assert (snapshot.businesses, snapshot.channels, snapshot.keys) == ((shop,), (channel(),), (key,))
    assert snapshot.version == await store.directory.version()


async def test_putting_again_replaces(store: Store) -> None:
    await store.directory.put_business(business())
    await store.directory.put_business(business(name="New", origins=()))
    await store.directory.put_channel(channel())
    await store.directory.put_channel(channel(sealed_token="other"))
    snapshot = await store.directory.snapshot()
    assert [(row.name, row.origins) for row in snapshot.businesses] == [("New", ())]
    assert [row.sealed_token for row in snapshot.channels] == ["other"]


async def test_every_change_raises_the_version_and_a_refused_one_does_not(store: Store) -> None:
    seen = [await store.directory.version()]
    for change in (
        store.directory.put_business(business()),
        store.directory.put_channel(channel()),
        store.directory.put_key(api_key()),
        store.directory.revoke_key(SHOP, "k1", NOW),
    ):
        await change
        seen.append(await store.directory.version())
    assert seen == list(range(seen[0], seen[0] + 5))
    assert not await store.directory.revoke_key(SHOP, "nobody", NOW)
    assert await store.directory.version() == seen[-1]


async def test_a_cookie_name_on_a_domain_belongs_to_one_business(store: Store) -> None:
    assert await store.directory.put_business(business(cookie_domain="shop.example"))
    before = await store.directory.snapshot()
    assert not await store.directory.put_business(business(OTHER, cookie_domain="shop.example"))
    assert await store.directory.snapshot() == before
    assert await store.directory.put_business(business(OTHER, cookie_domain="shop.example", cookie_name="cnct_222222"))
    assert await store.directory.put_business(business(cookie_domain="shop.example", name="again"))


async def test_host_only_cookies_do_not_meet(store: Store) -> None:
    assert await store.directory.put_business(business())
    assert await store.directory.put_business(business(OTHER))


async def test_a_key_is_revoked_once_and_only_by_its_business(store: Store) -> None:
    await store.directory.put_key(api_key())
    assert not await store.directory.revoke_key(OTHER, "k1", NOW)
    assert await store.directory.revoke_key(SHOP, "k1", NOW)
    assert not await store.directory.revoke_key(SHOP, "k1", NOW + 1)
    assert [key.revoked_at for key in (await store.directory.snapshot()).keys] == [NOW]


async def test_a_new_token_lets_the_channels_held_deliveries_go_and_no_others(store: Store) -> None:
    rows = {
        reason: await stored(store, None, "held", reason=reason)
        for reason in ("token", "dataset", "consent", "unknown")
    }
    elsewhere = [
        await stored(store, purchase(business_id=OTHER), "held", reason="token"),
        await stored(store, purchase(channel="website"), "held", reason="token"),
    ]
    await store.directory.put_channel(replace(channel(), held="token"))
    states = {reason: (await standing(store, row.event)).delivery.state for reason, row in rows.items()}
    assert states == {"token": "pending", "dataset": "pending", "consent": "held", "unknown": "held"}
    assert [await standing(store, row.event) for row in elsewhere] == elsewhere
    assert [row.held for row in (await store.directory.snapshot()).channels] == [None]
    assert len(await store.outbox.claim(lane(), 10, 1000)) == 2


async def test_a_credential_that_is_set_anew_runs_the_channels_that_share_it(store: Store) -> None:
    await store.directory.put_credential(credential("agency"))
    await store.directory.put_channel(channel(sealed_token=None, credential="agency"))
    await store.directory.put_channel(channel(channel="messenger"))
    held = await stored(store)
    for name in ("whatsapp", "messenger"):
        await store.outbox.hold(SHOP, name, f"meta:{SHOP}:{name}:", "token")
    version = await store.directory.version()

    await store.directory.put_credential(credential("agency", sealed_token="newer"))

    snapshot = await store.directory.snapshot()
    assert snapshot.version > version
    assert [row.sealed_token for row in snapshot.credentials] == ["newer"]
    assert {row.channel: row.held for row in snapshot.channels} == {"messenger": "token", "whatsapp": None}
    assert (await standing(store, held.event)).delivery.state == "pending"


async def test_a_business_keeps_its_policy(store: Store) -> None:
    policy = Policy(messaging_names=("Purchase", "LeadSubmitted"), purchases="website", window_days=7)
    await store.directory.put_business(business(policy=policy))
    assert (await store.directory.snapshot()).businesses[0].policy == policy
