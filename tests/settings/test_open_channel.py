"""Channels come with their tokens opened, and only for the business they were sealed for."""

from pathlib import Path

import pytest

from collector.directory import Directory, channels, onboarding
from collector.store import face
from collector.store.opening import Store
from collector.vault import Vault
from tests.settings.conftest import NOW, files_hold, shop


async def connect(store: Store, vault: Vault, business_id: str, token: str = "sandbox-token") -> None:
    await channels.set_channel(
        store.directory,
        vault,
        business_id=business_id,
        channel="whatsapp",
        asset_id="100000000000001",
        dataset_id="200000000000001",
        token=token,
        now=NOW,
    )


async def test_a_channel_comes_with_its_token_which_shows_nowhere(
    store: Store, directory: Directory, vault: Vault, tmp_path: Path
) -> None:
    row, _ = await shop(store)
    await connect(store, vault, row.business_id, "EAAB-hunter2-secret")
    await directory.refresh()
    channel = directory.channel(row.business_id, "whatsapp")
    assert channel is not None
    assert (channel.asset_id, channel.dataset_id, channel.held) == ("100000000000001", "200000000000001", None)
    assert channel.token == "EAAB-hunter2-secret"
    assert "hunter2" not in f"{channel} {channel!r} {channel.__rich_repr__()} {channel.row!r}"
    assert not files_hold(tmp_path, b"hunter2")
    assert directory.channel(row.business_id, "whatsapp") is channel
    assert directory.channel(row.business_id, "website") is None
    assert directory.channel("another", "whatsapp") is None


async def test_a_new_token_is_used_from_the_next_refresh(store: Store, directory: Directory, vault: Vault) -> None:
    row, _ = await shop(store)
    await connect(store, vault, row.business_id)
    await directory.refresh()
    assert directory.channel(row.business_id, "whatsapp") is not None
    await connect(store, vault, row.business_id, "another-token")
    await directory.refresh()
    channel = directory.channel(row.business_id, "whatsapp")
    assert channel is not None
    assert channel.token == "another-token"


async def test_a_channel_moved_to_another_business_is_held_and_gives_no_token(
    store: Store, directory: Directory, vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    row, _ = await shop(store)
    await connect(store, vault, row.business_id, "hunter2-token")
    (stolen,) = (await store.directory.snapshot()).channels
    thief, _ = await onboarding.create_business(
        store.directory,
        name="Thief",
        origins=("https://thief.example",),
        now=NOW,
        random=lambda length: b"t" * length,
    )
    await store.directory.put_channel(
        face.ChannelRow(
            business_id=thief.business_id,
            channel="whatsapp",
            asset_id=stolen.asset_id,
            dataset_id=stolen.dataset_id,
            sealed_token=stolen.sealed_token,
            updated_at=NOW,
        )
    )
    await directory.refresh()
    channel = directory.channel(thief.business_id, "whatsapp")
    assert channel is not None
    assert (channel.token, channel.held) == ("", "token")
    assert "does not open" in caplog.text
    assert "hunter2" not in caplog.text


async def test_a_held_channel_says_why(store: Store, directory: Directory, vault: Vault) -> None:
    row, _ = await shop(store)
    await connect(store, vault, row.business_id)
    await store.outbox.hold(row.business_id, "whatsapp", f"meta:{row.business_id}:whatsapp:", "permission")
    await directory.refresh()
    channel = directory.channel(row.business_id, "whatsapp")
    assert channel is not None
    assert (channel.held, channel.token) == ("permission", "sandbox-token")
