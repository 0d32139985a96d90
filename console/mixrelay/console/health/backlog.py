"""Whether what waits is sent: workers, partitions, ages, and whether the totals add up."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mixrelay.console.health.kinds import NO_WORKER, OLDEST, STALLED, UNSAFE
from mixrelay.console.health.limits import Limits
from mixrelay.console.status.problem import Problem
from mixrelay.console.text import count, duration

if TYPE_CHECKING:
    from mixrelay.console.status.seen import QueueSeen


def backlog_problems(figures: "QueueSeen", limits: Limits) -> Iterator[Problem]:
    """The problems with the backlog, its cause before its age."""
    yield from _workers(figures)
    yield from _age(figures, limits)
    yield from _books(figures)


def _workers(figures: "QueueSeen") -> Iterator[Problem]:
    waiting = figures.books.waiting
    backlog = f"{count(waiting, 'message')} in the backlog"
    if figures.workers is None:
        yield Problem(
            NO_WORKER,
            "",
            f"The workers are unknown: RQ's keys on its Redis cannot be read; {backlog}.",
            "Look at mixrelay doctor.",
        )
    elif not figures.workers:
        # Between two runs of a burst worker none is there, and nothing waits.
        summary = (
            f"{backlog}, and no worker runs."
            if waiting
            else "No worker runs; the backlog is empty."
        )
        yield Problem(NO_WORKER, "", summary, "Start mixrelay worker.", is_urgent=waiting > 0)
    elif figures.strays:
        yield Problem(
            NO_WORKER,
            "partitions",
            f"{count(sum(figures.strays.values()), 'message')} in {', '.join(figures.strays)}, "
            "which no worker knows of.",
            "Set MIXRELAY_PARTITIONS for the workers too, and restart them.",
        )
    elif figures.stands_still:
        yield Problem(
            STALLED,
            "",
            f"{count(waiting, 'message')} waiting, the oldest for {duration(figures.waits_for)}, "
            "and nothing was delivered in the last minute although workers run.",
            "Read their log; mixrelay doctor tries the ways to Redis and Mixpanel.",
        )


def _age(figures: "QueueSeen", limits: Limits) -> Iterator[Problem]:
    age = figures.oldest_seconds
    if age is None or age <= limits.oldest:
        return
    yield Problem(
        OLDEST,
        "",
        f"The oldest message is {duration(age)} old; "
        f"{count(figures.books.waiting, 'message')} in the backlog.",
        "Look at mixrelay status: too few workers, or a destination that is slow.",
    )


def _books(figures: "QueueSeen") -> Iterator[Problem]:
    if lacking := figures.books.difference:
        many = f"{count(abs(lacking), 'message')} {'too few' if lacking > 0 else 'too many'}"
        yield Problem(
            UNSAFE,
            "books",
            f"Messages are unaccounted for, {many}: the totals do not add up.",
            "Was a key of the queue changed by hand, or restored from an older copy?",
        )
