"""What the charts draw: counts, the backlog and latencies over the last hour or day."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mixrelay.console.metrics.collector import TYPES
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Books, Queue
from mixrelay.shared.queue.stats.history import KEPT_MINUTES, Minute
from mixrelay.shared.queue.stats.measures import LATENCY_BOUNDS, histogram

COUNTED = ("received", "delivered", "dead", "redelivered")
MOVED = ("replayed", "discarded:ignored")
"""What else changes the backlog."""
_DEAD = {reason.value: [f"dead:{kind}:{reason}" for kind in TYPES] for reason in Reason}
_P50, _P95 = 0.5, 0.95
_ROUGH_MINUTES = 0.15
"""Of a bucket that has just begun no rate is told."""


@dataclass(frozen=True, slots=True)
class Span:
    """How far a chart looks back, and how many minutes one of its buckets stands for."""

    minutes: int
    step: int
    title: str


SPANS = {"hour": Span(60, 1, "last hour"), "day": Span(KEPT_MINUTES, 15, "last day")}


def series(queue: Queue, span: Span) -> dict[str, Any]:
    """Counts by bucket, oldest first; buckets begin at full minutes, or quarters of an hour.

    `minutes` has how long each bucket is: the first may begin where the history does, and the last
    is running. The counts of a day's buckets add up to the day's count.
    """
    # All counters: a minute has few, and there are many by reason and type that it might have.
    history = queue.history.minutes(span.minutes)
    books = queue.books()
    buckets = _buckets(history, span.step)
    counted = [_summed(bucket) for bucket in buckets]
    passed = books.now_ms / 60_000 % 1
    minutes = [float(len(bucket)) for bucket in buckets]
    minutes[-1] = round(minutes[-1] - 1 + passed, 2)
    found: dict[str, Any] = {
        "time": [bucket[0].number * 60 for bucket in buckets],
        "minutes": minutes,
        "rough": minutes[-1] < _ROUGH_MINUTES,
        "backlog": backlogs(books, counted),
        "reasons": _reasons(counted),
    }
    for name in COUNTED:
        found[name] = [one[name] for one in counted]
    for name, share in (("p50", _P50), ("p95", _P95)):
        found[name] = [_latency(one, share) for one in counted]
    return found


def _buckets(history: Sequence[Minute], step: int) -> list[list[Minute]]:
    found: list[list[Minute]] = []
    for minute in history:
        if not found or minute.number % step == 0:
            found.append([])
        found[-1].append(minute)
    return found


def _summed(minutes: Sequence[Minute]) -> Counter[str]:
    counted: Counter[str] = Counter()
    for minute in minutes:
        counted.update(minute.counters)
    return counted


def backlogs(books: Books, counted: Sequence[Counter[str]]) -> list[int]:
    """What was in lanes and batches at the end of each bucket, reckoned back from now."""
    now = books.waiting - books.queued
    found = [max(0, now)]
    for one in reversed(counted[1:]):
        came = one["received"] + one["replayed"]
        now -= came - one["delivered"] - one["dead"] - one["discarded:ignored"]
        found.append(max(0, now))
    return found[::-1]


def _reasons(counted: Sequence[Counter[str]]) -> dict[str, list[int]]:
    """Letters by reason, those that occur."""
    found = {
        reason: [sum(one[name] for name in names) for one in counted]
        for reason, names in _DEAD.items()
    }
    return {reason: many for reason, many in found.items() if any(many)}


def _latency(counted: Counter[str], share: float) -> float | None:
    value = histogram(counted, "latency", LATENCY_BOUNDS).quantile(share)
    return None if value is None else round(value, 3)
