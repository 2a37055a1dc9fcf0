"""Run commands in this process, on a data directory of the test's own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from collector.commands import main
from collector.sandbox import create_sandbox
from tests.processes import serving
from tests.sandbox.conftest import Sandbox

Run = Callable[..., Result]
Tell = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """`run("business", "list", env={…}, stdin="…")` gives click's result: exit code, both streams."""

    def invoke(*arguments: str, stdin: str = "", env: dict[str, str] | None = None, color: bool = False) -> Result:
        environ = {"COLLECTOR_DATA_DIR": str(tmp_path / "data"), **(env or {})}
        return CliRunner(env=environ).invoke(main, arguments, input=stdin, prog_name="collector", color=color)

    return invoke


@pytest.fixture
def tell(run: Run) -> Tell:
    """The JSON answer of a command that must succeed and say nothing else."""

    def told(*arguments: str, **options: Any) -> Any:
        result = run(*arguments, "--json", **options)
        assert (result.exit_code, result.stderr) == (0, ""), result.output
        assert result.stdout.count("\n") == 1
        return json.loads(result.stdout)

    return told


@pytest.fixture
def shop(tell: Tell) -> str:
    """The id of a business."""
    created = tell("business", "create", "Coffee Shop", "--origin", "https://coffee.example")
    return str(created["business_id"])


@pytest.fixture(scope="session")
def served_sandbox() -> Iterator[Sandbox]:
    """Meta's stand-in under a real server; the clock is the machine's."""
    with serving(create_sandbox()) as url, httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
        yield Sandbox(client)


@pytest.fixture
def sandbox(served_sandbox: Sandbox) -> Sandbox:
    """A sandbox as good as new."""
    served_sandbox.faults()
    served_sandbox.state(**dict.fromkeys(served_sandbox.client.get("/sandbox/state").json()))
    served_sandbox.client.delete("/sandbox/events")
    return served_sandbox


@pytest.fixture
def at_graph(sandbox: Sandbox) -> dict[str, str]:
    """Settings of commands that ask Graph."""
    return {"COLLECTOR_GRAPH_URL": sandbox.url.rstrip("/")}
