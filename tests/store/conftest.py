"""A store on SQLite, for what the engines or the writer do in their own way."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from collector.store.opening import Store, open_store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "collector.db"


@pytest.fixture
async def store(database: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{database}", serving=True) as opened:
        yield opened
