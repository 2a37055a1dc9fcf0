"""docs/settings.md says what the code does."""

from pathlib import Path
from typing import Any

from collector.settings import HINTS, SECRETS, VARIABLES, load

DOCS = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
SPOKEN_DEFAULTS = {"data_dir": "see below", "database_url": "`collector.db` in the data directory"}


def shown(value: Any) -> str:
    if value in ((), None):
        return "unset"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def row(variable: str, name: str) -> str:
    default = SPOKEN_DEFAULTS.get(name) or shown(getattr(load({}), name))
    secret = "**secret** " if name in SECRETS else ""
    return f"| `{variable}` | {default} | {secret}{HINTS[name].__metadata__[0].description} |"


def test_the_table_lists_every_setting_with_its_default_and_meaning() -> None:
    documented = [line for line in DOCS.read_text().splitlines() if line.startswith("| `COLLECTOR_")]
    assert documented == [row(variable, name) for variable, name in VARIABLES.items()]
