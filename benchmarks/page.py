"""What docs/performance.md shows of the results, between its marks: goals, and each table."""

import re
from collections.abc import Iterator
from pathlib import Path

from benchmarks.benchmark import Goal, table
from benchmarks.results import Results
from benchmarks.suite import BENCHMARKS

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
_MARKS = "(<!-- bench {name}[^>]*-->\n).*?(<!-- /bench {name} -->)"


def sections(results: Results) -> Iterator[tuple[str, str]]:
    """The name of the marks and what stands between them, for all that has been measured."""
    measured = [one for one in BENCHMARKS if results.rows.get(one.name)]
    yield "seen", seen(results)
    found = [goal for one in measured for goal in one.goals(results.rows[one.name])]
    yield "goals", goals(found)
    for one in measured:
        yield one.name, one.table(results.rows[one.name]).strip() + "\n"


def seen(results: Results) -> str:
    """One line where all was seen at once."""
    if len(set(results.seen.values())) == 1:
        return f"Seen on {next(iter(results.seen.values()))}.\n"
    return "".join(f"- {name}: seen on {told}.\n" for name, told in results.seen.items())


def goals(found: list[Goal]) -> str:
    return table(
        ("what", "goal", "measured", "met"),
        [(one.what, one.goal, one.measured, "yes" if one.met else "**no**") for one in found],
        figures=False,
    )


def put(page: str, name: str, text: str) -> str:
    """The page with the section in its place.

    Raises:
        ValueError: the page has no such marks.
    """
    marked = re.compile(_MARKS.format(name=re.escape(name)), re.DOTALL)
    if not marked.search(page):
        raise ValueError(f"{PAGE.name} has no <!-- bench {name} … --> marks.")
    return marked.sub(lambda marks: marks[1] + text + marks[2], page)


def write(results: Results) -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, text in sections(results):
        page = put(page, name, text)
    PAGE.write_text(page, encoding="utf-8")
