"""What files may look like: functions from files to the sentences that name a breach."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

FILE_LINES = 300
FUNCTION_LINES = 60
EMPTY_NAMES = frozenset("base common core helper helpers manager managers misc util utils".split())

OUTBOX = "outbox.sql"
FOR_ALL_BUSINESSES = frozenset(
    (
        "version raise_version editions raise_holds held_channels businesses channels api_keys credentials put_credential run_credential "
        "resolvable forget_landings forget_conversations pulse denied"
    ).split()
)
"""The directory is loaded whole at one version; housekeeping sweeps all. Nothing else outside the outbox may look across businesses."""
ONE_BUSINESS = (
    re.compile(r":business_id\b"),
    # A batch, one row each: its first column is the business.
    re.compile(r"\bbusiness_id = value ->> 0\b.*each\(:rows\)|each\(:rows\).*\bbusiness_id = value ->> 0\b", re.DOTALL),
    re.compile(r"INSERT INTO \w+ \(\s*business_id,.*SELECT\s+value ->> 0,.*FROM each\(:rows\)", re.DOTALL),
)

FOREIGN = re.compile(
    r"/wor[k]/|(?<![\w-])shared/(?:reference|seeds|cases|hooks)|(?<![\w-])shared/[A-Z]|\bDESIGN\.md|\bEXAMPLES\.md"
    r"|\bseed 0\d\d\b|\bissue \d+\b|pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|deb\.debian\.org"
)


def long_files(paths: Iterable[Path]) -> list[str]:
    """A file that grows too long hides a noun."""
    lengths = ((path, len(path.read_text().splitlines())) for path in paths)
    return [f"{path}: {length} lines" for path, length in lengths if length > FILE_LINES]


def long_functions(paths: Iterable[Path]) -> list[str]:
    """A function that grows too long does two things."""
    found = []
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
                length = node.end_lineno - node.lineno + 1
                if length > FUNCTION_LINES:
                    found.append(f"{path}:{node.lineno} {node.name}: {length} lines")
    return found


def empty_names(root: Path, paths: Iterable[Path]) -> list[str]:
    """No file, directory, class or function is called after nothing in particular."""
    found = []
    for path in paths:
        where = path.relative_to(root)
        found += [
            f"{where}: {part}" for part in where.with_suffix("").parts if EMPTY_NAMES & set(part.lower().split("_"))
        ]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                words = re.findall(r"[A-Z][a-z]+", node.name)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                words = [node.name]
            else:
                continue
            if EMPTY_NAMES & {word.lower() for word in words}:
                found.append(f"{where}:{node.lineno} {node.name}")
    return found


def statements(path: Path) -> Iterator[tuple[str, str]]:
    """The named statements of an SQL file: name and text."""
    parts = re.split(r"^-- name: *(\S+).*\n", path.read_text(), flags=re.MULTILINE)
    yield from zip(parts[1::2], parts[2::2], strict=True)


def unscoped_statements(root: Path) -> list[str]:
    """Every statement takes the business as a parameter, alone or in each row of a batch; the dispatcher's are excepted."""
    return [
        f"{path.name}: {name} does not take the business"
        for path in sorted((root / "collector" / "store" / "sql").rglob("*.sql"))
        if path.name != OUTBOX
        for name, text in statements(path)
        if name not in FOR_ALL_BUSINESSES and not any(pattern.search(text) for pattern in ONE_BUSINESS)
    ]


def foreign_references(root: Path, paths: Iterable[Path]) -> list[str]:
    """The project stands by itself: no file points to the machine it grew on, nor to a package registry's host."""
    found = []
    for path in paths:
        try:
            text = path.read_text()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        for number, line in enumerate(text.splitlines(), start=1):
            if match := FOREIGN.search(line):
                found.append(f"{path.relative_to(root)}:{number} {match[0]}")
    return found
