"""Notices a queue that was emptied, in a process that looks at it more than once."""

import time
from dataclasses import dataclass

from mixrelay.shared.queue import Books

_LASTS = 3_600.0
"""Seconds for which it is a problem."""


@dataclass(slots=True)
class Emptied:
    """Remembers how many messages a queue had received: that number never falls."""

    _received: int = 0
    _at: float | None = None

    def seconds(self, books: Books) -> float | None:
        """Seconds since the queue was found emptied; None where it was not, or long ago."""
        received = books.totals["received"]
        if received < self._received:
            self._at = time.monotonic()
        self._received = received
        if self._at is None or time.monotonic() - self._at > _LASTS:
            return None
        return time.monotonic() - self._at
