"""How commands answer: neat and short for people, one JSON object for programs."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click
import msgspec

Command = TypeVar("Command", bound=Callable[..., Any])


def json_option(command: Command) -> Command:
    """The option `--json`; the command gets it as `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Answer with one JSON object.")(command)


def answer(as_json: bool, data: object, text: str) -> None:
    """Print `data` as JSON, or `text` for people."""
    click.echo(msgspec.json.encode(data).decode() if as_json else text)


def fields(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and values in two columns; what is None is left out."""
    shown = [(name, str(value)) for name, value in pairs if value is not None]
    width = max((len(name) for name, _ in shown), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in shown)


def table(head: Sequence[str], rows: Sequence[Sequence[object]], empty: str) -> str:
    """Rows in columns below their names, or what to say where there are none."""
    if not rows:
        return empty
    texts = [list(head), *([("–" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in texts)


def moment(at: int | None) -> str | None:
    """An instant (UTC ms) for people."""
    return None if at is None else datetime.fromtimestamp(at / 1000, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
