"""The queue's own clock, by which leases and waits go, and whoever watches it beside its own.

It is the server's clock, less what that was set by (docs/internals.md, Clocks). A server that was
set back is found out by the scripts themselves, one that was set ahead only by a process that
knows by a steady clock of its own how long it was.
"""

import re
import time
from collections.abc import Callable
from typing import NamedTuple, cast

from redis import Redis

from mixrelay.shared.connection import node_of
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts

STEP_SECONDS = 1.0
"""A smaller step makes no wait wrong that would matter."""
WATCHED_SECONDS = 2.0
"""For so long a new watch ends nothing: those who watch longer find a step within a second."""
_CLOCK = re.compile(rb"\d+ (-?\d+) \d+ -?\d+")


def steady_seconds() -> float:
    """A clock that nobody sets, and that goes on while a machine sleeps, where there is one."""
    source = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if source is None else time.clock_gettime(source)


class Ahead(NamedTuple):
    """A server's clock was set ahead."""

    by_ms: int
    ago_ms: int
    """At most; so long the queue's clock may have been wrong."""


class Watch:
    """How far a queue's clock may have come since it was last asked, by this process's own.

    Of one thread. What an answer shows lies between the asking and the answer, so a clock counts as
    set ahead only where it shows more than from that asking to this answer.
    """

    def __init__(self, own: Callable[[], float] = steady_seconds) -> None:
        self._own = own
        self._seen: tuple[float, int] | None = None
        self._since = 0.0

    def begin(self) -> tuple[int, float]:
        """The latest that the queue's clock can show now (0: not known yet), and this one's now."""
        now = self._own()
        if self._seen is None or now - self._since < WATCHED_SECONDS:
            return 0, now
        asked, steady = self._seen
        return steady + round((now - asked + STEP_SECONDS) * 1000), now

    def end(self, began: float, steady_ms: int) -> "Ahead | None":
        """Notes what the queue's clock showed; returns by how much it was set ahead, if it was."""
        now, before = self._own(), self._seen
        self._seen = began, steady_ms
        if before is None:
            self._since = now
            return None
        asked, steady = before
        ago = round((now - asked) * 1000)
        ahead = steady_ms - steady - ago
        if ahead <= STEP_SECONDS * 1000:
            return None
        # Made up for by this process, or by another one: either way it is where it was.
        self._seen = began, steady_ms - ahead
        return Ahead(ahead, ago)


class QueueClock:
    """One partition's."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts

    def seconds(self) -> float:
        """What it shows: seconds since the epoch, where nobody ever set the server's."""
        seconds, micros = node_of(self._redis, self._keys.queue).time()
        stored = cast("bytes | None", self._redis.get(self._keys("clock")))
        known = _CLOCK.fullmatch(stored or b"")
        return float(seconds + micros / 1e6 + (int(known[1]) / 1000 if known else 0))

    def make_up(self, ahead: Ahead, beside_ms: int, lease_ms: int) -> bool:
        """Makes up for a server's clock that was set ahead; False where another has done so.

        Args:
            ahead: what a watch found.
            beside_ms: what the queue's clock had beside the server's when that was seen.
            lease_ms: that a lease lasts at most.
        """
        return bool(self._scripts.run("clock", ahead.by_ms, beside_ms, lease_ms, ahead.ago_ms))
