"""What was seen of a queue at one instant: what its health is judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mixrelay.console.health.recent import Recent
from mixrelay.console.refusals import Refusal
from mixrelay.console.status.age import oldest_seconds
from mixrelay.console.status.clock import stepped_within
from mixrelay.console.status.fleet import WorkerSeen
from mixrelay.console.status.rq_state import RqState
from mixrelay.shared.queue import Books, Outlook

_STILL_AFTER = 60.0
"""Seconds that the oldest message waits at least, where nothing is delivered: a request, its halves
and its further tries are over by then."""
_CLOCK_SETTLES = 180.0
"""Seconds after a step of Redis's clock in which ages and counts of minutes tell nothing."""
_MINUTE = 60


@dataclass(frozen=True, slots=True)
class QueueSeen:
    """The books, the workers, and what limits the server and letters have."""

    queue: str
    books: Books
    workers: Sequence[WorkerSeen] | None
    """None where RQ's keys cannot be read."""
    eviction: str | None
    """None where the server does not tell."""
    outlook: Outlook | None
    """None where dead letters are kept without limits."""
    strays: Mapping[str, int] = field(default_factory=dict)
    """Messages in lists that no worker knows of."""
    redis_ahead: float = 0.0
    """Seconds that Redis's clock is ahead of this machine's."""
    rq: RqState = field(default_factory=RqState)
    refused_writes: Mapping[str, Refusal] = field(default_factory=dict)
    """Why servers refuse writes now, by node of a cluster."""
    recent: Recent = field(default_factory=Recent)
    """How much failed within the last five minutes, and of which causes."""
    memory_share: float | None = None
    """How much of maxmemory is used, where that is nearly all."""
    persistent: bool | None = None
    """Whether Redis keeps an append-only file; None where it does not tell."""

    @property
    def oldest_seconds(self) -> float | None:
        return oldest_seconds(self.books)

    def rate(self, counter: str) -> float:
        """So many a minute lately: this minute and what a full one lacks of the minute before."""
        seconds = self.books.now_ms / 1000
        minute, passed = int(seconds // _MINUTE), (seconds % _MINUTE) / _MINUTE
        now, before = (self.books.minutes.get(m, {}).get(counter, 0) for m in (minute, minute - 1))
        return now + before * (1 - passed)

    def lately(self, counter: str) -> int:
        """What was counted in this minute and the one before."""
        minute = self.books.now_ms // (_MINUTE * 1000)
        counted = (self.books.minutes.get(m, {}) for m in (minute, minute - 1))
        return sum(counters.get(counter, 0) for counters in counted)

    @property
    def stands_still(self) -> bool:
        """Whether messages wait, workers give signs of life, and yet nothing is sent.

        So it is where no worker gets through to this queue, hangs, or dies before it sends. What is
        paused, held or suspended says so itself.
        """
        books = self.books
        return bool(
            books.waiting
            and self.workers
            and not (books.paused or books.held or self.rq.suspended or self.strays)
            and self.waits_for > _STILL_AFTER
            and not any(map(self.lately, ("delivered", "dead", "redelivered", "replayed")))
            and not stepped_within(books, _CLOCK_SETTLES)
        )

    @property
    def waits_for(self) -> float:
        """Seconds since the oldest message was taken up; one in the list may have come just now."""
        oldest = self.books.oldest_ms
        return 0.0 if oldest is None else max(0.0, (self.books.now_ms - oldest) / 1000)
