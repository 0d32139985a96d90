"""A list of what happened, in order, that may forget its oldest entries."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


class Log(Generic[T]):
    """Entries in order of arrival.

    Args:
        keep: newest entries kept; None keeps all.

    Attributes:
        total: entries ever added, whether kept or not.
    """

    def __init__(self, keep: int | None) -> None:
        self._entries: deque[T] = deque(maxlen=keep)
        self.total = 0

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[T]:
        return iter(self._entries)

    def append(self, entry: T) -> T | None:
        """Adds an entry and returns the one that is forgotten for it, if any."""
        full = len(self._entries) == self._entries.maxlen
        forgotten = self._entries.popleft() if full and self._entries else None
        self._entries.append(entry)
        self.total += 1
        return forgotten

    def replace(self, number: int, entry: T) -> None:
        """Put another entry in the place of the one added as `number`, counted from 1."""
        place = number - 1 - (self.total - len(self._entries))
        if 0 <= place < len(self._entries):
            self._entries[place] = entry

    def page(self, offset: int, limit: int) -> list[T]:
        """Entries by their place since the beginning; forgotten ones are left out."""
        start = max(offset - (self.total - len(self._entries)), 0)
        return list(islice(self._entries, start, start + limit))

    def newest(self, count: int) -> list[T]:
        """The last entries, newest first."""
        return list(islice(reversed(self._entries), count))
