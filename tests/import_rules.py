"""Who may import whom and which effect belongs where: functions from a project's root to the sentences that name a breach."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

# The rooms, from the pure middle outwards. A module imports from its own row and from those above it, never from below.
ROOMS: tuple[frozenset[str], ...] = tuple(
    frozenset(row.split())
    for row in (
        "errors",
        "attribution consent event policy options nameless phone places traits fbc identity delivery",
        "sources",
        "settings vault log snippet_files",
        "store",
        "destinations",
        "match intake outset parties receipt repeat replay link arrivals directory report privacy",
        "diagnosis",
        "dispatcher lane verdict",
        "edge",
        "app server",
        "commands sandbox __main__",
    )
)
PURE = ROOMS[0] | ROOMS[1] | ROOMS[2] | {"diagnosis"}
COMPOSERS = frozenset({"app", "commands"})
STORE_DOOR = "collector.store.opening"
"""Knows which engine a URL means, so whoever imports it names an implementation too."""
CONCRETE = (
    STORE_DOOR,
    "collector.store.sqlite",
    "collector.store.postgres",
    "collector.destinations.meta",
    "collector.destinations.connectly",
)

# A library with an effect is imported in these places only.
CONFINED = {
    "httpcore2": ("collector.destinations.outbound",),
    "httpx2": ("collector.destinations.outbound", "collector.sandbox"),
    "starlette": ("collector.edge", "collector.app", "collector.server", "collector.sandbox"),
    "sqlite3": ("collector.store.sqlite", "collector.store.sqlite_file"),
    "aiosqlite": ("collector.store.sqlite",),
    "asyncpg": ("collector.store.postgres",),
}
IMPURE_LIBRARIES = frozenset(
    "aiosqlite anyio asyncio asyncpg click httpcore2 httpx2 os random secrets socket sqlite3 starlette subprocess threading time uvicorn".split()
)
IMPURE_CALLS = frozenset(
    "datetime.now datetime.utcnow datetime.today date.today uuid.uuid1 uuid.uuid4 uuid4 uuid1 open print input".split()
)


class Module(NamedTuple):
    """One Python file of the package: its dotted name, where it lies, its syntax tree."""

    name: str
    path: Path
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first name below the package; empty for the package itself."""
        return self.name.partition(".")[2].partition(".")[0]


class Import(NamedTuple):
    """A module of the package that imports another module, of the package or not."""

    importer: Module
    line: int
    target: str

    def __str__(self) -> str:
        return f"{self.importer.name}:{self.line} imports {self.target}"


@cache
def package(root: Path) -> tuple[Module, ...]:
    """The modules of ``collector`` below the root of a project."""
    modules = []
    for path in sorted((root / "collector").rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        modules.append(Module(name, path, ast.parse(path.read_text())))
    return tuple(modules)


@cache
def imports(root: Path) -> tuple[Import, ...]:
    """Every import in the package, those inside functions too; ``from a import b`` counts as ``a.b`` where that is a module."""
    known = {prefix for module in package(root) for prefix in _prefixes(module.name)}
    found = []
    for module in package(root):
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                found += [Import(module, node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                source = _absolute(module, node)
                for alias in node.names:
                    submodule = f"{source}.{alias.name}"
                    found.append(Import(module, node.lineno, submodule if submodule in known else source))
    return tuple(found)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    drop = node.level - (module.path.name == "__init__.py")
    return ".".join([*parts[: len(parts) - drop], *([node.module] if node.module else [])])


def _prefixes(name: str) -> Iterator[str]:
    parts = name.split(".")
    yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _is_in(name: str, *places: str) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def _room(name: str) -> str | None:
    """The room of a module of the package; None for a library and for the package itself."""
    head, _, rest = name.partition(".")
    return rest.partition(".")[0] or None if head == "collector" else None


def _rank(room: str) -> int:
    return next((rank for rank, rooms in enumerate(ROOMS) if room in rooms), -1)


def homeless_modules(root: Path) -> list[str]:
    """Every module stands in a room that this file knows."""
    return [
        f"{module.name} stands in no known room" for module in package(root) if module.room and _rank(module.room) < 0
    ]


def outward_imports(root: Path) -> list[str]:
    """Imports go towards the pure middle."""
    return [
        str(each)
        for each in imports(root)
        if (room := _room(each.target)) and each.importer.room and _rank(room) > _rank(each.importer.room)
    ]


def circles(root: Path) -> list[str]:
    """No module imports itself by way of others."""
    names = {module.name for module in package(root)}
    graph: dict[str, set[str]] = {name: set() for name in names}
    for each in imports(root):
        if each.target in names and each.target != each.importer.name:
            graph[each.importer.name].add(each.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" imports ".join(reversed(error.args[1]))]
    return []


def strangers_that_meet(root: Path) -> list[str]:
    """The edge and the destinations never see each other; nobody but the commands sees the sandbox, and it sees nobody."""
    found = []
    for each in imports(root):
        importer, target = each.importer.room, _room(each.target)
        meet = {importer, target} == {"edge", "destinations"}
        sandbox_looks_out = importer == "sandbox" and target not in ("sandbox", None)
        sandbox_is_seen = target == "sandbox" and importer not in ("sandbox", "commands")
        if meet or sandbox_looks_out or sandbox_is_seen:
            found.append(str(each))
    return found


def concrete_names(root: Path) -> list[str]:
    """Only the composition root and the commands name an implementation."""
    return [
        str(each)
        for each in imports(root)
        for concrete in CONCRETE
        if _is_in(each.target, concrete)
        and each.importer.room not in COMPOSERS
        and not _is_in(each.importer.name, concrete, STORE_DOOR)
    ]


def strayed_libraries(root: Path) -> list[str]:
    """HTTP clients, web frameworks and database drivers are imported where their effect belongs."""
    return [
        str(each)
        for each in imports(root)
        if (places := CONFINED.get(each.target.partition(".")[0])) and not _is_in(each.importer.name, *places)
    ]


def effects_in_the_middle(root: Path) -> list[str]:
    """Pure modules know no clock, no randomness, no network, no file: time and chance are arguments."""
    found = [
        str(each)
        for each in imports(root)
        if each.importer.room in PURE and each.target.partition(".")[0] in IMPURE_LIBRARIES
    ]
    for module in package(root):
        if module.room in PURE:
            calls = [node for node in ast.walk(module.tree) if isinstance(node, ast.Call)]
            found += [
                f"{module.name}:{call.lineno} calls {name}"
                for call in calls
                if _is_effect(name := ast.unparse(call.func))
            ]
    return found


def _is_effect(call: str) -> bool:
    return any(call == name or ("." in name and call.endswith(f".{name}")) for name in IMPURE_CALLS)
