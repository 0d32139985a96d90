"""What the charts draw: rates and latencies over the last hour or day."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.stats.history import Minute
from mixrelay.shared.queue.stats.measures import BEYOND, LATENCY_BOUNDS, histogram

COUNTED = ("received", "delivered", "dead", "redelivered")
_LATENCY = [f"latency:{bound}" for bound in (*(f"{b:g}" for b in LATENCY_BOUNDS), BEYOND)]
_P50, _P95 = 0.5, 0.95


@dataclass(frozen=True, slots=True)
class Span:
    """How far a chart looks back, and how many minutes one of its points stands for."""

    minutes: int
    step: int
    title: str


SPANS = {"hour": Span(60, 1, "last hour"), "day": Span(24 * 60, 15, "last day")}


def series(queue: Queue, span: Span) -> dict[str, list[Any]]:
    """Times in seconds, rates a minute, latencies in seconds; None where nothing was delivered.

    The minute that is not over is left out: its rate would fall to nothing at each turn.
    """
    found: dict[str, list[Any]] = {name: [] for name in ("time", *COUNTED, "p50", "p95")}
    history = queue.history.minutes(span.minutes + 1, [*COUNTED, *_LATENCY])
    for minutes in _steps(history[:-1], span.step):
        counted: Counter[str] = Counter()
        for minute in minutes:
            counted.update(minute.counters)
        found["time"].append(minutes[0].number * 60)
        for name in COUNTED:
            found[name].append(round(counted[name] / len(minutes), 2))
        latency = histogram(counted, "latency", LATENCY_BOUNDS)
        for name, share in (("p50", _P50), ("p95", _P95)):
            value = latency.quantile(share)
            found[name].append(None if value is None else round(value, 3))
    return found


def _steps(history: Sequence[Minute], step: int) -> Iterator[Sequence[Minute]]:
    for first in range(0, len(history), step):
        yield history[first : first + step]
