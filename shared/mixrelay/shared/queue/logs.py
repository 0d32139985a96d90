"""A log of tuples on disk or from a pipe, in slices, and which part of it is already in.

A file is known by its first line and by the digest of what was loaded, never by its name: a log
that was moved, or has grown, goes on where it stopped; another log under the same name begins
anew. A place is `<bytes> <SHA-256 of these bytes>`.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from io import FileIO

from mixrelay.shared.queue.foreign import reading
from mixrelay.shared.queue.ids import new_id
from mixrelay.shared.queue.loads import Loads

LINES_AT_MOST = 1_000
"""Of one slice; a script takes no more."""
_CHUNK = 1024 * 1024
_FIRST_LINE_BYTES = 64 * 1024
"""Of the first line: enough to tell two logs apart."""


@dataclass(slots=True)
class Start:
    """Where a log is gone on with."""

    name: str
    place: str
    digest: "hashlib._Hash"
    """Of everything before the place."""
    offset: int

    def behind(self, part: "Slice") -> "Start":
        """Where to go on once a slice that followed this is in."""
        return Start(self.name, part.place, part.digest, part.offset)


@dataclass(frozen=True, slots=True)
class Slice:
    """Lines that are pushed by one call, and the place behind them."""

    tuples: list[bytes]
    place: str
    offset: int
    digest: "hashlib._Hash"


def find_start(loads: Loads, log: FileIO) -> Start:
    """Where to go on with a file, read from its beginning."""
    first = _first_line(log)
    attempt = 0
    while True:
        # Another log with the same first line has its own name, by counting up.
        name = f"{first}.{attempt}"
        with reading("a place in a log"):
            place = loads.place(name)
            offset = int(place.split(" ")[0]) if place else 0
        digest = hashlib.sha256()
        _read_into(digest, log, offset)
        if not place or place == _place(offset, digest):
            return Start(name, place, digest, offset)
        attempt += 1


def fresh_start() -> Start:
    """For what cannot be read again: a pipe."""
    return Start(f"pipe.{new_id()}", "", hashlib.sha256(), 0)


def slices(
    log: FileIO,
    start: Start,
    *,
    chunk_bytes: int = _CHUNK,
    lines_at_most: int = LINES_AT_MOST,
    growing: bool = False,
) -> Iterator[Slice]:
    """What follows the start, as soon as it can be read; empty lines are left out.

    Args:
        log: where `find_start` left it.
        start: what `find_start` found.
        chunk_bytes: of the file that are read at once; no slice but of a long line has more.
        lines_at_most: of one slice, 1 to 1,000.
        growing: whether someone may still write to it: then a last line without its end is left
            out, and the place before it stays, unless it is a whole tuple or record.
    """
    digest, offset = start.digest.copy(), start.offset
    for lines in _lines(log, chunk_bytes, growing=growing):
        for first in range(0, len(lines), lines_at_most):
            part = lines[first : first + lines_at_most]
            for line in part:
                digest.update(line)
                offset += len(line)
            tuples = [stripped for line in part if (stripped := line.rstrip(b"\r\n")).strip()]
            yield Slice(tuples, _place(offset, digest), offset, digest.copy())


def _lines(log: FileIO, chunk_bytes: int, *, growing: bool) -> Iterator[list[bytes]]:
    """Whole lines with their ends, as many as one read brought; the last may have none."""
    rest = bytearray()
    while chunk := log.read(chunk_bytes):
        end = chunk.rfind(b"\n") + 1
        if end:
            rest += chunk[:end]
            yield _split(rest)
            rest = bytearray(chunk[end:])
        else:
            rest += chunk
    if rest and (not growing or _is_whole(rest)):
        yield [bytes(rest)]


def _is_whole(line: bytearray) -> bool:
    """Whether nothing can follow in this line: of a number, more digits could."""
    try:
        return isinstance(json.loads(line), list | dict)
    except (ValueError, RecursionError):
        return False


def _split(block: bytearray) -> list[bytes]:
    # Not splitlines(), which also splits at a carriage return alone.
    return [line + b"\n" for line in bytes(block).split(b"\n")[:-1]]


def _place(offset: int, digest: "hashlib._Hash") -> str:
    return f"{offset} {digest.hexdigest()}"


def _first_line(log: FileIO) -> str:
    log.seek(0)
    start = log.read(_FIRST_LINE_BYTES) or b""
    return hashlib.sha256(start.partition(b"\n")[0]).hexdigest()


def _read_into(digest: "hashlib._Hash", log: FileIO, offset: int) -> None:
    log.seek(0)
    left = offset
    while left and (chunk := log.read(min(left, _CHUNK))):
        digest.update(chunk)
        left -= len(chunk)


def size(log: FileIO) -> int:
    return os.fstat(log.fileno()).st_size
