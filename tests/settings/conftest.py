"""A real store, the directory over it, and time that the test moves."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from collector.directory import Directory, onboarding
from collector.store import face
from collector.store.opening import Store, open_store
from collector.vault import Vault, open_vault

NOW = 1_790_000_000_000


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return open_vault(tmp_path, ())


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path}/collector.db", clock=lambda: NOW, serving=True) as store:
        yield store


@pytest.fixture
def directory(store: Store, vault: Vault) -> Directory:
    clock = Clock()
    return Directory(store.directory, vault, monotonic=lambda: clock.now, sleep=clock.sleep)


def files_hold(folder: Path, text: bytes) -> bool:
    return any(text in file.read_bytes() for file in folder.iterdir())


def chance(length: int) -> bytes:
    return sha256(b"chance").digest()[:length]


async def shop(store: Store) -> tuple[face.BusinessRow, str]:
    return await onboarding.create_business(
        store.directory, name="Shop", origins=("https://shop.example",), now=NOW, random=chance
    )
