"""The CSV of a lookup table, checked before it replaces anything.

What Mixpanel wants of it: UTF-8, a header, a key of its own in the first column of every row, as
many fields in each row as in the header (Mixpanel: Replace a Lookup Table, and its 400).
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Any

from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.records.id_checks import reduced
from mixrelay.producer.records.values import NotJSONError, utc_text

MAX_BYTES = 100_000_000
"""Mixpanel: Replace a Lookup Table, "up to 100 MB"; the smaller reading of it."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def csv_of_file(path: str | os.PathLike[str]) -> tuple[bytes, int]:
    """Return a file's bytes, without a byte order mark, and how many rows it has.

    Raises:
        InvalidPropertyError: it is no table that Mixpanel takes; the path names the line.
        OSError: it cannot be read.
    """
    name = os.fspath(path)
    size = Path(path).stat().st_size
    if size > MAX_BYTES:
        raise _too_large(name, size)
    body = Path(path).read_bytes().removeprefix(_BYTE_ORDER_MARK)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidPropertyError(
            name, f"is not UTF-8 at byte {error.start:,}; save it as CSV in UTF-8"
        ) from None
    return body, _checked(name, text)


def _checked(name: str, text: str) -> int:
    """Return how many rows a CSV has below its header."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = ((f"{name}, line {reader.line_num}", row) for row in reader if row)
    try:
        return sum(1 for _ in _checked_rows(name, lines)) - 1  # of the header
    except csv.Error as error:
        raise InvalidPropertyError(
            f"{name}, line {reader.line_num}", f"is no CSV: {error}"
        ) from None


def csv_of_rows(rows: Iterable[Mapping[str, Any]] | Iterable[Sequence[Any]]) -> tuple[bytes, int]:
    """Return the CSV of rows, and how many there are below the header.

    Args:
        rows: dicts, whose first one has all the columns; or lists, the first being the header.

    Raises:
        InvalidPropertyError: they are no table that Mixpanel takes; the path names the row.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    count = -1  # of the header
    for row in _checked_rows("rows", _named(rows)):
        writer.writerow(row)
        count += 1
        if text.tell() > MAX_BYTES:  # of what may have no end
            raise _too_large("rows", text.tell())
    body = text.getvalue().encode()
    if len(body) > MAX_BYTES:
        raise _too_large("rows", len(body))
    return body, count


def _named(rows: object) -> Iterator[tuple[str, list[str]]]:
    """Yield each row as texts, with what to call it in an error; the header first."""
    if isinstance(rows, bytes | Mapping) or not isinstance(rows, Iterable):
        raise InvalidPropertyError("table", "must be the path of a CSV file, or rows")
    every: Iterator[Any] = iter(rows)
    first = next(every, None)
    if first is None:
        return
    columns = list(first) if isinstance(first, Mapping) else None
    if columns is not None:
        yield "rows[0]", [_column(name) for name in columns]
    for number, row in enumerate(chain([first], every)):
        where = f"rows[{number}]"
        yield where, [_cell(value, where) for value in _values(row, columns, where)]


def _values(row: Any, columns: list[Any] | None, where: str) -> Sequence[Any]:
    if columns is None:
        if isinstance(row, list | tuple):
            return row
        raise InvalidPropertyError(where, f"must be a list, not {type(row).__name__}")
    if not isinstance(row, Mapping):
        raise InvalidPropertyError(where, f"must be a dict, not {type(row).__name__}")
    unknown = next((name for name in row if name not in columns), None)
    if unknown is not None:
        raise InvalidPropertyError(
            where, f"has the column {unknown!r}, which the first row has not; add it there"
        )
    return [row.get(name) for name in columns]


def _checked_rows(name: str, rows: Iterable[tuple[str, list[str]]]) -> Iterator[list[str]]:
    """Yield the rows, the header first, as long as they make a table."""
    every = iter(rows)
    where, header = next(every, (name, []))
    _check_header(where, header)
    yield header
    keys: set[str] = set()
    for where, row in every:
        if len(row) != len(header):
            raise InvalidPropertyError(
                where, f"has {len(row)} fields, and the header has {len(header)}"
            )
        if not row[0].strip():
            raise InvalidPropertyError(where, "has no key in its first column")
        if row[0] in keys:
            raise InvalidPropertyError(where, "has the key of an earlier row; give each its own")
        keys.add(row[0])
        yield row
    if not keys:
        raise InvalidPropertyError(
            name,
            "has a header and no rows, and would empty the table; delete it in Lexicon instead",
        )


def _check_header(where: str, header: list[str]) -> None:
    if not header:
        raise InvalidPropertyError(
            where, "is empty; a lookup table begins with a header, whose first column is the key"
        )
    if not all(one.strip() for one in header):
        raise InvalidPropertyError(where, "has a column without a name; name it in the header")
    double = next((one for one in header if header.count(one) > 1), None)
    if double is not None:
        raise InvalidPropertyError(where, f"names the column {double!r} twice; rename one of them")


def _column(name: object) -> str:
    if isinstance(name, str):
        return name
    raise InvalidPropertyError(
        "rows[0]", f"has a {type(name).__name__} as a column's name, and names are str"
    )


def _cell(value: Any, where: str) -> str:
    """Return a value as the text of a field."""
    if isinstance(value, date):
        return _moment(value, where)
    plain = reduced(value)
    if plain is None:
        return ""
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, str):
        return plain
    if isinstance(plain, int) or (isinstance(plain, float) and math.isfinite(plain)):
        return repr(plain)
    raise InvalidPropertyError(
        where, f"holds a {type(value).__name__}, which is no field; give a text or a number"
    )


def _moment(value: date, where: str) -> str:
    try:
        return utc_text(value)
    except NotJSONError as error:
        raise InvalidPropertyError(where, str(error)) from None


def _too_large(name: str, size: int) -> InvalidPropertyError:
    return InvalidPropertyError(
        name, f"has {size:,} bytes, and Mixpanel takes a lookup table of {MAX_BYTES:,} at most"
    )
