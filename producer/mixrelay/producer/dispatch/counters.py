"""What became of the messages that a process tracked."""

from __future__ import annotations

from collections import deque
from itertools import count, islice
from typing import Literal, TypeAlias, get_args

from mixrelay.producer.dispatch import forks

Fate: TypeAlias = Literal[
    "queued",
    "spooled",
    "dropped",
    "failed",
    "refused",
    "drained",
    "unanswered",
    "invalid",
    "ignored",
]


class Counters:
    """Counts of this process, as ``tracker.counters``; a forked child's begin at 0.

    Every message that a tracking call made is counted in one of the first four:

    ==============  ===============================================================================
    ``queued``      the sink took it; for the queue: Redis has it
    ``spooled``     kept in a local file, to be pushed when Redis is back
    ``dropped``     left out on purpose: by ``before_send``, or by ``when_full="drop"``
    ``failed``      lost, or nobody knows: the error handler was given it
    ``refused``     of those that failed: by ``when_full="refuse"``
    ``drained``     pushed out of the spool by this process, whoever put it there
    ``unanswered``  went out to Redis, and no answer came (it is spooled or failed too)
    ``invalid``     calls that were mistakes of the caller's, where ``on_invalid`` does not raise;
                    their dead letters are ``queued`` or ``failed`` besides
    ``ignored``     events that became no message, since their web request was a bot's, one that
                    the application ignores, or of somebody who refused (docs/web.md)
    ==============  ===============================================================================
    """

    def __init__(self) -> None:
        self._begin()

    def add(self, fate: Fate, number: int = 1) -> None:
        """Count messages.

        Each is one call into C: neither another thread nor a signal handler comes in between, and
        there is no lock that a handler could find taken.
        """
        counter = self._current()[fate]
        if number == 1:
            next(counter)
        else:
            deque(islice(counter, number), maxlen=0)

    def as_dict(self) -> dict[Fate, int]:
        """Return all of them."""
        return {fate: _reached(counter) for fate, counter in self._current().items()}

    def __getattr__(self, name: str) -> int:
        """Return one of them."""
        if name.startswith("_"):
            raise AttributeError(name)
        counts: dict[str, count[int]] = self._current()  # type: ignore[assignment]
        if name not in counts:
            raise AttributeError(f"Counters count no {name!r}, only {', '.join(counts)}.")
        return _reached(counts[name])

    def __repr__(self) -> str:
        """Show all of them."""
        return (
            f"Counters({', '.join(f'{name}={number}' for name, number in self.as_dict().items())})"
        )

    def _current(self) -> dict[Fate, count[int]]:
        if self._forks != forks.count:
            self._begin()
        return self._counts

    def _begin(self) -> None:
        self._counts: dict[Fate, count[int]] = {fate: count() for fate in get_args(Fate)}
        self._forks = forks.count


def _reached(counter: count[int]) -> int:
    """Return how far a counter is without moving it: ``count(5)``."""
    return int(repr(counter)[len("count(") : -1])
