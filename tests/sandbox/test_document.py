"""The document of the sandbox names every switch there is."""

from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from collector.sandbox import faults, state
from collector.sandbox.titles import TITLES, Language

TEXT = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text()


def named(word: str) -> bool:
    return f"`{word}`" in TEXT or f'"{word}"' in TEXT


@pytest.mark.parametrize(
    "entry", [state.State, state.Token, state.Dataset, state.Click, state.Connectly, state.Settings, faults.Fault]
)
def test_every_field_is_named(entry: type[msgspec.Struct]) -> None:
    assert [field for field in entry.__struct_fields__ if not named(field)] == []


@pytest.mark.parametrize("choices", [faults.Kind, faults.Edge, Language])
def test_every_choice_is_named(choices: Any) -> None:
    assert [choice for choice in get_args(choices) if not named(choice)] == []


def test_every_subcode_stands_in_the_table() -> None:
    assert [subcode for subcode in TITLES if f"100/{subcode}" not in TEXT] == []


def test_defaults_are_those_of_the_code() -> None:
    for name, default in msgspec.to_builtins(state.Settings()).items():
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert f"| `{name}` | `{shown}` |" in TEXT, name
