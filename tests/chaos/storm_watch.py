"""Looks at `status` each second of a storm, and compares what it says with what arrived."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from redis.exceptions import RedisError
from rq.suspension import is_suspended

from mixrelay.console.status.figures import Figures
from mixrelay.console.status.look import look
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.patience import joined, slowness

LOOK_EVERY = 1.0
SILENT = 15.0
"""Seconds without a delivery while something can be sent; longer on a busy machine."""
UNSEEN = 5.0
"""Seconds in which all workers are seen again, which is longer than until a step is noticed."""
WELL = "all is well"


@dataclass(slots=True)
class StormWatch:
    """Follows a queue in a thread. `lies` has what was said and was not so."""

    url: str
    queue: str
    arrived: Callable[[], int]
    """How many different messages Mixpanel has now."""
    workers: int
    lies: list[str] = field(default_factory=list)
    looks: int = 0
    away: int = 0
    """Looks that Redis did not answer."""
    well: int = 0
    suspended: int = 0
    difference: int = 0
    stall: float = 0.0
    """Seconds: the longest time without a delivery in which something could be sent."""
    silences: list[str] = field(default_factory=list)
    unseen: int = 0
    """Looks at which `status` saw fewer workers than run."""
    _unseen_since: float | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _through: int = -1
    _since: float = 0.0

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="watch of the storm")
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        assert self._thread
        joined(self._thread)

    def _run(self) -> None:
        redis = connect(self.url)
        queue = Queue(redis, self.queue)
        while not self._over.wait(LOOK_EVERY):
            try:
                queue.refresh()
                stood = is_suspended(redis)
                figures = look(queue, self.url)
                held = stood and is_suspended(redis)
            except RedisError:
                self.away += 1
                self._goes_on()
                continue
            self._compare(figures, stood=bool(stood), held=bool(held))
        redis.close()

    def _goes_on(self) -> None:
        self._through = -1

    def _compare(self, figures: Figures, *, stood: bool, held: bool) -> None:
        books, delivered = figures.books, figures.books.totals["delivered"]
        self.looks += 1
        self.suspended += held
        self.difference = max(self.difference, abs(books.difference))
        says = figures.health().words
        self.well += says == WELL
        silent = self._silent(figures, may_send=not stood and not figures.rq.suspended)
        has = self.arrived()
        if delivered > has:
            self._lie(f"delivered {delivered:,}, and Mixpanel has {has:,}")
        if held and (not figures.rq.suspended or not figures.warnings()):
            self._lie(f"suspended, and status says {says}")
        if says == WELL and silent > SILENT * slowness():
            self._lie(f"{WELL} after {silent:.0f} s without a delivery, {books.waiting} waiting")
        seen = len(figures.workers or ())
        if seen >= self.workers:
            self._unseen_since = None
            return
        # Nobody knows yet that the clock was set ahead: a false alarm, for a moment.
        now = time.monotonic()
        self._unseen_since = self._unseen_since or now
        self.unseen += 1
        if now - self._unseen_since > UNSEEN * slowness():
            self._lie(f"{seen} of {self.workers} workers are seen: {says}")

    def _silent(self, figures: Figures, *, may_send: bool) -> float:
        """Seconds without a delivery or a burial so far."""
        books, now = figures.books, time.monotonic()
        through = books.totals["delivered"] + books.totals["dead"]
        if through != self._through or not books.waiting or not may_send:
            self._through, self._since = through, now
        silent = now - self._since
        self.stall = max(self.stall, silent)
        if silent > SILENT * slowness():
            self.silences.append(f"{silent:.0f} s, {books.waiting} waiting, {books.paused}")
        return silent

    def _lie(self, what: str) -> None:
        self.lies.append(f"look {self.looks}: {what}")
