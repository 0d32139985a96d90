"""The drawing of docs/architecture.md, made from the imports: ``python -m tests.house.drawing``.

With ``--write`` it is put into the page. A box is a part with its rooms, a room is a folder of
modules, and an arrow says who imports whom. An arrow that follows from a longer way is left out.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterator

from tests.house.imports import PARTS, ROOT, Graph, circles, imports, reduced, rooms

PAGE = ROOT / "docs" / "architecture.md"
MARKED = re.compile(r"(<!-- drawing[^>]*-->\n).*?(<!-- /drawing -->)", re.DOTALL)


def drawing() -> str:
    """The drawing in Mermaid's language, fenced."""
    found = rooms(imports())
    lines = ["flowchart TD"]
    for part in PARTS:
        lines += _box(part, found)
    lines += [f"  {name} --> {to}" for name, to in _arrows(_of_parts(found))]
    return "\n".join(["```mermaid", *lines, "```"]) + "\n"


def _box(part: str, found: Graph) -> Iterator[str]:
    inside = {room for room in found if room.startswith(f"{part}.")}
    if not inside:
        yield f"  {part}"
        return
    yield f"  subgraph {part}"
    for room in sorted(inside):
        yield f"    {room}[{room.partition('.')[2]}]"
    among = {room: found[room] & inside for room in inside}
    for room, to in _arrows(among):
        yield f"    {room} --> {to}"
    yield "  end"


def _arrows(graph: Graph) -> Iterator[tuple[str, str]]:
    fewer = reduced(graph)
    for name in sorted(fewer):
        yield from ((name, to) for to in sorted(fewer[name]))


def _of_parts(found: Graph) -> Graph:
    """The parts, each with those that its rooms import from."""
    parts: dict[str, set[str]] = defaultdict(set)
    for room, wanted in found.items():
        part = room.partition(".")[0]
        parts[part] |= {other.partition(".")[0] for other in wanted} - {part}
    return parts


def circles_of_parts() -> list[list[str]]:
    """Parts that import each other: there are none."""
    return circles(_of_parts(rooms(imports())))


def drawn(page: str) -> str:
    """The drawing that a page holds between its marks."""
    found = MARKED.search(page)
    assert found, "the page has no <!-- drawing … --> and <!-- /drawing --> marks"
    return found.group().removeprefix(found.group(1)).removesuffix(found.group(2))


def write() -> None:
    """Put the drawing into its page."""
    made = drawing()
    PAGE.write_text(MARKED.sub(lambda marks: marks[1] + made + marks[2], PAGE.read_text()))


if __name__ == "__main__":
    if "--write" in sys.argv:
        write()
    else:
        sys.stdout.write(drawing())
