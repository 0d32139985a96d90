"""The table of what each attack did, printed at the end of a run and kept as JSON."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson
import pytest

from tests.chaos.ledger import Findings

HEADINGS = (
    "attack", "runs", "messages", "lost", "doubled", "resent", "dead", "books", "stall s"
)  # fmt: skip


@dataclass(slots=True)
class Attack:
    """One kind of attack: several runs add up."""

    name: str
    runs: list[Findings] = field(default_factory=list)

    def cells(self) -> list[str]:
        totals = [sum(getattr(run, name) for run in self.runs) for name in COUNTS]
        books = max(run.books for run in self.runs)
        stall = max(run.stall for run in self.runs)
        return [self.name, *map(str, [len(self.runs), *totals, books]), f"{stall:.1f}"]


_PROPERTY = "attack"
COUNTS = ("messages", "lost", "doubled", "resent", "dead")


def property_of(attack: str, found: Findings) -> tuple[str, tuple[str, dict[str, Any]]]:
    """What a test notes of itself: pytest's own way to tell, from other processes too."""
    return _PROPERTY, (attack, asdict(found))


class Report:
    """A plugin of pytest, which gathers what the tests noted."""

    def __init__(self) -> None:
        self._attacks: dict[str, Attack] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            for name, value in report.user_properties:
                if name == _PROPERTY:
                    attack, found = cast("tuple[str, dict[str, Any]]", value)
                    self.add(attack, Findings(**found))

    def add(self, attack: str, found: Findings) -> None:
        self._attacks.setdefault(attack, Attack(attack)).runs.append(found)

    def lines(self) -> list[str]:
        """The table, for people."""
        if not self._attacks:
            return []
        rows = [list(HEADINGS), *(attack.cells() for attack in self._attacks.values())]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return [_line(row, widths) for row in rows]

    def write(self) -> None:
        """For docs/reliability.md, where MIXRELAY_CHAOS_REPORT names a file."""
        path = os.environ.get("MIXRELAY_CHAOS_REPORT")
        if path:
            rows: Iterable[dict[str, Any]] = (
                dict(zip(HEADINGS, attack.cells(), strict=True))
                for attack in self._attacks.values()
            )
            Path(path).write_bytes(orjson.dumps(list(rows), option=orjson.OPT_INDENT_2) + b"\n")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers = cells
    return "  ".join([name.ljust(widths[0]), *map(str.rjust, numbers, widths[1:])])
