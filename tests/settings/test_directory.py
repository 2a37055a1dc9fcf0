"""The directory in memory: what it answers, when it reads the store again, and what a change elsewhere does."""

import asyncio
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from collector.directory import STRANGERS_READS_A_SECOND, Directory, digest, onboarding
from collector.errors import Unavailable
from collector.store import face
from collector.store.opening import Store
from collector.vault import Vault
from tests.settings.conftest import NOW, Clock, files_hold, shop


class CountedStore:
    """The store's directory, with a count of its reads; one read may wait for a signal."""

    def __init__(self, inner: face.Directory) -> None:
        self.inner = inner
        self.versions = 0
        self.snapshots = 0
        self.fails = False
        self.began = asyncio.Event()
        self.go = asyncio.Event()
        self.go.set()

    async def editions(self) -> tuple[int, int]:
        self.versions += 1
        if self.fails:
            raise Unavailable("the disk is gone")
        editions = await self.inner.editions()
        self.began.set()
        await self.go.wait()
        return editions

    async def snapshot(self) -> face.DirectorySnapshot:
        self.snapshots += 1
        return await self.inner.snapshot()

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


def counted(store: Store, vault: Vault, clock: Clock) -> tuple[Directory, CountedStore]:
    reads = CountedStore(store.directory)
    return Directory(reads, vault, monotonic=lambda: clock.now, sleep=clock.sleep), reads  # type: ignore[arg-type]  # forwards the rest


async def test_nothing_is_known_before_the_first_refresh(store: Store, directory: Directory) -> None:
    row, plaintext = await shop(store)
    assert directory.business(row.business_id) is None
    assert directory.verify(plaintext, NOW) is None
    await directory.refresh()
    assert directory.business(row.business_id) == row
    assert directory.version == await store.directory.version()


async def test_a_key_opens_its_business_and_only_its_digest_is_kept(
    store: Store, directory: Directory, tmp_path: Path
) -> None:
    row, plaintext = await shop(store)
    assert await directory.authenticate(plaintext, NOW) == row.business_id
    found = directory.key(digest(plaintext))
    assert found is not None
    assert found.digest == sha256(plaintext.encode()).hexdigest()
    assert plaintext not in repr(found)
    assert not files_hold(tmp_path, plaintext.encode())
    assert files_hold(tmp_path, found.digest.encode())


@pytest.mark.parametrize(
    "wrong", ["", "ck_", "x" * 100_000, "\ud800", "é", "\x00", "ck_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"]
)
async def test_anything_else_opens_nothing(store: Store, directory: Directory, wrong: str) -> None:
    _, plaintext = await shop(store)
    assert await directory.authenticate(wrong, NOW) is None
    assert await directory.authenticate(plaintext.swapcase(), NOW) is None
    assert await directory.authenticate(f"{plaintext} ", NOW) is None
    assert await directory.authenticate(digest(plaintext), NOW) is None


async def test_a_key_ends_when_it_expires(store: Store, directory: Directory) -> None:
    row, _ = await shop(store)
    plaintext, key = onboarding.new_key(
        row.business_id, name="short", now=NOW, random=lambda length: b"x" * length, expires_at=NOW + 1000
    )
    await store.directory.put_key(key)
    assert await directory.authenticate(plaintext, NOW + 999) == row.business_id
    assert await directory.authenticate(plaintext, NOW + 1000) is None


async def test_a_key_revoked_by_another_process_fails_at_once(
    store: Store, directory: Directory, tmp_path: Path
) -> None:
    row, plaintext = await shop(store)
    assert await directory.authenticate(plaintext, NOW) == row.business_id
    key = directory.key(digest(plaintext))
    assert key is not None
    environ = {"COLLECTOR_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-m", "collector", "key", "revoke", row.business_id, key.key_id]
    done = await asyncio.to_thread(subprocess.run, command, env=environ, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")

    record = face.Record(business_id=row.business_id, id="0" * 32, received_at=NOW)
    with pytest.raises(face.StaleDirectory):
        await store.ledger.note(record, directory.version)
    assert await store.ledger.records(row.business_id, None, 10) == []
    await directory.fresh()
    assert await directory.authenticate(plaintext, NOW) is None


async def test_a_key_made_by_another_process_works_at_once(store: Store, directory: Directory) -> None:
    row, plaintext = await shop(store)
    await directory.refresh()
    assert await directory.authenticate("ck_stranger", NOW) is None
    new, key = onboarding.new_key(row.business_id, name="new", now=NOW, random=lambda length: b"n" * length)
    await store.directory.put_key(key)
    assert await directory.authenticate(new, NOW) == row.business_id
    assert await directory.authenticate(plaintext, NOW) == row.business_id


async def test_a_known_key_costs_no_read(store: Store, vault: Vault) -> None:
    row, plaintext = await shop(store)
    directory, reads = counted(store, vault, Clock())
    await directory.refresh()
    before = reads.versions
    for _ in range(100):
        assert await directory.authenticate(plaintext, NOW) == row.business_id
    assert reads.versions == before


async def test_an_unchanged_directory_is_not_loaded_again(store: Store, vault: Vault) -> None:
    await shop(store)
    directory, reads = counted(store, vault, Clock())
    await directory.refresh()
    await directory.refresh()
    assert (reads.versions, reads.snapshots) == (2, 1)


async def test_a_crowd_of_strangers_shares_one_read(store: Store, vault: Vault) -> None:
    directory, reads = counted(store, vault, Clock())
    answers = await asyncio.gather(*(directory.authenticate(f"ck_{number}", NOW) for number in range(500)))
    assert set(answers) == {None}
    assert reads.versions == 1


async def test_strangers_one_after_the_other_cost_a_few_reads_a_second(store: Store, vault: Vault) -> None:
    clock = Clock()
    directory, reads = counted(store, vault, clock)
    for number in range(41):
        assert await directory.authenticate(f"ck_{number}", NOW) is None
    assert reads.versions == 41
    assert clock.now == pytest.approx(40 / STRANGERS_READS_A_SECOND)


async def test_nobody_joins_a_read_that_began_before_the_call(store: Store, vault: Vault) -> None:
    directory, reads = counted(store, vault, Clock())
    reads.go.clear()
    early = asyncio.create_task(directory.fresh())
    await reads.began.wait()
    _, plaintext = await shop(store)
    late = asyncio.create_task(directory.authenticate(plaintext, NOW))
    reads.go.set()
    assert await late is not None
    await early


async def test_a_store_that_fails_is_said_and_what_was_known_stays(store: Store, vault: Vault) -> None:
    row, plaintext = await shop(store)
    directory, reads = counted(store, vault, Clock())
    await directory.refresh()
    reads.fails = True
    results = await asyncio.gather(*(directory.fresh() for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3
    assert await directory.authenticate(plaintext, NOW) == row.business_id
    reads.fails = False
    await directory.fresh()


async def test_a_caller_who_leaves_takes_nobody_along(store: Store, vault: Vault) -> None:
    directory, reads = counted(store, vault, Clock())
    reads.go.clear()
    first, second = asyncio.create_task(directory.fresh()), asyncio.create_task(directory.fresh())
    await reads.began.wait()
    first.cancel()
    reads.go.set()
    await second
    assert first.cancelled() or await asyncio.gather(first, return_exceptions=True)
    assert directory.version == await store.directory.version()


async def test_an_older_snapshot_never_replaces_a_newer_one(store: Store, vault: Vault) -> None:
    row, _ = await shop(store)
    directory, reads = counted(store, vault, Clock())
    old = await store.directory.snapshot()
    await onboarding.change_business(store.directory, row.business_id, name="Renamed")
    await directory.refresh()

    async def late() -> face.DirectorySnapshot:
        return old

    reads.snapshot = late  # type: ignore[method-assign]  # the answer of a read that began long ago
    await onboarding.change_business(store.directory, row.business_id, name="Again")
    await directory.refresh()
    found = directory.business(row.business_id)
    assert found is not None
    assert found.name == "Renamed"
