"""The matrix as a table at the end of a run."""

from typing import Any

import pytest

HEADINGS = ("host", "Redis", "tracked", "kept", "delivered", "spooled", "lost", "doubled", "again")
HEADINGS += ("longest call ms", "not run ms", "end ms")


class Matrix:
    """A plugin of pytest, which gathers the cells."""

    def __init__(self) -> None:
        self._cells: list[dict[str, Any]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call":
            self._cells += [value for name, value in report.user_properties if name == "cell"]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._cells:
            terminalreporter.section("hosts and states of Redis")
            for line in self._lines():
                terminalreporter.write_line(line)

    def _lines(self) -> list[str]:
        rows = [list(HEADINGS), *map(_row, self._cells)]
        whole = [row for row in rows if len(row) == len(HEADINGS)]
        widths = [max(len(row[at]) for row in whole) for at in range(len(HEADINGS))]
        return ["  ".join(map(_padded, row, widths, range(len(row)))) for row in rows]


def _row(cell: dict[str, Any]) -> list[str]:
    where = [cell["host"], cell["state"]]
    if cell["skipped"]:
        return [*where, f"skipped: {cell['skipped']}"]
    numbers = [str(cell[name]) for name in HEADINGS[2:9]]
    times = [f"{cell[name] * 1000:.0f}" for name in ("longest", "behind")]
    return [*where, *numbers, *times, f"{cell['ended'] * 1000:.0f}" if cell["ended"] else "-"]


def _padded(cell: str, width: int, at: int) -> str:
    return cell.ljust(width) if at < 2 or cell.startswith("skipped") else cell.rjust(width)
