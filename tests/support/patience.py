"""How long a test waits: longer where the machine is busy with something else.

A wait for a condition costs nothing when it comes early, so its limit may be generous. Each limit
is given as it suits an idle machine, and is stretched by how busy the machine is when it is over.
"""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

MOST = 20.0
"""So many times longer at most: what hangs must end too."""
_AHEAD = 3.0
_SPIN_SECONDS = 0.02
_FRESH_SECONDS = 1.0


def slowness() -> float:
    """How many times longer work may take now than on an idle machine; 1 or more."""
    now = time.monotonic()
    if now > _seen.until:
        # The load average lags behind by a minute; what this process has just met does not.
        _seen.slowness = min(MOST, max(1.0, 2 * _load(), 1.5 * _spun()))
        _seen.until = now + _FRESH_SECONDS
    return _seen.slowness


def patient(seconds: float) -> float:
    """A limit that must be named before the wait begins. The machine may get busier by then."""
    return seconds * max(_AHEAD, slowness())


class Deadline:
    """The end of a wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._began = time.monotonic()

    def is_over(self) -> bool:
        waited = time.monotonic() - self._began
        return waited > self.seconds and waited > self.seconds * slowness()

    def __str__(self) -> str:
        return f"not within {time.monotonic() - self._began:.0f} s"


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Fails where the block takes longer than it may, given how busy the machine is.

    A block that waits for longer than it should must miss the limit by far: on a busy machine it
    is stretched. Where it cannot, count what was waited for instead.
    """
    before, began = slowness(), time.monotonic()
    yield
    took = time.monotonic() - began
    if took > seconds:
        limit = seconds * max(before, slowness())
        assert took < limit, f"took {took:.2f} s, not {seconds} s; {limit:.1f} s on a busy machine"


def joined(*threads: threading.Thread, seconds: float = 60.0) -> None:
    """Waits for the end of threads; fails where one hangs."""
    for thread in threads:
        thread.join(patient(seconds))
        assert not thread.is_alive(), f"{thread.name} does not end"


def _load() -> float:
    """The processes that wanted a core in the last minute, for each core."""
    return os.getloadavg()[0] / (os.cpu_count() or 1)


def _spun() -> float:
    """How much longer a little work took than it would have taken alone."""
    began, used = time.monotonic(), time.thread_time()
    while time.thread_time() - used < _SPIN_SECONDS:
        pass
    return (time.monotonic() - began) / _SPIN_SECONDS


@dataclass(slots=True)
class _Seen:
    slowness: float = 1.0
    until: float = 0.0


_seen = _Seen()
