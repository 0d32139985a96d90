"""What a check found, in a sentence that helps."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    """Messages flow; something may go wrong later."""
    ERROR = "error"
    """Messages do not flow, or may be lost."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's report."""

    area: str
    """`redis`, `mixpanel`, `workers`, `tokens` or `settings`."""
    check: str
    level: Level
    found: str
    todo: str = ""
    """Empty where there is nothing to do."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


Check = Callable[[], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Area:
    """Makes the findings of one area."""

    name: str

    def ok(self, check: str, found: str) -> Finding:
        return Finding(self.name, check, Level.OK, found)

    def warning(self, check: str, found: str, todo: str) -> Finding:
        return Finding(self.name, check, Level.WARNING, found, todo)

    def error(self, check: str, found: str, todo: str) -> Finding:
        return Finding(self.name, check, Level.ERROR, found, todo)
