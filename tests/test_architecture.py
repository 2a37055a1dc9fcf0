"""The rules of the house hold for the project, and each rule is seen to fail on a planted violation."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import file_rules, import_rules

ROOT = Path(__file__).resolve().parent.parent
Rule = Callable[[Path], list[str]]

PACKAGE_RULES: list[Rule] = [
    import_rules.homeless_modules,
    import_rules.outward_imports,
    import_rules.circles,
    import_rules.strangers_that_meet,
    import_rules.concrete_names,
    import_rules.strayed_libraries,
    import_rules.effects_in_the_middle,
    file_rules.unscoped_statements,
]


def project_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name]


def project_python() -> list[Path]:
    return sorted(path for name in ("collector", "tests", "e2e", "bench") for path in (ROOT / name).rglob("*.py"))


def plant(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / "collector" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("rule", PACKAGE_RULES, ids=lambda rule: rule.__name__)
def test_the_package_keeps_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == []


def test_files_and_functions_stay_short() -> None:
    assert file_rules.long_files(project_python()) == []
    assert file_rules.long_functions(project_python()) == []


def test_everything_is_called_after_what_it_is() -> None:
    assert file_rules.empty_names(ROOT, project_python()) == []


def test_the_project_stands_by_itself() -> None:
    assert file_rules.foreign_references(ROOT, project_files()) == []


@pytest.mark.parametrize(
    ("rule", "files", "sentence"),
    [
        (import_rules.homeless_modules, {"odds": ""}, "collector.odds stands in no known room"),
        (
            import_rules.outward_imports,
            {"event": "from collector import store", "store/face": "", "store/__init__": ""},
            None,
        ),
        (
            import_rules.outward_imports,
            {"intake": "def late() -> None:\n    from collector.edge import api", "edge/api": ""},
            "collector.intake:2 imports collector.edge.api",
        ),
        (
            import_rules.outward_imports,
            {"store/face": "from ..lane import Lane", "lane": ""},
            "collector.store.face:1 imports collector.lane",
        ),
        (
            import_rules.circles,
            {
                "match": "import collector.intake",
                "intake": "import collector.report",
                "report": "import collector.match",
            },
            None,
        ),
        (
            import_rules.strangers_that_meet,
            {"edge/api": "from collector.destinations import meta", "destinations/meta": ""},
            "collector.edge.api:1 imports collector.destinations.meta",
        ),
        (
            import_rules.strangers_that_meet,
            {"sandbox/graph": "import collector.event", "event": ""},
            "collector.sandbox.graph:1 imports collector.event",
        ),
        (
            import_rules.strangers_that_meet,
            {"app": "import collector.sandbox.graph", "sandbox/graph": ""},
            "collector.app:1 imports collector.sandbox.graph",
        ),
        (
            import_rules.concrete_names,
            {"store/writer": "from collector.store.sqlite import Engine", "store/sqlite": ""},
            "collector.store.writer:1 imports collector.store.sqlite",
        ),
        (
            import_rules.concrete_names,
            {
                "match": "from collector.store.opening import open_store",
                "store/opening": "import collector.store.sqlite",
            },
            "collector.match:1 imports collector.store.opening",
        ),
        (
            import_rules.strayed_libraries,
            {"destinations/meta": "from httpx2 import AsyncClient"},
            "collector.destinations.meta:1 imports httpx2",
        ),
        (
            import_rules.effects_in_the_middle,
            {"sources/shopify": "from time import monotonic"},
            "collector.sources.shopify:1 imports time",
        ),
        (
            import_rules.effects_in_the_middle,
            {"delivery": "import datetime\nNOW = datetime.datetime.now()"},
            "collector.delivery:2 calls datetime.datetime.now",
        ),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, rule: Rule, files: dict[str, str], sentence: str | None) -> None:
    plant(tmp_path, files)
    found = rule(tmp_path)
    assert len(found) == 1
    assert sentence in (None, found[0])


@pytest.mark.parametrize("rule", PACKAGE_RULES, ids=lambda rule: rule.__name__)
def test_a_house_in_order_passes(tmp_path: Path, rule: Rule) -> None:
    plant(
        tmp_path,
        {
            "app": "from collector.store.sqlite import Engine\nfrom collector.destinations import meta\nimport starlette",
            "commands/serve": "from collector import app, sandbox\nimport collector.store.postgres",
            "delivery": "from collector import errors\nfrom datetime import datetime\ndef at(now: datetime) -> None: ...",
            "destinations/meta": "from collector.destinations.outbound import send",
            "destinations/outbound": "import httpx2",
            "errors": "",
            "sandbox/graph": "import httpx2, starlette, random, time",
            "store/sqlite": "import aiosqlite",
            "store/postgres": "import asyncpg",
        },
    )
    assert rule(tmp_path) == []


@pytest.mark.parametrize(
    ("text", "scoped"),
    [
        ("SELECT 1 FROM events WHERE business_id = :business_id", True),
        ("SELECT business_id FROM events", False),
        ("SELECT 1 FROM events WHERE id = :id ORDER BY business_id", False),
        ("INSERT INTO links (business_id, id)\nSELECT value ->> 0, value ->> 1\nFROM each(:rows)", True),
        ("INSERT INTO links (id, business_id)\nSELECT value ->> 0, value ->> 1\nFROM each(:rows)", False),
        ("UPDATE events AS e SET state = value ->> 2 FROM each(:rows) WHERE e.business_id = value ->> 0", True),
        ("UPDATE events AS e SET state = value ->> 2 FROM each(:rows) WHERE e.id = value ->> 1", False),
    ],
)
def test_a_statement_that_does_not_take_the_business_is_found(tmp_path: Path, text: str, scoped: bool) -> None:
    folder = tmp_path / "collector" / "store" / "sql"
    folder.mkdir(parents=True)
    (folder / "outbox.sql").write_text("-- name: claim\nUPDATE deliveries SET state = 'sending';\n")
    (folder / "ledger.sql").write_text(f"-- name: version\nSELECT version FROM directory;\n\n-- name: it\n{text};\n")
    assert file_rules.unscoped_statements(tmp_path) == ([] if scoped else ["ledger.sql: it does not take the business"])


def test_length_is_found_from_the_first_line_too_many(tmp_path: Path) -> None:
    fits, long = tmp_path / "fits.py", tmp_path / "long.py"
    function = "def walk() -> None:\n" + "    step()\n" * (file_rules.FUNCTION_LINES - 1)
    fits.write_text(function + "\n" * (file_rules.FILE_LINES - file_rules.FUNCTION_LINES))
    long.write_text(function + "    step()\n" + "\n" * (file_rules.FILE_LINES - file_rules.FUNCTION_LINES))
    assert file_rules.long_files([fits, long]) == [f"{long}: 301 lines"]
    assert file_rules.long_functions([fits, long]) == [f"{long}:1 walk: 61 lines"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("utils.py", ""),
        ("core/link.py", ""),
        ("text_helpers.py", ""),
        ("lane.py", "class LaneManager: ..."),
        ("lane.py", "class BaseLane: ..."),
        ("lane.py", "def helper() -> None: ..."),
    ],
)
def test_an_empty_name_is_found(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    assert len(file_rules.empty_names(tmp_path, [path])) == 1


def test_a_full_name_passes(tmp_path: Path) -> None:
    path = tmp_path / "database.py"
    path.write_text("class Database: ...\ndef base_url() -> str: ...")
    assert file_rules.empty_names(tmp_path, [path]) == []


@pytest.mark.parametrize(
    "line",
    [
        "see shared" + "/reference/stack.md",
        "/wo" + "rk/main/collector",
        "exactly seed" + " 004",
        "as issue" + " 2 says",
        "resolved https://registry.npm" + "js.org/esbuild",
        "--index-url https://py" + "pi.org/simple",
    ],
)
def test_a_foreign_reference_is_found(tmp_path: Path, line: str) -> None:
    path = tmp_path / "notes.md"
    path.write_text(f"# Notes\n{line}\n")
    (tmp_path / "clean.md").write_text("a network/shared folder, an issue with 2 answers, the seeds of PyPI\n")
    found = file_rules.foreign_references(tmp_path, sorted(tmp_path.iterdir()))
    assert len(found) == 1
    assert found[0].startswith("notes.md:2 ")
