"""Who imports whom in the product, read from the source, inside of functions too."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("console", "worker", "producer", "sandbox", "shared")
"""The source roots, from the top down."""

Graph = Mapping[str, set[str]]
"""Each name with those that it imports."""


def sources() -> dict[str, Path]:
    """Every module of the product by its dotted name."""
    found = {}
    for part in PARTS:
        for path in sorted((ROOT / part / "mixrelay" / part).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT / part).with_suffix("").parts)
            found[name.removesuffix(".__init__")] = path
    return found


def imports() -> Graph:
    """Each module with the modules of the product that it imports."""
    modules = sources()
    return {
        name: {
            module
            for wanted in _imported(ast.parse(path.read_text()), name, path)
            if (module := _known(wanted, modules)) not in (None, name)
        }
        for name, path in modules.items()
    }


def _imported(tree: ast.AST, name: str, path: Path) -> Iterator[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *filter(None, [base])])
            # The name may be a module itself.
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _known(wanted: str, modules: Mapping[str, Path]) -> str | None:
    while wanted and wanted not in modules:
        wanted = wanted.rpartition(".")[0]
    return wanted or None


def circles(graph: Graph) -> list[list[str]]:
    """Groups of names that all reach each other (strongly connected components)."""
    reach = {name: _reachable(graph, name) for name in graph}
    seen: set[str] = set()
    found = []
    for name in sorted(graph):
        if name not in seen and name in reach[name]:
            group = sorted(other for other in reach[name] if name in reach.get(other, ()))
            seen |= set(group)
            found.append(group)
    return found


def _reachable(graph: Graph, start: str) -> set[str]:
    reached: set[str] = set()
    todo = [*graph.get(start, ())]
    while todo:
        name = todo.pop()
        if name not in reached:
            reached.add(name)
            todo += graph.get(name, ())
    return reached


def room_of(module: str) -> str:
    """The room that a module lies in: `worker`, or `shared.queue` for a folder of a part."""
    parts = module.split(".")[1:]
    path = sources_folder(module)
    return ".".join(parts[: 2 if path else 1])


def sources_folder(module: str) -> bool:
    """Whether a module lies in a folder of its part."""
    parts = module.split(".")[1:]
    return len(parts) > 1 and (ROOT / parts[0] / "mixrelay" / parts[0] / parts[1]).is_dir()


def rooms(graph: Graph) -> Graph:
    """The rooms, each with those that its modules import from."""
    found: dict[str, set[str]] = defaultdict(set)
    for module, wanted in graph.items():
        if module == "mixrelay":
            continue
        room = room_of(module)
        found[room] |= {room_of(other) for other in wanted if other != "mixrelay"} - {room}
    return found


def reduced(graph: Graph) -> Graph:
    """The arrows without those that a longer way of arrows implies (transitive reduction)."""
    circling = {name for group in circles(graph) for name in group}
    return {
        name: {
            to
            for to in wanted
            if {name, to} & circling
            or not any(to in _reachable(graph, other) for other in wanted - {to})
        }
        for name, wanted in graph.items()
    }


def classes(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Public classes by their names, each with the files that define it."""
    found: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found[node.name].append(path)
    return found
