"""Run commands in this process, on a data directory of the test's own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from collector.commands import main
from collector.sandbox import create_sandbox
from tests.commands.patient import ALL, Checks, Doctor
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
    with serving(create_sandbox()) as url, httpx2.Client(base_url=url, trust_env=False, timeout=10) as client:
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


@pytest.fixture(scope="session")
def pages() -> Iterator[str]:
    """Shop and collector on one host, as a proxy would put them."""

    async def page(_request: object) -> Response:
        return PlainTextResponse("hello")

    with serving(Starlette(routes=[Route("/", page), Route("/cnct.js", page)])) as url:
        yield url


@pytest.fixture
def settings(at_graph: dict[str, str], pages: str) -> dict[str, str]:
    return at_graph | {
        "COLLECTOR_PUBLIC_URL": pages,
        "COLLECTOR_META_APP_SECRET": "a-secret-of-the-app",
        "COLLECTOR_META_VERIFY_TOKEN": "a-word-to-verify",
        "COLLECTOR_CONNECTLY_URL": at_graph["COLLECTOR_GRAPH_URL"],
    }


@pytest.fixture
def business(tell: Tell, pages: str) -> str:
    """A business whose four channels are those of the sandbox."""
    business_id = str(tell("business", "create", "Coffee Shop", "--origin", pages)["business_id"])
    for channel in ALL:
        tell("channel", "set", business_id, *channel, stdin="sandbox-token")
    return business_id


@pytest.fixture
def doctor(run: Run, business: str, settings: dict[str, str]) -> Doctor:
    """The checks by `part.check`; the exit code agrees with them, and nothing secret is said."""

    def examine(*options: str, **changed: str) -> Checks:
        result = run("doctor", business, *options, "--json", env=settings | changed)
        told = json.loads(result.stdout)
        checks = {f"{each['part']}.{each['check']}": each for each in told["checks"]}
        faults = [name for name, each in checks.items() if each["status"] == "fault"]
        assert (result.exit_code, told["ok"], told["faults"]) == (int(bool(faults)), not faults, len(faults))
        assert all(each["remedy"] for each in checks.values() if each["status"] in ("warning", "fault"))
        assert "hunter2" not in result.output
        assert "sandbox-token" not in result.output
        assert "a-secret-of-the-app" not in result.output
        return checks

    return examine
