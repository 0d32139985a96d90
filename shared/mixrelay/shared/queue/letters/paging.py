"""Letters that were looked at in one or more partitions, put into one order."""

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import NamedTuple, Self

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.letters.letter import Letter, LetterFilter


class Place(NamedTuple):
    """Where a letter lies among all: as Redis orders them, by burial and then by number."""

    at_ms: int
    number: bytes

    @property
    def cursor(self) -> str:
        return f"{self.at_ms}:{self.number.decode()}"

    @classmethod
    def of(cls, letter: Letter) -> Self:
        return cls(milliseconds(letter.dead_since), letter.id.encode())


@dataclass(frozen=True, slots=True)
class Seen:
    """Letters of one partition, in order, whether or not they match."""

    told: Sequence[bytes]
    """Their numbers and burials by turns, as the script answers."""
    letters: list[Letter | None]
    """None for one that was moved at this moment; it ends at a value that is no letter."""
    more: bool
    """Others follow; then at least one letter was looked at."""

    @property
    def end(self) -> Place | None:
        """The place behind it; None where there was none to look at."""
        return _place(*self.told[-2:]) if self.told else None

    def rows(self) -> Iterable[tuple[Place, Letter | None]]:
        return zip_longest(map(_place, self.told[::2], self.told[1::2]), self.letters)


@dataclass(frozen=True, slots=True)
class Slice:
    """Letters looked at together, and those of them that match."""

    letters: list[Letter]
    """Without their messages, unless these were asked for."""
    cursor: str
    """The place behind the last that was looked at."""
    looked: int
    more: bool

    @classmethod
    def of(cls, seen: Seen, wanted: LetterFilter, cursor: str) -> Self:
        """What matches of it; `cursor` is the place behind which it was looked."""
        return cls(
            letters=[one for one in seen.letters if one is not None and wanted.matches(one)],
            cursor=seen.end.cursor if seen.end else cursor,
            looked=len(seen.letters),
            more=seen.more,
        )

    @classmethod
    def merged(
        cls,
        parts: Sequence[Seen],
        wanted: LetterFilter,
        cursor: str,
        *,
        size: int,
        newest_first: bool,
    ) -> Self:
        """What all partitions answered behind the same place, as one queue would have answered.

        It ends where the first of those ends that have more: what lies beyond is looked at again.
        """
        rows = list(heapq.merge(*(one.rows() for one in parts), key=_first, reverse=newest_first))
        ends = [one.end for one in parts if one.more and one.end]
        known = len(rows)
        if ends:
            end = max(ends) if newest_first else min(ends)
            known = sum(place >= end if newest_first else place <= end for place, _ in rows)
        kept = rows[: min(size, known)]
        return cls(
            letters=[one for _, one in kept if one is not None and wanted.matches(one)],
            cursor=kept[-1][0].cursor if kept else cursor,
            looked=len(kept),
            more=bool(ends) or len(kept) < len(rows),
        )


@reading("an index of letters")
def _place(number: bytes, at_ms: bytes) -> Place:
    return Place(int(at_ms), number)


def _first(row: tuple[Place, Letter | None]) -> Place:
    return row[0]


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
