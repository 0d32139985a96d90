"""Lookup tables (Mixpanel: Lookup Tables, Replace a Lookup Table)."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections import Counter
from typing import Any, NamedTuple

from mixrelay.sandbox import answers
from mixrelay.sandbox.answers import Answer
from mixrelay.sandbox.options import Options

PATH = "/lookup-tables"
# "Each table may be up to 100 MB", "at most 100 uploads in 24 hours".
MAX_BYTES = 100 * 1024 * 1024
MAX_A_DAY = 100
_DAY = 86_400
_FAILED_NAMED = 100
_INVALID = "Some data points in the request failed validation."


class LookupTable(NamedTuple):
    """One table as it was uploaded last; `rows` map the header's names to texts."""

    id: str
    name: str
    header: tuple[str, ...]
    rows: list[dict[str, str]]


class LookupTables:
    """The lookup tables of one sandbox. Each upload replaces a table as a whole."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget all uploads; tables of the options are empty then."""
        with self._lock:
            self._tables = {
                table: LookupTable(table, name, (), [])
                for table, name in self._options.lookup_tables.items()
            }
            self._uploads: Counter[int] = Counter()

    def items(self) -> list[LookupTable]:
        """Return all tables, in the order in which they came to be."""
        with self._lock:
            return list(self._tables.values())

    def listed(self) -> Answer:
        """Answer `GET /lookup-tables`."""
        tables = [{"id": table.id, "name": table.name} for table in self.items()]
        return answers.coded(200, results=tables)

    def replace(self, table: str, raw: bytes, *, taken: bool = True) -> Answer:
        """Answer `PUT /lookup-tables/{id}`.

        Args:
            table: the table's id.
            raw: the CSV, not compressed.
            taken: whether the upload takes effect; a fault may answer it and keep nothing.
        """
        with self._lock:
            if self._options.lookup_tables and table not in self._tables:
                return answers.coded(404, f"Lookup table with id '{table}' was not found.")
            if self._is_too_often():
                return answers.coded(
                    429, f"a project may replace lookup tables {MAX_A_DAY} times in 24 hours"
                )
            header, rows, failed = _read(raw)
            if failed:  # "replaced in their entirety or not replaced at all"
                return answers.coded(400, _INVALID, failed_records=failed[:_FAILED_NAMED])
            if taken:
                known = self._tables.get(table)
                name = known.name if known else table
                self._tables[table] = LookupTable(table, name, header, rows)
                self._forget()
            return answers.coded(200)

    def _is_too_often(self) -> bool:
        today = int(time.time()) // _DAY
        self._uploads = Counter({today: self._uploads[today] + 1})
        return self._uploads[today] > MAX_A_DAY

    def _forget(self) -> None:
        keep = self._options.keep
        while keep is not None and len(self._tables) > keep:
            del self._tables[next(iter(self._tables))]


_Failed = list[dict[str, Any]]


def _read(raw: bytes) -> tuple[tuple[str, ...], list[dict[str, str]], _Failed]:
    """Read a table; a failed record's index counts the lines after the header from 0."""
    try:
        lines = list(csv.reader(io.StringIO(raw.decode("utf-8-sig")), strict=True))
    except (ValueError, csv.Error) as error:
        return (), [], [_failure(0, f"invalid CSV: {error}")]
    lines = [line for line in lines if line]
    if not lines:
        return (), [], [_failure(0, "the header row is required")]
    header = tuple(lines[0])
    if len(set(header)) != len(header):
        return (), [], [_failure(0, "the values in the header must be unique")]
    seen: set[str] = set()
    failed: _Failed = []
    for index, line in enumerate(lines[1:]):
        message = _line_fault(line, header, seen)
        if message:
            failed.append(_failure(index, message))
        seen.add(line[0])
    return header, [dict(zip(header, line, strict=False)) for line in lines[1:]], failed


def _line_fault(line: list[str], header: tuple[str, ...], seen: set[str]) -> str | None:
    if len(line) != len(header):
        return "invalid row: wrong number of fields"
    if not line[0].strip():
        return "primary key is required and cannot be blank"
    return "primary key must be unique" if line[0] in seen else None


def _failure(index: int, message: str) -> dict[str, Any]:
    return {"index": index, "message": message}
