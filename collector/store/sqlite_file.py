"""The SQLite file: made, brought to this code's schema, served by one process at a time."""

import ctypes
import fcntl
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from collector.errors import SettingsError
from collector.store.engine import migrations, newer

T = TypeVar("T")

PIECE_BYTES = 256 * 1024
"""So much of the database goes to the disk at once (see trickle): a commit's sync waits a millisecond or two for it, and up to ten for 8 MB."""
PIECES = 64
"""But what lies before the file's last PIECES pieces goes in so many, however long it is: little of each was changed."""
_opened: dict[tuple[int, int], int] = {}
"""Descriptors by device and inode. Never closed: closing any of a file drops all locks that this process holds on it, and SQLite's are locks."""
_WRITE_AND_WAIT = 7  # SYNC_FILE_RANGE_WAIT_BEFORE | WRITE | WAIT_AFTER
_sync_file_range = getattr(ctypes.CDLL(None), "sync_file_range", None)  # Linux's; the standard library leaves it out
if _sync_file_range is not None:
    _sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


def transact(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    """All of the work, or none of it."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what is missing, in one transaction. Raises SettingsError for the file of a newer release."""
    steps = migrations("sqlite")

    def work() -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL) STRICT")
        row = connection.execute("SELECT version FROM schema_version").fetchone()
        version = row[0] if row else 0
        if version > steps[-1][0]:
            raise SettingsError([newer(version, steps[-1][0])])
        for number, text in steps:
            if number > version:
                for statement in _statements(text):
                    connection.execute(statement)
        connection.execute("DELETE FROM schema_version")
        connection.execute("INSERT INTO schema_version (version) VALUES (?)", (steps[-1][0],))

    transact(connection, work)


def _statements(text: str) -> Iterator[str]:
    """One by one: executescript would commit in between."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def prepare(path: Path) -> None:
    """Make the file where there is none, for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)  # SQLite would make it readable to all; its log and index get the same mode


@contextmanager
def serving_lock(path: Path) -> Iterator[IO[bytes]]:
    """Held by the one process that serves from the file. Raises SettingsError where another holds it."""
    name = path.with_name(path.name + ".lock")
    with name.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SettingsError([
                f"COLLECTOR_DATABASE_URL: {path} is in use by another serving process (lock file {name}): stop that one, or use"
                " PostgreSQL, which several processes can share"
            ]) from error  # fmt: skip
        yield file


def trickle(path: Path) -> None:
    """Let what was written to a file reach the disk piece by piece, each awaited before the next. Elsewhere than on Linux nothing happens.

    It promises nothing: whoever needs the file on the disk must sync it as before, and hears of a failed write then. But that sync finds little
    left to do, and the syncs of others meanwhile wait for one piece instead of all.
    """
    if _sync_file_range is not None:
        now = path.stat()
        file = (now.st_dev, now.st_ino)
        if file not in _opened:
            _opened[file] = os.open(path, os.O_RDONLY)
        for offset, length in _pieces(now.st_size):
            _sync_file_range(_opened[file], offset, length, _WRITE_AND_WAIT)


def _pieces(size: int) -> Iterator[tuple[int, int]]:
    """Offset and length of each, small ones at the end: there a file grows, and most of it is new."""
    tail = max(0, size - PIECES * PIECE_BYTES)
    length = max(PIECE_BYTES, -(-tail // PIECES))
    yield from ((offset, min(length, tail - offset)) for offset in range(0, tail, length))
    yield from ((offset, PIECE_BYTES) for offset in range(tail, size, PIECE_BYTES))
