"""What the two engines have in common: named statements, steps of one commit, and the ways in which a commit fails.

An engine knows transactions and no nouns. Statements live in `sql/*.sql`, written once for both dialects (the hottest is written twice:
`-- name: take sqlite`); the little that differs is rewritten here when they are loaded:

- `each` stands for any number of rows, whose columns the statement declares in lines "-- rows:". SQLite gets a list of `VALUES`,
  PostgreSQL one text for each column, its values between marks (JSON costs the server twice as much, the driver's arrays cost the event
  loop ten times as much), or one for all of them (postgres_function.py). Either way it is one call for a whole batch, outside Python's
  lock: nothing is done for each row;
- `:name` stays in SQLite and becomes `$n` in PostgreSQL;
- `FOR UPDATE …` is dropped for SQLite, whose single writer locks everything by BEGIN IMMEDIATE;
- a step that only the other dialect has is left out: the one before it did its work.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple, Protocol, TypeAlias

import msgspec

Rows: TypeAlias = list[Sequence[Any]]
Params: TypeAlias = Mapping[str, Any]

_NAME = re.compile(r"^-- name: (\w+)(?: (\w+))?$", re.MULTILINE)
_ROWS = re.compile(r"^-- rows:(.*)$", re.MULTILINE)
_LOCK = re.compile(r"\bFOR UPDATE( OF \w+)?( SKIP LOCKED)?")
_PARAM = re.compile(r"(?<![:\w]):(\w+)")


class Step(msgspec.Struct, frozen=True, gc=False):
    """One named statement of a commit.

    The parameter `rows`, where there is one, is a list of tuples. `params` may be a function of the rows that the earlier steps
    returned; where it gives None, the step is left out and returns no rows.
    """

    name: str
    params: Params | Callable[[list[Rows]], Params | None] = {}

    def given(self, results: list[Rows]) -> Params | None:
        """The parameters, after these results of the earlier steps."""
        return self.params(results) if callable(self.params) else self.params


class BadRow(Exception):
    """The database refuses the data itself: the same rows will never be stored. Nothing was written."""


class Interrupted(Exception):
    """Busy, full, broken or gone: the same commit may succeed later. It may even have happened, if COMMIT's answer was lost."""


class Engine(Protocol):
    """Runs named statements. Every method raises Interrupted when the database cannot answer now.

    `writers` is how many group commits it can run at once.
    """

    writers: int

    async def read(self, name: str, params: Params | None = None) -> Rows:
        """Rows of a reading statement, as committed now."""
        ...

    async def commit(self, steps: Sequence[Step], version: int | None = None, exclusive: bool = False) -> list[Rows]:
        """Run all steps in one durable transaction and return the rows of each.

        With `version`, nothing is written and face.StaleDirectory is raised when the directory's version is another. `exclusive` is for
        those who change the directory: they wait for the writes that rely on it, and those wait for them.
        Raises BadRow when the data cannot be stored.
        """
        ...

    async def now_ms(self) -> int:
        """The store's clock, UTC milliseconds."""
        ...

    async def migrate(self) -> None:
        """Bring the schema to this code's version; raises errors.SettingsError when it is newer."""
        ...

    async def close(self) -> None:
        """Give everything back. Safe to call twice."""
        ...


class Statement(msgspec.Struct, frozen=True, gc=False):
    """A named statement as it is written, and the columns of `each`: name and type."""

    text: str
    columns: tuple[tuple[str, str], ...]


def load(dialect: str) -> dict[str, Statement]:
    """All named statements of a dialect, `sqlite` or `postgres`: those that name it, and those that name none."""
    statements: dict[str, Statement] = {}
    for file in sorted(files("collector.store").joinpath("sql").iterdir(), key=lambda file: file.name):
        parts = _NAME.split(file.read_text("utf-8"))[1:]
        for name, only, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            if only not in (None, dialect):
                continue
            if name in statements:
                raise ValueError(f"statement {name} is written twice")
            declared = " ".join(_ROWS.findall(text)).replace(",", " , ").split(" , ") if _ROWS.search(text) else []
            columns = [column.strip().removeprefix(":").partition(" ") for column in declared]
            lines = (line for line in text.splitlines() if not line.lstrip().startswith("--"))
            statements[name] = Statement(
                "\n".join(lines).strip().removesuffix(";"), tuple((name, kind or "TEXT") for name, _, kind in columns)
            )
    return statements


def for_sqlite(statement: Statement, rows: int) -> tuple[str, tuple[str, ...]]:
    """The statement in SQLite's dialect and the names of its parameters.

    With rows, their values are positional parameters, row by row, and those of the named ones come behind them.
    """
    text, more = _LOCK.sub("", statement.text), tuple(_PARAM.findall(statement.text))
    if not statement.columns:
        return text, more
    names = ", ".join(name for name, _ in statement.columns)
    row = f"({', '.join('?' * len(statement.columns))})"
    return f"WITH each ({names}) AS (VALUES {', '.join([row] * rows)})\n{_PARAM.sub('?', text)}", more


def for_postgres(statement: Statement) -> tuple[str, tuple[str, ...]]:
    """The statement in PostgreSQL's dialect and the names of its parameters; with rows, they are the texts of `marked`."""
    names = [name for name, _ in statement.columns]
    if names:
        mark, none = (f"${len(names) + place}" for place in (1, 2))
        columns = []
        for place, (_, kind) in enumerate(statement.columns, 1):
            split = f"string_to_array(${place}, {mark}, {none})"
            if kind == "TEXT":  # no text at all would be no row at all
                columns.append(f"unnest(CASE ${place} WHEN '' THEN ARRAY[''] ELSE {split} END)")
            else:
                columns.append(f"CAST(unnest({split}) AS {kind})")
        return with_each(names, f"SELECT {', '.join(columns)}", statement.text), ()

    def position(found: re.Match[str]) -> str:
        if found.group(1) not in names:
            names.append(found.group(1))
        return f"${names.index(found.group(1)) + 1}"

    return _PARAM.sub(position, statement.text), tuple(names)


def with_each(names: Sequence[str], select: str, text: str) -> str:
    """A statement with `each` before its other named queries."""
    rest = text.replace("WITH ", ", ", 1) if text.startswith("WITH ") else text
    return f"WITH each ({', '.join(names)}) AS ({select})\n{rest}"


class Marked(NamedTuple):
    """Rows for PostgreSQL: a text for each column, the mark that stands between values, and the one that stands for None."""

    texts: list[str]
    mark: str
    none: str


def marked(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> Marked:
    """The rows, column by column.

    >>> marked([("id", "TEXT"), ("at", "BIGINT")], [("a", 1), (None, 2)])
    Marked(texts=['a\\x1e\\x1f', '1\\x1e2'], mark='\\x1e', none='\\x1f')
    """
    lists = list(zip(columns, zip(*rows, strict=True), strict=True))
    texts = [values for (_, kind), values in lists if kind == "TEXT"]
    mark, none = "\x1e", "\x1f"
    whole = "".join([value for values in texts for value in values if value is not None])
    if mark in whole or none in whole:  # somebody's text holds one of them
        used = set(whole)
        free = (char for char in map(chr, range(0xE000, 0x110000)) if char not in used)
        mark, none = next(free), next(free)
    return Marked([_written(kind, values, mark, none) for (_, kind), values in lists], mark, none)


def _written(kind: str, values: Sequence[Any], mark: str, none: str) -> str:
    if kind != "TEXT":
        return msgspec.json.encode(values)[1:-1].decode().replace("null", none).replace(",", mark)
    return mark.join([none if value is None else value for value in values] if None in values else values)


def clean(value: Any) -> Any:
    """A text that any database can keep: without NUL, lone surrogates replaced. Other values as they are."""
    return value.replace("\0", "").encode("utf-8", "replace").decode() if isinstance(value, str) else value


def migrations(dialect: str) -> list[tuple[int, str]]:
    """Numbered migrations of a dialect, oldest first."""
    folder = files("collector.store").joinpath("migrations", dialect)
    names = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    return [(int(name.partition("_")[0]), folder.joinpath(name).read_text("utf-8")) for name in names]


def newer(found: int, known: int) -> str:
    """What to say of a database that a later release has written."""
    return f"COLLECTOR_DATABASE_URL: the database has schema version {found}, this release knows {known}: install the newer release"
