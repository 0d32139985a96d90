"""A log of tuples on disk or from a pipe, in slices, and which part of it is already in.

A file is known by its first line and by the digest of what was loaded, never by its name: a log
that was moved, or has grown, goes on where it stopped; another log under the same name begins
anew. A place is `<bytes> <SHA-256 of these bytes>`, and where the log is shared among several
partitions, how many follows: it goes on with so many as it was begun with. Each partition notes
its own place, so that after a death between two of them each line still goes in once.
"""

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from io import FileIO
from typing import Protocol, Self

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.ids import new_id

LINES_AT_MOST = 1_000
"""Of one slice; a script takes no more."""
_CHUNK = 1024 * 1024
_MARK = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:[ \t]{64}(?=[^ \t\r\n]))?")
"""What a file of a producer's spool begins with, before its first tuple."""
_FIRST_LINE_BYTES = 64 * 1024
"""Of the first line: enough to tell two logs apart."""


class Places(Protocol):
    """Where it is noted how far logs are in."""

    def places(self, name: str) -> list[str]:
        """Of each partition among which the log is shared; empty where nothing of it is in."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far a log is in one partition."""

    offset: int
    digest: str
    partitions: int = 1

    @classmethod
    @reading("a place in a log")
    def parse(cls, noted: str) -> Self:
        offset, digest, *partitions = noted.split(" ")
        return cls(int(offset), digest, *map(int, partitions))

    def __str__(self) -> str:
        shared = f" {self.partitions}" if self.partitions > 1 else ""
        return f"{self.offset} {self.digest}{shared}"


@dataclass(frozen=True, slots=True)
class Start:
    """Where a log is gone on with: at the place of the partition that is least far."""

    name: str
    place: str
    digest: "hashlib._Hash"
    """Of everything before the place."""
    offset: int
    partitions: int = 1
    ends: tuple[str, ...] = ()
    """Places of partitions that are further: a slice ends there, so that each has it or not."""

    @property
    def is_begun(self) -> bool:
        """Some of it is in."""
        return bool(self.place or self.ends)

    def behind(self, part: "Slice") -> Self:
        """Where to go on once a slice that followed this is in."""
        ends = tuple(end for end in self.ends if Place.parse(end).offset > part.offset)
        return replace(self, place=part.place, digest=part.digest, offset=part.offset, ends=ends)


@dataclass(frozen=True, slots=True)
class Slice:
    """Lines that are pushed by one call, and the place behind them."""

    tuples: list[bytes]
    place: str
    offset: int
    digest: "hashlib._Hash"


def find_start(loads: Places, log: FileIO) -> Start:
    """Where to go on with a file, read from its beginning."""
    first = _first_line(log)
    attempt = 0
    while True:
        # Another log with the same first line has its own name, by counting up.
        name = f"{first}.{attempt}"
        start = _start(name, loads.places(name), log)
        if start:
            return start
        attempt += 1


def _start(name: str, noted: list[str], log: FileIO) -> Start | None:
    """Where this log goes on by what is noted; None where that is about another one."""
    known = sorted({Place.parse(one) for one in noted if one}, key=lambda place: place.offset)
    digest = hashlib.sha256()
    begin = Start(name, "", digest.copy(), 0, len(noted))
    log.seek(0)
    for place in known:
        _read_into(digest, log, place.offset - log.tell())
        if place.offset != log.tell() or place.digest != digest.hexdigest():
            return None
        if place is known[0] and all(noted):
            begin = Start(name, str(place), digest.copy(), place.offset, len(noted))
    log.seek(begin.offset)
    return replace(begin, ends=tuple(str(p) for p in known if p.offset > begin.offset))


def fresh_start(partitions: int = 1) -> Start:
    """For what cannot be read again: a pipe."""
    return Start(f"pipe.{new_id()}", "", hashlib.sha256(), 0, partitions)


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
    for lines in _all_lines(log, start, chunk_bytes, growing=growing):
        for first in range(0, len(lines), lines_at_most):
            part = lines[first : first + lines_at_most]
            unmarked = part if offset else [_MARK.sub(b"", part[0], count=1), *part[1:]]
            for line in part:
                digest.update(line)
                offset += len(line)
            tuples = [stripped for line in unmarked if (stripped := line.rstrip(b"\r\n")).strip()]
            place = Place(offset, digest.hexdigest(), start.partitions)
            yield Slice(tuples, str(place), offset, digest.copy())


def _all_lines(
    log: FileIO, start: Start, chunk_bytes: int, *, growing: bool
) -> Iterator[list[bytes]]:
    offset = start.offset
    for noted in start.ends:
        end = Place.parse(noted).offset
        if end > offset:
            # What lies before a place is whole: someone has loaded it.
            yield from _lines(log, chunk_bytes, growing=False, most=end - offset)
            offset = end
    yield from _lines(log, chunk_bytes, growing=growing, most=sys.maxsize)


def _lines(log: FileIO, chunk_bytes: int, *, growing: bool, most: int) -> Iterator[list[bytes]]:
    """Whole lines with their ends, as many as one read brought; the last may have none."""
    rest = bytearray()
    while chunk := log.read(min(chunk_bytes, most)):
        most -= len(chunk)
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


def _first_line(log: FileIO) -> str:
    log.seek(0)
    start = log.read(_FIRST_LINE_BYTES) or b""
    return hashlib.sha256(start.partition(b"\n")[0]).hexdigest()


def _read_into(digest: "hashlib._Hash", log: FileIO, left: int) -> None:
    while left and (chunk := log.read(min(left, _CHUNK))):
        digest.update(chunk)
        left -= len(chunk)


def size(log: FileIO) -> int:
    return os.fstat(log.fileno()).st_size
