"""What a benchmark is: rows of figures that it yields as it goes, and how they are shown."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]
Rows = Sequence[Row]


@dataclass(frozen=True)
class Size:
    """Full, or quick: a fifth of everything, for a look."""

    quick: bool = False

    def of(self, full: int) -> int:
        return max(full // 5, 1) if self.quick else full

    def rounds(self, full: int) -> int:
        return 1 if self.quick else full


@dataclass(frozen=True)
class Goal:
    """A line of the table of goals."""

    what: str
    goal: str
    measured: str
    met: bool


@dataclass(frozen=True)
class Benchmark:
    name: str
    what: str
    run: Callable[[Size], Iterator[Row]]
    table: Callable[[Rows], str]
    """Of the rows, as Markdown."""
    goals: Callable[[Rows], Iterator[Goal]]


FAILED = "failed"
"""The key of a row that tells why something could not be measured."""


def failures(rows: Rows) -> str:
    """A line for each, as Markdown."""
    return "".join(
        f"\nNot measured: {row.get('name', 'the rest')}: {row[FAILED]}\n"
        for row in rows
        if FAILED in row
    )


def measured(rows: Rows) -> Rows:
    return [row for row in rows if FAILED not in row]


def table(head: Sequence[str], lines: Iterable[Sequence[str]], *, figures: bool = True) -> str:
    """The first column to the left, and figures to the right."""
    dashes = ["---"] + ["---:" if figures else "---"] * (len(head) - 1)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in [head, dashes, *lines])
