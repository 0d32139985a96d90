"""How long a process did not get to run: the control beside each measured call."""

import os
from time import monotonic

from tests.chaos.hosts.names import original

TICK = 0.01
SLACK = 0.01
"""Seconds that a tick may come late without being counted."""


class Ticks:
    """A native thread that wakes a hundred times a second and adds up how late it was.

    What waits for a network, a lock or a name lets it run; what the machine or the interpreter
    holds up, holds it up too. So a call's time less this is the time that the call itself waited.
    """

    def __init__(self) -> None:
        self._pid = 0
        self._late = 0.0
        self._woke = 0.0

    def behind(self) -> float:
        """Seconds, so far; of two looks the difference tells."""
        if self._pid != os.getpid():  # in a fork, where no thread came along
            self._pid, self._woke = os.getpid(), monotonic()
            original("_thread", "start_new_thread")(self._run, ())
        return self._late + self._lateness(monotonic())

    def _lateness(self, now: float) -> float:
        late = now - self._woke - TICK
        return late if late > SLACK else 0.0

    def _run(self) -> None:
        sleep = original("time", "sleep")
        while True:
            sleep(TICK)
            now = monotonic()
            self._late, self._woke = self._late + self._lateness(now), now
