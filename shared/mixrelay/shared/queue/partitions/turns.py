"""Whose turn it is among partitions, and which are left alone since their node is away."""

import math
import time
from collections.abc import Collection, Hashable
from typing import NamedTuple

_AWAY_SECONDS = 1.0
_AWAY_AT_MOST = 16.0


class _Away(NamedTuple):
    since: float
    try_at: float
    """Infinite while it is being tried."""
    seconds: float
    """From the last failure to that."""


class Turns:
    """Fair turns for each kind of asking, which are of one thread; any may tell what changed."""

    def __init__(self) -> None:
        self.count = 1
        self._next: dict[Hashable, int] = {}
        self._away: dict[int, _Away] = {}
        self._rests: dict[tuple[Hashable, int], float] = {}
        self._woken: dict[int, float] = {}

    def round(self, what: Hashable) -> list[int]:
        """Each that is not left alone, once; where all are, each all the same. None that rests."""
        first = self._next.get(what, 0)
        order = [(first + step) % self.count for step in range(self.count)]
        asked = [index for index in order if not self.is_left_alone(index)] or order
        return [index for index in asked if not self.rests(what, index)]

    def served(self, what: Hashable, index: int) -> None:
        """It gave something: the others come first now."""
        self._next[what] = (index + 1) % self.count

    def rest(self, what: Hashable, index: int, seconds: float, asked_at: float) -> None:
        """Nothing was there: it is passed over for so long, or until it wakes.

        Not where it woke since it was asked.
        """
        if self._woken.get(index, 0.0) < asked_at:
            self._rests[what, index] = asked_at + seconds

    def rests(self, what: Hashable, index: int) -> bool:
        return time.monotonic() < self._rests.get((what, index), 0.0)

    def wake(self, index: int) -> None:
        """Something may be there now."""
        self._woken[index] = time.monotonic()
        for what, resting in self._rests.copy():
            if resting == index:
                self._rests.pop((what, resting), None)

    def failed(self, index: int) -> float:
        """Its node did not answer, or refused: in how many seconds it is to be tried again.

        0 where that was known: requests that were under way together fail as one.
        """
        now = time.monotonic()
        before = self._away.get(index)
        if before and now < before.try_at < math.inf:
            return 0.0
        seconds = min(2 * before.seconds, _AWAY_AT_MOST) if before else _AWAY_SECONDS
        self._away[index] = _Away(before.since if before else now, now + seconds, seconds)
        return seconds

    def answered(self, index: int) -> None:
        self._away.pop(index, None)

    def to_be_tried(self) -> list[int]:
        """Those left alone whose time has come; each is named once. None where all are."""
        if len(self._away) >= self.count:
            return []
        due = [i for i, away in self._away.copy().items() if away.try_at <= time.monotonic()]
        for index in due:
            if away := self._away.get(index):
                self._away[index] = away._replace(try_at=math.inf)
        return due

    def is_left_alone(self, index: int) -> bool:
        return index in self._away

    def away_seconds(self, index: int) -> float:
        """Since it first failed, and has not answered since; 0 where all is well."""
        away = self._away.get(index)
        return time.monotonic() - away.since if away else 0.0

    def well_first(self, indexes: Collection[int]) -> list[int]:
        """For those who ask all: one that hangs keeps no other waiting."""
        return sorted(indexes, key=self.is_left_alone)
