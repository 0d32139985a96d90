"""The figures of a queue at one instant, and what about them needs attention."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mixrelay.console.refusals import Refusal
from mixrelay.console.status.age import oldest_seconds
from mixrelay.console.status.clock import clock_as_json, clock_remarks, stepped_within
from mixrelay.console.status.fleet import WorkerSeen
from mixrelay.console.status.harm import harm_problems
from mixrelay.console.status.pauses import pause_advice
from mixrelay.console.status.problem import Problem
from mixrelay.console.status.rq_state import RqState
from mixrelay.console.status.tokens import (
    TOKEN_REFUSED,
    pauses_of_their_own,
    token_problems,
    tokens_as_json,
)
from mixrelay.console.status.unasked import (
    IGNORED,
    UNCONFIRMED,
    hot_as_json,
    hot_problems,
    notices_as_json,
    unconfirmed_problem,
)
from mixrelay.console.status.writes import writes_problems
from mixrelay.console.text import count, cut, duration
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import HOLDABLE, TOTALS, Books, Hold, Outlook, PausedDestination
from mixrelay.shared.queue.messages.operator_pause import OPERATOR

_OUTAGE_WARNS_AFTER = 300.0
"""Seconds: a shorter outage of Mixpanel is a longer queue and nothing else."""
_STILL_AFTER = 60.0
"""Seconds that the oldest message waits at least, where nothing is delivered: a request, its halves
and its further tries are over by then."""
_CLOCK_SETTLES = 180.0
"""Seconds after a step of Redis's clock in which ages and counts of minutes tell nothing."""
_MINUTE = 60
_WHO_SHOWN, _WHY_SHOWN = 60, 200


@dataclass(frozen=True, slots=True)
class Figures:
    """What `status` shows: the books, the workers, and what limits the server and letters have."""

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

    def redis_problems(self) -> list[Problem]:
        """Why Redis takes no writes, and what others do to the queue's keys."""
        return [*writes_problems(self.refused_writes), *harm_problems(self.books)]

    def mixpanel_problems(self) -> list[Problem]:
        """What Mixpanel refuses, does not confirm or will rename; the most urgent first."""
        return [
            *token_problems(self.books),
            *unconfirmed_problem(self.books, self.lately(UNCONFIRMED)),
            *hot_problems(self.books),
        ]

    def remarks(self) -> list[str]:
        """What an operator should know although nothing is held back or lost."""
        quiet = [str(problem) for problem in self.mixpanel_problems() if not problem.is_urgent]
        dropped = sum(self.lately(f"dead:{lane}:{Reason.DROPPED}") for lane in HOLDABLE)
        if dead := self.lately("dead") - dropped:
            quiet.append(
                f"{count(dead, 'new dead letter')} within two minutes: mixrelay dlq stats shows "
                "the reasons."
            )
        return [*quiet, *clock_remarks(self.books, self.redis_ahead), *self.rq.remarks()]

    def warnings(self) -> list[str]:
        """The problems: messages are held back, or may be lost.

        Dead letters are none: they are kept until a decision, or until a limit is near that would
        drop them. `remarks` has those that are new.
        """
        return [
            *(str(problem) for problem in self.redis_problems()),
            *map(str, self.rq.problems(self.books.waiting)),
            *(str(problem) for problem in self.mixpanel_problems() if problem.is_urgent),
            *self._about_the_books(),
            *self._about_the_workers(),
            *self._about_the_server(),
            *(
                _about_pause(pause, self.books.now_ms)
                for pause in pauses_of_their_own(self.books)
                if _is_long(pause, self.books)
            ),
            *(about_hold(hold, self.books.now_ms) for hold in self.books.held),
            *(self.outlook.warnings() if self.outlook else ()),
        ]

    @property
    def is_bad(self) -> bool:
        """Whether messages do not flow or may be lost, rather than wait for a while."""
        lost = self.books.difference or self.eviction not in (None, "noeviction")
        misled = any(pause.kind == "configuration" for pause in self.books.paused)
        misled |= any(problem.kind == TOKEN_REFUSED for problem in self.mixpanel_problems())
        return bool(
            lost
            or misled
            or self.redis_problems()
            or self.strays
            or self.rq.suspended
            or self.workers is None
            or (self.books.waiting and not self.workers)
            or self.stands_still
        )

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
            and self._waits_for > _STILL_AFTER
            and not any(map(self.lately, ("delivered", "dead", "redelivered", "replayed")))
            and not stepped_within(books, _CLOCK_SETTLES)
        )

    @property
    def _waits_for(self) -> float:
        """Seconds since the oldest message was taken up; one in the list may have come just now."""
        oldest = self.books.oldest_ms
        return 0.0 if oldest is None else max(0.0, (self.books.now_ms - oldest) / 1000)

    def as_json(self) -> dict[str, Any]:
        """The object of `mixrelay status --json` (a contract)."""
        books = self.books
        return {
            "queued": books.queued,
            "lanes": dict(books.lanes),
            "in_flight": books.in_flight,
            "dead": books.dead,
            "paused": [
                {
                    "destination": pause.destination,
                    "lane": pause.lane,
                    "reason": pause.reason,
                    "seconds": pause.seconds,
                }
                for pause in books.paused
            ],
            "oldest_seconds": self.oldest_seconds,
            "workers": None if self.workers is None else len(self.workers),
            "suspended": self.rq.suspended,
            "totals": totals(books.totals),
            "tokens": tokens_as_json(books),
            "notices": notices_as_json(books),
            "hot": hot_as_json(books),
            "clock": clock_as_json(books, self.redis_ahead),
            "writes_refused": sorted({one.cause for one in self.refused_writes.values()}),
        }

    def _about_the_books(self) -> Iterator[str]:
        if lacking := self.books.difference:
            many = f"{count(abs(lacking), 'message')} {'too few' if lacking > 0 else 'too many'}"
            yield f"Messages are unaccounted for, {many}: was a key of this queue changed by hand?"

    def _about_the_workers(self) -> Iterator[str]:
        waiting = self.books.waiting
        if self.workers is None:
            yield "The workers are unknown: RQ's keys on its Redis cannot be read."
        elif waiting and not self.workers:
            backlog = f"{count(waiting, 'message')} in the backlog"
            yield f"{backlog}, and no worker runs: start mixrelay worker."
        elif self.strays:
            yield (
                f"{count(sum(self.strays.values()), 'message')} in {', '.join(self.strays)}, which "
                "no worker knows of: set MIXRELAY_PARTITIONS for the workers too, and restart them."
            )
        elif self.stands_still:
            yield (
                f"{count(waiting, 'message')} waiting, the oldest for "
                f"{duration(self._waits_for)}, and nothing was delivered in the last "
                "minute although workers run: read their log; mixrelay doctor tries the ways to "
                "Redis and Mixpanel."
            )

    def _about_the_server(self) -> Iterator[str]:
        if self.eviction not in (None, "noeviction"):
            yield (
                f"Redis may delete messages when it is full (maxmemory-policy {self.eviction}): "
                "set it to noeviction."
            )


def totals(counters: Mapping[str, int]) -> dict[str, int]:
    """The counters that the contract names, and no finer ones."""
    return {name: counters.get(name, 0) for name in (*TOTALS, IGNORED, UNCONFIRMED)}


def about_hold(hold: Hold, now_ms: int) -> str:
    """Who holds a lane, since when and why, and how it ends."""
    since = duration(max(0.0, (now_ms - hold.since_ms) / 1000))
    who, why = cut(hold.who, _WHO_SHOWN), cut(hold.why, _WHY_SHOWN) or "no reason given"
    return f"{hold.lane} has been paused by {who} for {since}: {why} (mixrelay resume {hold.lane})."


def _is_long(pause: PausedDestination, books: Books) -> bool:
    if pause.kind == OPERATOR:
        return False
    return pause.kind == "configuration" or _paused_for(pause, books.now_ms) > _OUTAGE_WARNS_AFTER


def _about_pause(pause: PausedDestination, now_ms: int) -> str:
    since = duration(_paused_for(pause, now_ms))
    # It stands until something was accepted: the next batch is the probe.
    due = "" if pause.seconds else ", and its next probe is due"
    reason = pause.reason.rstrip(".")
    return (
        f"The circuit of {pause.destination} has been open for {since}{due}: {reason}. "
        f"{pause_advice(pause)}"
    )


def _paused_for(pause: PausedDestination, now_ms: int) -> float:
    return max(0.0, (now_ms - pause.since_ms) / 1000)
