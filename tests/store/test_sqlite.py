"""What only the SQLite engine does: one serving process, a log that stays small, a full disk, a clean end."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.errors import SettingsError, Unavailable
from collector.store import sqlite
from collector.store.engine import Interrupted
from collector.store.opening import Store, open_store
from tests.contract.samples import SHOP, business, delivery, purchase, record, stored

pytestmark = pytest.mark.anyio


async def test_a_second_serving_process_is_refused_and_told_why(store: Store, database: Path) -> None:
    with pytest.raises(SettingsError, match=r"collector\.db\.lock.*PostgreSQL"):
        async with open_store(f"sqlite:///{database}", serving=True):
            pytest.fail("it opened")
    assert (await stored(store)).event.business_id == SHOP


async def test_nobody_else_may_read_the_database(store: Store, database: Path) -> None:
    await stored(store)
    modes = {file.name: file.stat().st_mode & 0o777 for file in database.parent.glob(f"{database.name}*")}
    assert {name: modes[name] for name in modes if not name.endswith(".lock")} == {
        database.name + ending: 0o600 for ending in ("", "-wal", "-shm")
    }


async def test_a_command_writes_beside_the_serving_process(store: Store, database: Path) -> None:
    async with open_store(f"sqlite:///{database}", serving=False) as command:
        assert await command.directory.put_business(business())
    assert len((await store.directory.snapshot()).businesses) == 1


async def test_the_lock_is_free_again_after_a_stop(database: Path) -> None:
    for _ in range(2):
        async with open_store(f"sqlite:///{database}", serving=True):
            pass


@pytest.mark.parametrize("url", ["sqlite:///{folder}", "sqlite:///{folder}/file/below.db"])
def test_a_process_that_cannot_open_its_database_ends_and_says_why(tmp_path: Path, url: str) -> None:
    """An open connection would keep the interpreter alive for ever."""
    (tmp_path / "file").write_text("not a directory")
    script = (
        "import asyncio, sys\nfrom collector.store.opening import open_store\n"
        "async def start():\n    async with open_store(sys.argv[1], serving=True): print('opened')\nasyncio.run(start())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, url.format(folder=tmp_path)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 1
    assert "SettingsError: COLLECTOR_DATABASE_URL" in ended.stderr
    assert "opened" not in ended.stdout


@pytest.fixture
def foreign(database: Path) -> Iterator[Path]:
    """A file of somebody else, which must not change."""
    database.write_bytes(b"something else entirely" * 100)
    yield database
    assert database.read_bytes() == b"something else entirely" * 100


async def test_a_file_that_is_no_database_is_refused_and_left_alone(foreign: Path) -> None:
    with pytest.raises(SettingsError, match="not a database"):
        async with open_store(f"sqlite:///{foreign}", serving=True):
            pytest.fail("it opened")


async def test_an_sqlite_that_is_too_old_is_named(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 31, 1))
    with pytest.raises(SettingsError, match="too old"):
        async with open_store(f"sqlite:///{database}", serving=True):
            pytest.fail("it opened")


async def test_a_full_disk_is_unavailable_until_there_is_room(store: Store) -> None:
    assert isinstance(store.engine, sqlite.SqliteEngine)
    store.writer._patience = 0.05
    [pages] = await store.engine._writer.run(lambda connection: connection.execute("PRAGMA page_count").fetchone())
    await store.engine._writer.run(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    big = purchase()
    with pytest.raises(Unavailable, match="full"):
        await store.ledger.take(big, delivery(big), record(big, payload="x" * 100_000), (), 1)
    assert await store.ledger.event(SHOP, big.id) is None
    await store.engine._writer.run(lambda connection: connection.execute("PRAGMA max_page_count = 1000000").fetchone())
    assert (await store.ledger.take(big, delivery(big), record(big, payload="x" * 100_000), (), 1)).won


async def test_every_commit_is_synced_and_readers_cannot_write(store: Store) -> None:
    assert isinstance(store.engine, sqlite.SqliteEngine)
    engine = store.engine
    assert await engine._writer.run(lambda connection: connection.execute("PRAGMA synchronous").fetchone()) == (2,)
    assert await engine._writer.run(lambda connection: connection.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    with pytest.raises(Interrupted, match="readonly"):
        await engine.read("raise_version")


async def test_events_that_share_a_commit_with_nothing_else_are_one_statement(store: Store) -> None:
    """The thread that writes waits for Python's lock several times a statement."""
    assert isinstance(store.engine, sqlite.SqliteEngine)
    said: list[str] = []
    await store.engine._writer.run(lambda connection: connection.set_trace_callback(said.append))
    events = [purchase() for _ in range(20)]
    events.append(purchase(event_id=events[0].event_id))
    taken = await store.ledger.take_all([(each, delivery(each), record(each), ()) for each in events], 1)
    assert [each.won for each in taken] == [True] * 20 + [False]
    assert {text.split()[0] for text in said} == {"WITH"}  # no BEGIN, no COMMIT


async def test_the_log_is_copied_into_the_database_and_starts_anew(
    store: Store, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "CHECKPOINT_BYTES", 1_000_000)
    monkeypatch.setattr(sqlite, "REST_SECONDS", 0.0)
    for _ in range(30):
        events = [purchase() for _ in range(100)]
        await asyncio.gather(
            *(store.ledger.take(event, delivery(event), record(event, payload="x" * 1000), (), 1) for event in events)
        )
    assert isinstance(store.engine, sqlite.SqliteEngine)
    if store.engine._sweep is not None:
        await store.engine._sweep
    sizes = [size(database.with_name(database.name + "-wal")), size(database)]
    assert sizes[0] < 5_000_000 < sizes[1]


async def test_a_log_that_was_long_once_is_not_copied_after_every_commit(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file never gets shorter, so its length alone says no more."""
    assert isinstance(store.engine, sqlite.SqliteEngine)
    monkeypatch.setattr(sqlite, "CHECKPOINT_BYTES", 0)
    monkeypatch.setattr(sqlite, "REST_SECONDS", 3600.0)
    sweeps = set()
    for _ in range(5):
        await stored(store)
        assert store.engine._sweep is not None
        await store.engine._sweep
        sweeps.add(store.engine._sweep)
    assert len(sweeps) == 1
    store.engine._rested_at = 0.0  # an hour later
    await stored(store)
    assert store.engine._sweep not in sweeps


async def test_a_burst_does_not_leave_a_long_log(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("CHECKPOINT_BYTES", 0), ("REST_SECONDS", 0.0), ("LOG_BYTES", 100_000)):
        monkeypatch.setattr(sqlite, name, value)
    log = database.with_name(database.name + "-wal")
    async with open_store(f"sqlite:///{database}", serving=True) as store:
        assert isinstance(store.engine, sqlite.SqliteEngine)
        big = purchase()
        await store.ledger.take(big, delivery(big), record(big, payload="x" * 1_000_000), (), 1)
        assert size(log) > 1_000_000
        assert store.engine._sweep is not None
        await store.engine._sweep
        await stored(store)
        assert size(log) <= 100_000


def size(path: Path) -> int:
    return path.stat().st_size


async def test_a_store_that_takes_no_writes_is_not_called_writable(store: Store) -> None:
    """An empty commit would pass on a full or read-only disk: something must be written."""
    assert isinstance(store.engine, sqlite.SqliteEngine)
    await store.writable()
    await store.engine._writer.run(lambda connection: connection.execute("PRAGMA query_only = 1").fetchall())
    with pytest.raises(Unavailable, match="readonly"):
        await store.writable()
    await store.engine._writer.run(lambda connection: connection.execute("PRAGMA query_only = 0").fetchall())
    await store.writable()


async def test_a_database_that_another_process_sets_up_is_awaited(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four commands that opened a new one at once on a slow disk heard that it is locked."""
    monkeypatch.setattr(sqlite, "BUSY_MS", 1)  # what a call waits later on
    async with open_store(f"sqlite:///{database}", serving=False):
        pass
    other = sqlite3.connect(database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    opened = open_store(f"sqlite:///{database}", serving=False)
    opening = asyncio.create_task(opened.__aenter__())
    await asyncio.wait({opening}, timeout=0.3)
    assert not opening.done()
    other.execute("COMMIT")
    other.close()
    store = await opening
    assert (await stored(store)).event.id
    assert isinstance(store.engine, sqlite.SqliteEngine)
    busy = await store.engine._writer.run(lambda connection: connection.execute("PRAGMA busy_timeout").fetchone())
    assert busy == (1,)
    await opened.__aexit__(None, None, None)


async def test_an_interrupted_end_waits_for_the_copy_and_leaves_no_thread(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C went into the copy and past the connections: their threads kept the process for ever."""
    monkeypatch.setattr(sqlite, "CHECKPOINT_BYTES", 0)
    go_on, reached, copy = threading.Event(), asyncio.Event(), sqlite._copy
    loop = asyncio.get_running_loop()

    def slowly(connection: sqlite3.Connection) -> None:
        loop.call_soon_threadsafe(reached.set)
        go_on.wait(10)
        copy(connection)

    monkeypatch.setattr(sqlite, "_copy", slowly)
    before = set(threading.enumerate())
    opened = open_store(f"sqlite:///{database}", serving=True)
    store = await opened.__aenter__()
    await stored(store)
    await reached.wait()
    assert isinstance(store.engine, sqlite.SqliteEngine)
    closing = asyncio.create_task(store.engine.close())
    await asyncio.sleep(0)
    closing.cancel()
    go_on.set()
    await asyncio.wait([closing])
    assert closing.cancelled()
    await opened.__aexit__(None, None, None)
    assert store.engine._sweep is not None
    await asyncio.wait([store.engine._sweep])
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()
    assert store.engine._sweep.exception() is None
