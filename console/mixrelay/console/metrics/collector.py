"""Every metric, made anew at each scrape from the books; all are there at 0 from the start.

Labels are types, reasons, endpoints and classes of status: never an event's name or an id, of
which there is no end.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from mixrelay.console.metrics.judgement import judgement_metrics
from mixrelay.console.metrics.mixpanel import token_metrics, unasked_metrics
from mixrelay.console.metrics.safety import SAFETY_CHECKS
from mixrelay.console.refusals import REFUSALS
from mixrelay.console.status.age import ready_seconds
from mixrelay.console.status.clock import STEPS
from mixrelay.console.status.figures import Figures
from mixrelay.shared.mixpanel.endpoints import Endpoint
from mixrelay.shared.mixpanel.reasons import Reason
from mixrelay.shared.queue import Lane
from mixrelay.shared.queue.stats.measures import (
    LATENCY_BOUNDS,
    SECONDS_BOUNDS,
    SIZE_BOUNDS,
    STATUS_CLASSES,
    Histogram,
    histogram,
)

TYPES = ("event", "import", "profile_update", "group_update", "unknown")
REDELIVERED_CAUSES = ("death", "lease", "stop")
DISCARDED_REASONS = ("operator", "expired", "ignored")
PAUSE_REASONS = ("configuration", "outage", "operator")
_MS = 0.001
_LIMITS_SHOWN = 20
"""Destinations that get a series: one outage may limit hundreds of keys."""


class QueueCollector(Collector):
    """Reads the figures of one queue whenever it is scraped."""

    def __init__(
        self, look: Callable[[], Figures], unsafe: Callable[[], Mapping[str, bool]]
    ) -> None:
        """Reads nothing yet.

        Args:
            look: the figures at this instant; what it raises fails the scrape.
            unsafe: by check, whether the server's settings may lose messages.
        """
        self._look = look
        self._unsafe = unsafe

    def describe(self) -> list[Metric]:
        """Nothing: registering a collector must not ask Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        figures = self._look()
        yield from judgement_metrics(figures.health())
        yield from _waiting(figures)
        yield from _ended(figures)
        yield from _letters(figures)
        yield from _requests(figures.books.totals)
        yield from _fleet(figures)
        yield from token_metrics(figures.books)
        yield from unasked_metrics(figures.books)
        yield from _clock(figures)
        yield from _refused_writes(figures)
        yield _labelled(
            GaugeMetricFamily(
                "mixrelay_redis_unsafe",
                "1 where a setting of Redis may lose messages.",
                labels=["check"],
            ),
            {(check,): int(self._unsafe().get(check, False)) for check in SAFETY_CHECKS},
        )


def _clock(figures: Figures) -> Iterator[Metric]:
    yield CounterMetricFamily(
        "mixrelay_redis_clock_steps",
        "How often Redis's clock was set, or another node's took over.",
        value=figures.books.totals.get(STEPS, 0),
    )
    yield GaugeMetricFamily(
        "mixrelay_redis_clock_ahead_seconds",
        "That Redis's clock is ahead of the exporter's.",
        value=figures.redis_ahead,
    )


def _refused_writes(figures: Figures) -> Iterator[Metric]:
    causes = {one.cause for one in figures.refused_writes.values()}
    yield _gauge(
        "mixrelay_redis_writes_refused",
        "1 while Redis refuses writes for this cause.",
        ["cause"],
        {(one.cause,): int(one.cause in causes) for one in REFUSALS},
    )


def _waiting(figures: Figures) -> Iterator[Metric]:
    books = figures.books
    yield GaugeMetricFamily(
        "mixrelay_queue_messages", "Messages in the incoming list.", value=books.queued
    )
    lanes = {(lane.value,): books.lanes[lane] for lane in Lane}
    yield _gauge(
        "mixrelay_lane_messages",
        "Messages queued in a lane for their first attempt.",
        ["type"],
        lanes,
    )
    flying = {(lane.value,): books.leased[lane] + books.parked[lane] for lane in Lane}
    yield _gauge(
        "mixrelay_in_flight",
        "Messages in batches: in flight, or scheduled for retry.",
        ["type"],
        flying,
    )
    paused = {(lane.value, reason): 0 for lane in Lane for reason in PAUSE_REASONS}
    for pause in books.paused:
        paused[pause.lane, pause.kind] = paused.get((pause.lane, pause.kind), 0) + 1
    told = "Open circuits; with reason operator, 1 if an operator paused the lane."
    yield _gauge("mixrelay_lane_paused", told, ["type", "reason"], paused)
    ages = {("all",): figures.oldest_seconds or 0.0}
    for lane in Lane:
        at = books.oldest_in.get(lane, books.now_ms)
        ages[lane.value,] = max(0.0, (books.now_ms - at) * _MS)
    yield _gauge(
        "mixrelay_oldest_message_age_seconds",
        "Age of the oldest message in the backlog, of all types and of each lane.",
        ["type"],
        ages,
    )
    yield GaugeMetricFamily(
        "mixrelay_ready_message_age_seconds",
        "Age of the oldest message that could be sent now: what workers are too few for.",
        value=ready_seconds(books) or 0.0,
    )
    lowest = sorted(books.paces.items(), key=lambda one: one[1])[:_LIMITS_SHOWN]
    limits = {(name,): limit for name, limit in lowest}
    yield _gauge(
        "mixrelay_concurrency_limit",
        "Batches that may be under way to a destination after a failure; absent: no limit. "
        f"{_LIMITS_SHOWN} destinations at most, the lowest limits.",
        ["destination"],
        limits,
    )


def _ended(figures: Figures) -> Iterator[Metric]:
    totals = figures.books.totals
    returned = _by(totals, "returned", TYPES[:4])
    delivered = _by(totals, "delivered", TYPES[:4])
    # A counter may not fall, and what a refused token puts back is no longer delivered.
    accepted = {label: count + returned.get(label, 0) for label, count in delivered.items()}
    yield _counter("mixrelay_delivered", "Accepted by Mixpanel.", ["type"], accepted)
    yield _counter(
        "mixrelay_returned",
        "Accepted under a token that is refused: back in the queue.",
        ["type"],
        returned,
    )
    dead = {(kind, reason.value): 0 for kind in TYPES for reason in Reason}
    for name, count in totals.items():
        match name.split(":"):
            case ["dead", kind, reason]:
                dead[kind, reason] = count
    yield _counter("mixrelay_dead", "Messages that became dead letters.", ["type", "reason"], dead)
    yield _counter(
        "mixrelay_redelivered",
        "Taken back from a worker that died or was silent.",
        ["cause"],
        _by(totals, "redelivered", REDELIVERED_CAUSES),
    )
    yield CounterMetricFamily("mixrelay_received", "Taken from the list.", value=totals["received"])
    yield CounterMetricFamily(
        "mixrelay_replayed", "Letters put back into their lanes.", value=totals["replayed"]
    )
    yield CounterMetricFamily(
        "mixrelay_ambiguous",
        "Increments that were sent again unknowingly.",
        value=totals["ambiguous"],
    )
    yield _counter(
        "mixrelay_discarded",
        "Dead letters deleted for good, and events with $ignore, which are not sent.",
        ["reason"],
        _by(totals, "discarded", DISCARDED_REASONS),
    )
    yield CounterMetricFamily(
        "mixrelay_lease_lost",
        "Answers that came when the batch was another's.",
        value=totals.get("lost", 0),
    )


def _letters(figures: Figures) -> Iterator[Metric]:
    books = figures.books
    letters = {(kind, reason.value): 0 for kind in TYPES for reason in Reason}
    for (reason, _status, kind), count in books.dead_by.items():
        letters[kind, reason] = letters.get((kind, reason), 0) + count
    yield _gauge("mixrelay_dlq_letters", "Dead letters now.", ["type", "reason"], letters)
    oldest = books.oldest_letter_ms
    age = 0.0 if oldest is None else max(0.0, (books.now_ms - oldest) * _MS)
    yield GaugeMetricFamily("mixrelay_dlq_oldest_age_seconds", "Of the oldest letter.", value=age)
    limit = figures.outlook.max_letters if figures.outlook else None
    yield GaugeMetricFamily(
        "mixrelay_dlq_limit", "Dead letters that may lie there; 0: no limit.", value=limit or 0
    )


def _requests(totals: Mapping[str, int]) -> Iterator[Metric]:
    counted = {
        (endpoint.value, status): totals.get(f"requests:{endpoint.value}:{status}", 0)
        for endpoint in Endpoint
        for status in STATUS_CLASSES
    }
    yield _counter(
        "mixrelay_requests", "Requests to Mixpanel.", ["endpoint", "status_class"], counted
    )
    seconds = HistogramMetricFamily(
        "mixrelay_request_seconds", "From connecting to the last byte.", labels=["endpoint"]
    )
    for endpoint in Endpoint:
        name = f"seconds:{endpoint.value}"
        _add(seconds, [endpoint.value], histogram(totals, name, SECONDS_BOUNDS, unit=_MS))
    yield seconds
    sizes = HistogramMetricFamily(
        "mixrelay_batch_size", "Records of a request.", labels=["endpoint"]
    )
    for endpoint in Endpoint:
        _add(sizes, [endpoint.value], histogram(totals, f"size:{endpoint.value}", SIZE_BOUNDS))
    yield sizes
    latency = HistogramMetricFamily(
        "mixrelay_delivery_latency_seconds", "From a message's receipt to its acceptance."
    )
    _add(latency, [], histogram(totals, "latency", LATENCY_BOUNDS, unit=_MS))
    yield latency


def _fleet(figures: Figures) -> Iterator[Metric]:
    workers = figures.workers or ()
    yield GaugeMetricFamily(
        "mixrelay_workers", "Workers with a recent heartbeat.", value=len(workers)
    )
    yield GaugeMetricFamily(
        "mixrelay_workers_suspended",
        "1 where rq suspend has stopped the workers: nothing is sent.",
        value=bool(figures.rq.suspended),
    )
    last = max((worker.seconds_ago for worker in workers), default=0.0)
    yield GaugeMetricFamily(
        "mixrelay_worker_last_seen_seconds", "Of the worker that is silent the longest.", value=last
    )
    yield CounterMetricFamily(
        "mixrelay_bury_failures",
        "Settlements that Redis refused at first.",
        value=figures.books.totals.get("settle_failures", 0),
    )


Samples = Mapping[Any, float]
"""Values by labels; a mapping's keys are invariant, so tuples of one length would not fit."""


def _by(totals: Mapping[str, int], name: str, labels: tuple[str, ...]) -> Samples:
    """Counters `name:label`, those of other labels too."""
    found: dict[tuple[str, ...], float] = {(label,): 0 for label in labels}
    for counter, count in totals.items():
        head, _, label = counter.partition(":")
        if head == name and label:
            found[label,] = count
    return found


def _gauge(name: str, told: str, labels: list[str], samples: Samples) -> Metric:
    return _labelled(GaugeMetricFamily(name, told, labels=labels), samples)


def _counter(name: str, told: str, labels: list[str], samples: Samples) -> Metric:
    return _labelled(CounterMetricFamily(name, told, labels=labels), samples)


def _labelled(family: GaugeMetricFamily | CounterMetricFamily, samples: Samples) -> Metric:
    for labels, value in samples.items():
        family.add_metric(list(labels), value)
    return family


def _add(family: HistogramMetricFamily, labels: list[str], found: Histogram) -> None:
    below, buckets = 0, []
    for bound, count in zip([*map(str, found.bounds), "+Inf"], found.counts, strict=True):
        below += count
        buckets.append((bound, below))
    family.add_metric(labels, buckets, found.total)
