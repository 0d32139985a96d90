"""Whose turn it is among partitions, and which are left alone since their node is away."""

import time
from collections.abc import Hashable, Iterator

_AWAY_SECONDS = 1.0
_AWAY_AT_MOST = 16.0
"""A node that hangs costs its timeout each time it is asked: ever more seldom."""


class Turns:
    """Fair turns for each kind of asking. Of one thread."""

    def __init__(self) -> None:
        self.count = 1
        self._next: dict[Hashable, int] = {}
        self._away: dict[int, tuple[float, float]] = {}
        """Until when each is left alone, and for how long it was."""

    def round(self, what: Hashable) -> Iterator[int]:
        """Each that is not left alone, once; where all are, each all the same."""
        first = self._next.get(what, 0)
        order = [(first + step) % self.count for step in range(self.count)]
        now = time.monotonic()
        here = [index for index in order if self._away.get(index, (0.0, 0.0))[0] <= now]
        yield from here or order

    def served(self, what: Hashable, index: int) -> None:
        """It gave something: the others come first now."""
        self._next[what] = (index + 1) % self.count

    def failed(self, index: int) -> float:
        """Its node did not answer, or refused: for how many seconds it is left alone now."""
        _, before = self._away.get(index, (0.0, 0.0))
        pause = min(max(2 * before, _AWAY_SECONDS), _AWAY_AT_MOST)
        self._away[index] = time.monotonic() + pause, pause
        return pause

    def answered(self, index: int) -> None:
        self._away.pop(index, None)
