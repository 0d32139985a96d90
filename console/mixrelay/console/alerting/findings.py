"""What an alert fires for, read off the figures."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from mixrelay.console.status.figures import Figures
from mixrelay.console.status.pauses import pause_advice
from mixrelay.console.status.problem import Problem
from mixrelay.console.status.rq_state import SUSPENDED
from mixrelay.console.status.tokens import (
    TOKEN_REFUSED,
    TOKEN_UNPROVEN,
    pauses_of_their_own,
    unproven_seconds,
)
from mixrelay.console.status.unasked import HOT_SHARD, UNCONFIRMED
from mixrelay.console.status.writes import WRITES_REFUSED
from mixrelay.console.text import count, cut, duration, iso
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import PausedDestination, PauseKind
from mixrelay.shared.queue.messages.operator_pause import OPERATOR

_REASON_SHOWN = 300

NEW_REASON, PAUSED, OLDEST, NO_WORKER = "new_reason", "paused", "oldest", "no_worker"
LETTERS_GO, REFUSED, UNSAFE, REDIS = "letters_go", "refused", "unsafe", "redis"
ALERTS = (
    TOKEN_REFUSED,
    TOKEN_UNPROVEN,
    NEW_REASON,
    PAUSED,
    OLDEST,
    NO_WORKER,
    SUSPENDED,
    LETTERS_GO,
    REFUSED,
    UNSAFE,
    UNCONFIRMED,
    HOT_SHARD,
    WRITES_REFUSED,
    REDIS,
)


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem that is there now."""

    alert: str
    """One of ALERTS."""
    about: str
    """What tells it from others of its kind: a reason, a destination; empty where there is one."""
    summary: str
    what_to_do: str

    @property
    def name(self) -> str:
        """The same for as long as it lasts."""
        return f"{self.alert}:{self.about}" if self.about else self.alert

    def notice(self, *, queue: str, since: datetime, is_over: bool) -> dict[str, str]:
        """Return the object that the webhook and the command get (a contract)."""
        return {
            "event": "resolved" if is_over else "firing",
            "alert": self.alert,
            "name": self.name,
            "queue": queue,
            "summary": self.summary,
            "what_to_do": "Nothing: it is over." if is_over else self.what_to_do,
            "since": iso(since),
        }


def findings(figures: Figures, oldest: float) -> Iterator[Finding]:
    """Return the problems.

    Args:
        figures: of the queue.
        oldest: seconds that a message may wait, that an outage of Mixpanel may last, and that a
            token may be unproven.
    """
    yield from map(_finding, figures.redis_problems())
    yield from _about_mixpanel(figures, oldest)
    yield from _about_letters(figures)
    for pause in pauses_of_their_own(figures.books):
        if _is_told(pause, figures, oldest):
            yield _about_pause(pause)
    yield from _about_age(figures, oldest)
    yield from _about_workers(figures)
    for limit, warning in _limits(figures):
        todo = "Replay, export or discard them, or raise the limit."
        yield Finding(LETTERS_GO, limit, f"{warning}.", todo)
    yield from _about_the_server(figures)


def redis_is_away(trouble: str) -> Finding:
    """What can be told of a queue that cannot be looked at."""
    return Finding(
        REDIS,
        "",
        f"The queue cannot be looked at: {trouble}",
        "Bring Redis back. Producers keep what it cannot take, as far as their spool goes.",
    )


def _about_mixpanel(figures: Figures, oldest: float) -> Iterator[Finding]:
    """What `status` and the page say of Mixpanel, in their words."""
    patient = {
        token.fingerprint
        for token in figures.books.tokens
        if unproven_seconds(token, figures.books.now_ms) <= oldest
    }
    for problem in figures.mixpanel_problems():
        if problem.kind != TOKEN_UNPROVEN or problem.about not in patient:
            yield _finding(problem)


def _finding(problem: Problem) -> Finding:
    return Finding(problem.kind, problem.about, problem.summary, problem.what_to_do)


def _about_letters(figures: Figures) -> Iterator[Finding]:
    letters: dict[str, int] = {}
    for (reason, _status, _kind), number in figures.books.dead_by.items():
        letters[reason] = letters.get(reason, 0) + number
    # What an operator dropped is nobody's surprise.
    letters.pop(Reason.DROPPED, None)
    for reason, number in sorted(letters.items()):
        shown = cut(reason, _REASON_SHOWN)
        yield Finding(
            NEW_REASON,
            shown,
            f"{count(number, 'dead letter')} with the reason {shown}, the first ones.",
            f"Look: mixrelay dlq list --reason {shown}. Replay or discard them.",
        )


def _is_told(pause: PausedDestination, figures: Figures, oldest: float) -> bool:
    """A short outage is a longer queue and nothing else."""
    lasts = (figures.books.now_ms - pause.since_ms) / 1000
    return pause.kind != PauseKind.OUTAGE or lasts > oldest


def _about_pause(pause: PausedDestination) -> Finding:
    name, reason = cut(pause.destination, _REASON_SHOWN), cut(pause.reason, _REASON_SHOWN)
    state = f"{name} is paused" if pause.kind == OPERATOR else f"The circuit of {name} is open"
    return Finding(PAUSED, name, f"{state}: {reason}", pause_advice(pause))


def _about_age(figures: Figures, oldest: float) -> Iterator[Finding]:
    age = figures.oldest_seconds
    if age is not None and age > oldest:
        yield Finding(
            OLDEST,
            "",
            f"The oldest message is {duration(age)} old; "
            f"{count(figures.books.waiting, 'message')} in the backlog.",
            "Look at mixrelay status: an open circuit, too few workers, or none.",
        )


def _about_workers(figures: Figures) -> Iterator[Finding]:
    waiting = f"{count(figures.books.waiting, 'message')} in the backlog."
    if figures.workers is None:
        told = "The workers are unknown, RQ's keys cannot be read"
        yield Finding(NO_WORKER, "", f"{told}; {waiting}", "Look at mixrelay doctor.")
    elif not figures.workers:
        yield Finding(NO_WORKER, "", f"No worker runs; {waiting}", "Start mixrelay worker.")
    elif figures.strays:
        lists = ", ".join(figures.strays)
        yield Finding(
            NO_WORKER,
            "partitions",
            f"{count(sum(figures.strays.values()), 'message')} in {lists}, which no worker drains.",
            "Set MIXRELAY_PARTITIONS for the workers too, and restart them.",
        )
    elif figures.stands_still:
        yield Finding(
            NO_WORKER,
            "still",
            f"Workers run, and nothing was delivered in the last minute; {waiting}",
            "Read the workers' logs; mixrelay doctor tries the ways to Redis and Mixpanel.",
        )
    yield from map(_finding, figures.rq.problems(figures.books.waiting))


def _limits(figures: Figures) -> Iterator[tuple[str, str]]:
    """What will drop letters soon, and what is to be said of it."""
    outlook = figures.outlook
    if outlook is None:
        return
    # Each by itself: the one may be over while the other lasts.
    alone = {
        "age": replace(outlook, max_letters=None),
        "count": replace(outlook, expire_within_a_day=0),
    }
    for limit, part in alone.items():
        for warning in part.warnings():
            yield limit, warning.partition(":")[0]


def _about_the_server(figures: Figures) -> Iterator[Finding]:
    if refused := figures.rate("settle_failures"):
        yield Finding(
            REFUSED,
            "",
            f"Redis refused {count(round(refused) or 1, 'settlement')} within a minute.",
            "Look at mixrelay doctor and the workers' logs. What is in flight stays there.",
        )
    if figures.eviction not in (None, "noeviction"):
        yield Finding(
            UNSAFE,
            "eviction",
            f"Redis may delete messages when it is full (maxmemory-policy {figures.eviction}).",
            "CONFIG SET maxmemory-policy noeviction.",
        )
    if lacking := figures.books.difference:
        yield Finding(
            UNSAFE,
            "books",
            f"{count(abs(lacking), 'message')} unaccounted for: the totals do not add up.",
            "Was a key of the queue changed by hand, or restored from an older copy?",
        )
