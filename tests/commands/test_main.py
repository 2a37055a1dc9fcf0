"""The front door: help, exit codes, streams, errors, and real processes beside a serving one."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from collector.commands import main
from collector.store.opening import open_store
from tests.commands.conftest import Run, Tell


def commands(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command that can be run, with the words that name it."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name
            yield from commands(found, (*path, name))
    else:
        yield path, command


OURS = [(path, command) for path, command in commands(main) if path[0] not in {"demo", "sandbox"}]
EACH = pytest.mark.parametrize(("path", "command"), OURS, ids=[" ".join(path) for path, _ in OURS])


@EACH
def test_every_command_takes_json_and_explains_itself(run: Run, path: tuple[str, ...], command: click.Command) -> None:
    result = run(*path, "--help")
    assert (result.exit_code, result.stderr) == (0, "")
    assert "--json" in result.stdout
    assert (command.help or "").strip().splitlines()[0].endswith(".")


@EACH
def test_no_parameter_could_take_a_secret(path: tuple[str, ...], command: click.Command) -> None:
    names = {param.name for param in command.params}
    assert not any(
        word in name for name in names if name for word in ("token", "secret", "password", "api_key", "plaintext")
    )


def test_help_lists_every_command_with_a_sentence(run: Run) -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name in ("serve", "business", "channel", "destination", "key", "keys", "deliveries"):
        (line,) = (line for line in result.stdout.splitlines() if line.startswith(f"  {name} "))
        assert line.endswith("."), "the first sentence is too long for the list"
        assert not line.endswith("...")


def test_version_is_told(run: Run) -> None:
    assert run("--version").stdout.startswith("collector ")


@pytest.mark.parametrize("arguments", [["nonsense"], ["business", "nonsense"], ["business", "list", "--nonsense"]])
def test_a_misuse_is_2_and_goes_to_standard_error(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "nonsense" in result.stderr


def test_bad_settings_are_2_and_told_all_at_once(run: Run) -> None:
    result = run(
        "business",
        "list",
        env={"COLLECTOR_WAITERS": "x", "COLLECTOR_NOPE": "1", "COLLECTOR_GRAPH_URL": "http://g.example"},
    )
    assert (result.exit_code, result.stdout) == (2, "")
    for variable in ("COLLECTOR_WAITERS", "COLLECTOR_NOPE", "COLLECTOR_GRAPH_URL"):
        assert f"\n  {variable}: " in result.stderr


def test_serve_refuses_bad_settings_before_anything_starts(run: Run, tmp_path: Path) -> None:
    result = run("serve", env={"COLLECTOR_WAIT_SECONDS": "-1"})
    assert (result.exit_code, result.stdout) == (2, "")
    assert "COLLECTOR_WAIT_SECONDS" in result.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    "arguments", [["--role", "other"], ["--on-unknown", "guess"], ["--port", "65536"], ["--port", "-1"]]
)
def test_serve_refuses_what_it_does_not_know(run: Run, arguments: list[str]) -> None:
    assert run("serve", *arguments).exit_code == 2


def test_a_store_that_cannot_be_used_is_told_plainly(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "collector.db").write_bytes(b"this is no database" * 100)
    result = run("business", "list")
    assert result.exit_code in (1, 2)
    assert "Traceback" not in result.output
    assert "collector.db" in result.stderr


def collector(data: Path, *arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "collector", *arguments],
        env={"PATH": os.environ["PATH"], "COLLECTOR_DATA_DIR": str(data), **environ},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_commands_run_beside_a_serving_process(tmp_path: Path) -> None:
    async def serving() -> tuple[int, list[str], int]:
        async with open_store(f"sqlite:///{tmp_path}/collector.db", serving=True) as store:
            before = await store.directory.version()
            made = await asyncio.to_thread(
                collector, tmp_path, "business", "create", "A", "--origin", "https://a.example", "--json"
            )
            assert (made.returncode, made.stderr) == (0, "")
            snapshot = await store.directory.snapshot()
            assert json.loads(made.stdout)["business_id"] == snapshot.businesses[0].business_id
            return before, [row.name for row in snapshot.businesses], snapshot.version

    before, names, after = asyncio.run(serving())
    assert names == ["A"]
    assert after > before


def test_a_process_says_its_failure_by_its_exit_code(tmp_path: Path) -> None:
    assert collector(tmp_path, "business", "show", "nobody").returncode == 1
    assert collector(tmp_path, "business").returncode == 2
    assert collector(tmp_path, "business", "list").returncode == 0


def test_a_process_without_a_home_keeps_its_data_here(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "collector", "business", "list", "--json"],
        env={"PATH": os.environ["PATH"], "HOME": "", "PYTHONPATH": str(Path(__file__).parents[2])},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, b'{"businesses":[]}\n')
    assert (tmp_path / "collector-data" / "keys").exists()


def test_two_first_commands_at_once_agree(tmp_path: Path) -> None:
    async def both() -> list[subprocess.CompletedProcess[str]]:
        calls = (
            asyncio.to_thread(
                collector, tmp_path / "d", "business", "create", name, "--origin", f"https://{name}.example"
            )
            for name in ("a", "b", "c")
        )
        return await asyncio.gather(*calls)

    assert [(done.returncode, done.stderr) for done in asyncio.run(both())] == [(0, "")] * 3


def test_postgres_serves_the_same_commands(tell: Tell, postgres_dsn: str) -> None:
    env = {"COLLECTOR_DATABASE_URL": postgres_dsn}
    made = tell("business", "create", "A", "--origin", "https://a.example", env=env)
    tell("channel", "set", made["business_id"], "website", "--dataset-id", "200000000000004", stdin="t", env=env)
    assert tell("business", "show", made["business_id"], env=env)["channels"][0]["channel"] == "website"
    assert tell("deliveries", "list", made["business_id"], env=env) == {"deliveries": [], "next_cursor": None}
