"""What became of the messages that a process tracked."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from functools import partial
from typing import Literal, TypeAlias, get_args
from weakref import WeakMethod

Fate: TypeAlias = Literal[
    "queued", "spooled", "dropped", "failed", "refused", "drained", "unanswered"
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
    ==============  ===============================================================================
    """

    def __init__(self) -> None:
        self._begin()
        if hasattr(os, "register_at_fork"):
            begin = WeakMethod(self._begin)
            os.register_at_fork(after_in_child=partial(_call, begin))

    def add(self, fate: Fate, count: int = 1) -> None:
        """Count messages."""
        with self._lock:
            self._counts[fate] += count

    def as_dict(self) -> dict[Fate, int]:
        """Return all of them, of one moment."""
        with self._lock:
            return dict(self._counts)

    def __getattr__(self, name: str) -> int:
        """Return one of them."""
        counts: dict[str, int] = self.__dict__["_counts"]
        if name not in counts:
            raise AttributeError(f"Counters count no {name!r}, only {', '.join(counts)}.")
        return counts[name]

    def __repr__(self) -> str:
        """Show all of them."""
        return f"Counters({', '.join(f'{name}={count}' for name, count in self.as_dict().items())})"

    def _begin(self) -> None:
        # After a fork too: another thread may have held the lock.
        self._lock = threading.Lock()
        self._counts: dict[Fate, int] = dict.fromkeys(get_args(Fate), 0)


def _call(method: WeakMethod[Callable[[], None]]) -> None:
    found = method()
    if found is not None:
        found()
