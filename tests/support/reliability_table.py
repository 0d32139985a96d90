"""The last full run, for docs/reliability.md: `python -m tests.support.reliability_table REPORT`.

A report is what a run of `tests/chaos` writes where MIXRELAY_CHAOS_REPORT names a file. Several may
be given, such as that of `make chaos` and that of `make soak`. With `--write` the section goes into
the page.
"""

import argparse
import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import orjson

from tests.chaos.report import HEADINGS

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"
MARKED = re.compile(r"(<!-- last full run[^>]*-->\n).*?(<!-- /last full run -->)", re.DOTALL)
LOST = "lost"
SUMMED = ("runs", "messages")

Row = dict[str, str]


def read(report: Path) -> list[Row]:
    """The rows of a report.

    Raises:
        ValueError: it is none.
    """
    rows: list[Row] = orjson.loads(report.read_bytes())
    for row in rows:
        if tuple(row) != HEADINGS:
            raise ValueError(f"{report}: {row} is no row of {HEADINGS}; run make chaos again.")
    return rows


def section(rows: Sequence[Row], seen: str) -> str:
    """What stands between the marks: a sentence, what was lost, the table."""
    runs, messages = (sum(int(row[name]) for row in rows) for name in SUMMED)
    lines = [
        f"{seen}: {len(rows)} attacks, {runs:,} runs, {messages:,} messages. {_lost(rows)}",
        "",
    ]
    lines += [_line(HEADINGS), _line(["---"] + ["---:"] * (len(HEADINGS) - 1))]
    lines += [
        _line([row["attack"], *(_number(row[name]) for name in HEADINGS[1:])]) for row in rows
    ]
    return "\n".join(lines) + "\n"


def _lost(rows: Sequence[Row]) -> str:
    lossy = [f"{row['attack']}: {int(row[LOST]):,}" for row in rows if int(row[LOST])]
    return f"Lost: {'; '.join(lossy)}. Elsewhere nothing." if lossy else "Nothing was lost."


def _number(text: str) -> str:
    return f"{int(text):,}" if text.isdigit() else text


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def seen(reports: Sequence[Path]) -> str:
    """When the newest report was written, and on what machine this is."""
    day = datetime.fromtimestamp(max(one.stat().st_mtime for one in reports), UTC).date()
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    return f"Seen on {day} on {machine}"


def put(page: str, text: str) -> str:
    """The page with the section in its place.

    Raises:
        ValueError: the page has no marks.
    """
    if not MARKED.search(page):
        raise ValueError(f"{PAGE.name} has no <!-- last full run … --> marks.")
    return MARKED.sub(lambda marks: marks[1] + text + marks[2], page)


def main() -> None:
    parser = argparse.ArgumentParser(description="The last full run, for docs/reliability.md.")
    parser.add_argument("reports", type=Path, nargs="+", metavar="REPORT.json")
    parser.add_argument("--write", action="store_true", help="put it into the page")
    chosen = parser.parse_args()
    rows = [row for report in chosen.reports for row in read(report)]
    text = section(rows, seen(chosen.reports))
    if chosen.write:
        PAGE.write_text(put(PAGE.read_text(encoding="utf-8"), text), encoding="utf-8")
    else:
        print(text, end="")


if __name__ == "__main__":
    main()
