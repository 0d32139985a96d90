"""What every host is asked to do: number n is an event and an increment, timed and noted.

Odd numbers are two calls, even ones a batch of two. Each piece of work is one line of a file, by
one write, so that what a process was promised is known however it ended.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

import orjson

from mixrelay.producer import AsyncTracker, Tracker
from tests.chaos.hosts import names
from tests.chaos.hosts.names import NOTES
from tests.chaos.hosts.ticking import Ticks

PROFILES = 7

names.install()
tracker = Tracker()
awaited = AsyncTracker()
_ticks = Ticks()


class Notes:
    """Of one piece of work."""

    def __init__(self, n: int) -> None:
        self.n = n
        self.kept = True
        self.calls: list[tuple[float, float]] = []

    @contextmanager
    def timed(self) -> Iterator[None]:
        """One call, with how long the process did not run meanwhile."""
        behind, began = _ticks.behind(), monotonic()
        try:
            yield
        finally:
            took = monotonic() - began
            self.calls.append((took, _ticks.behind() - behind))

    def promised(self, answer: Any) -> None:
        self.kept = self.kept and answer is True

    def write(self) -> None:
        line = orjson.dumps(
            {"n": self.n, "kept": self.kept, "calls": self.calls, "pid": os.getpid()}
        )
        file = os.open(os.environ[NOTES], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, line + b"\n")
        finally:
            os.close(file)


@contextmanager
def noted(n: int, counters: Any) -> Iterator[Notes]:
    notes, failed = Notes(n), counters.failed
    yield notes
    # A batch's own failures are told to the error handler; no call returns them.
    notes.kept = notes.kept and counters.failed == failed
    notes.write()


def work(n: int) -> None:
    user = f"user-{n % PROFILES}"
    with noted(n, tracker.counters) as notes:
        if n % 2:
            with notes.timed():
                notes.promised(tracker.track(user, "Loaded", {"n": n}))
            with notes.timed():
                notes.promised(tracker.people.increment(user, {"n": n}))
        else:
            with notes.timed(), tracker.batch():
                notes.promised(tracker.track(user, "Loaded", {"n": n}))
                notes.promised(tracker.people.increment(user, {"n": n}))


async def work_awaited(n: int) -> None:
    user = f"user-{n % PROFILES}"
    with noted(n, awaited.counters) as notes:
        if n % 2:
            with notes.timed():
                notes.promised(await awaited.track(user, "Loaded", {"n": n}))
            with notes.timed():
                notes.promised(await awaited.people.increment(user, {"n": n}))
        else:
            with notes.timed():
                async with awaited.batch():
                    notes.promised(await awaited.track(user, "Loaded", {"n": n}))
                    notes.promised(await awaited.people.increment(user, {"n": n}))
