"""What is copied out of SQLite's log reaches the disk piece by piece, so that no commit waits for all of it."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from collector.store import sqlite, sqlite_file
from collector.store.opening import Store, open_store
from tests.contract.samples import stored

Write = Callable[[int, int, int, int], int]
PIECE, PIECES = sqlite_file.PIECE_BYTES, sqlite_file.PIECES


@pytest.mark.parametrize(
    "size", [0, 1, PIECE, PIECE + 1, PIECES * PIECE, PIECES * PIECE + 1, 3 * PIECES * PIECE + 5, 10**10]
)
def test_the_pieces_are_the_whole_file_and_few_however_long_it_is(size: int) -> None:
    pieces = list(sqlite_file._pieces(size))
    ends = [offset + length for offset, length in pieces]
    assert [offset for offset, _ in pieces] == [0, *ends[:-1]][: len(pieces)]
    assert size <= (ends or [0])[-1] < size + PIECE
    assert len(pieces) <= 2 * PIECES
    assert all(length == PIECE for offset, length in pieces if offset >= size - PIECES * PIECE)


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, int, int, int]]:
    """What was asked of the system, and its answers."""
    real: Write | None = sqlite_file._sync_file_range
    if real is None:
        pytest.skip("only Linux writes out a part of a file")
    asked: list[tuple[int, int, int, int, int]] = []

    def write(file: int, offset: int, length: int, how: int) -> int:
        asked.append((file, offset, length, how, real(file, offset, length, how)))
        return asked[-1][-1]

    monkeypatch.setattr(sqlite_file, "_sync_file_range", write)
    return asked


def test_the_system_takes_each_piece(tmp_path: Path, written: list[tuple[int, int, int, int, int]]) -> None:
    (tmp_path / "file").write_bytes(b"x" * (2 * PIECE + 1))
    for _ in range(2):
        sqlite_file.trickle(tmp_path / "file")
    assert len({file for file, *_ in written}) == 1  # a file is opened once, however often
    assert [(offset, length, how, answer) for _, offset, length, how, answer in written] == [
        (0, PIECE, 7, 0), (PIECE, PIECE, 7, 0), (2 * PIECE, PIECE, 7, 0)
    ] * 2  # fmt: skip


def opened(file: int) -> Path:
    return Path(f"/proc/self/fd/{file}").readlink()


@pytest.mark.anyio
async def test_every_copy_beside_the_writes_reaches_the_disk_before_the_one_between_them(
    store: Store, database: Path, monkeypatch: pytest.MonkeyPatch, written: list[tuple[int, int, int, int, int]]
) -> None:
    order: list[str] = []
    copy = sqlite._copy

    def told(connection: sqlite3.Connection) -> None:
        order.append(f"copy after {len(written)}")
        copy(connection)

    monkeypatch.setattr(sqlite, "_copy", told)
    monkeypatch.setattr(sqlite, "CHECKPOINT_BYTES", 0)
    await stored(store)
    assert isinstance(store.engine, sqlite.SqliteEngine)
    assert store.engine._sweep is not None
    await store.engine._sweep
    assert order == [f"copy after {number}" for number in range(sqlite.PASSES + 1)]
    assert {opened(file) for file, *_ in written} == {database}


@pytest.mark.anyio
async def test_a_store_that_is_closed_leaves_the_locks_of_another_on_the_same_file(
    store: Store, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system drops all locks of a process on a file when it closes any descriptor of that file."""
    monkeypatch.setattr(sqlite, "CHECKPOINT_BYTES", 0)
    async with open_store(f"sqlite:///{database}", serving=False) as second:
        await second.writable()
        assert isinstance(second.engine, sqlite.SqliteEngine)
        assert second.engine._sweep is not None
    script = "import sqlite3, sys\nprint(sqlite3.connect(sys.argv[1], timeout=0).execute('PRAGMA journal_mode = DELETE').fetchone())"
    command = [sys.executable, "-c", script, str(database)]
    said = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    assert "database is locked" in said.stderr
    assert (await stored(store)).event.id
