"""The SQLite file: made, brought to this code's schema, served by one process at a time."""

import fcntl
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar

from collector.errors import SettingsError
from collector.store.engine import migrations, newer

T = TypeVar("T")


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
