"""How long a message is on its way: from the tracking call until the sink has its last byte.

A worker that is idle otherwise, with its defaults, so also with its linger of half a second; one
tracker that keeps to a rate. Above 1,000 a second it tracks in batches, as a busy process does:
one call each takes longer than the time there is. The first second is not counted.
"""

import time
from collections.abc import Iterator
from contextlib import nullcontext

import requests

from benchmarks import events
from benchmarks.benchmark import Benchmark, Goal, Row, Rows, Size, failures, measured, table
from benchmarks.stand import OTHER_CORE, Stand, pinned, stand
from mixrelay.producer import Tracker
from mixrelay.worker.base.settings import WorkerSettings

LONE = "lone"
SECONDS = {10: 40, 1_000: 30, 10_000: 20}
LONE_MESSAGES = 20
LINGER = WorkerSettings().linger
GOAL_OVER_LINGER = 0.05
_CALLS_A_SECOND = 1_000
_WARM_UP_SECONDS = 1.0
_ARRIVAL_SECONDS = 30.0

Pair = tuple[float, float]
"""When it was tracked and when received, seconds since the epoch."""


def run(size: Size) -> Iterator[Row]:
    with stand(sink="benchmarks.timing_sink") as at, pinned(OTHER_CORE):
        at.worker()
        way = Way(at)
        way.lone(2)
        yield _row(LONE, way.lone(size.of(LONE_MESSAGES)))
        for rate, seconds in SECONDS.items():
            yield _row(rate, way.steady(rate, size.of(seconds)))


class Way:
    """From one tracker to the sink."""

    def __init__(self, at: Stand) -> None:
        self._at = at
        self._tracker = Tracker(events.TOKEN, redis_url=at.url, spool_dir="off")
        self._tracked = 0

    def lone(self, messages: int) -> list[Pair]:
        """One after the other, each after a second of quiet."""
        pairs = []
        for _ in range(messages):
            self._track()
            pairs += self._arrived()
            time.sleep(_WARM_UP_SECONDS)
        return pairs

    def steady(self, rate: int, seconds: int) -> list[Pair]:
        together = max(rate // _CALLS_A_SECOND, 1)
        began = time.time()
        for number in range(int((seconds + _WARM_UP_SECONDS) * rate) // together):
            time.sleep(max(began + number * together / rate - time.time(), 0))
            with self._tracker.batch() if together > 1 else nullcontext():
                for _ in range(together):
                    self._track()
        return [pair for pair in self._arrived() if pair[0] >= began + _WARM_UP_SECONDS]

    def _track(self) -> None:
        properties = events.PROPERTIES | {"sent": time.time()}
        self._tracker.track("user-1", events.NAME, properties)
        self._tracked += 1

    def _arrived(self) -> list[Pair]:
        """All since it was last asked, once there is nothing on its way.

        Raises:
            ValueError: half a minute later something still is.
        """
        deadline = time.monotonic() + _ARRIVAL_SECONDS
        while missing := self._tracked - self._at.queue.books().totals["delivered"]:
            if time.monotonic() > deadline:
                raise ValueError(f"{missing} messages did not arrive in {_ARRIVAL_SECONDS:g} s")
            time.sleep(0.02)
        taken = requests.get(f"{self._at.sink}/taken", timeout=_ARRIVAL_SECONDS)
        pairs: list[Pair] = taken.json()
        return pairs


def _row(rate: int | str, pairs: list[Pair]) -> Row:
    waits = sorted(received - sent for sent, received in pairs)
    sent = [pair[0] for pair in pairs]
    return {
        "rate": rate,
        "messages": len(waits),
        "reached": len(sent) / (max(sent) - min(sent)),
        "p50": waits[len(waits) // 2],
        "p95": waits[int(len(waits) * 0.95)],
        "max": waits[-1],
    }


def show(rows: Rows) -> str:
    head = ("tracked", "messages", "median, ms", "95 %, ms", "slowest, ms")
    lines = [
        [
            "one at a time, a second apart" if row["rate"] == LONE else f"{row['rate']:,} a second",
            f"{row['messages']:,}",
            *(f"{row[key] * 1000:,.0f}" for key in ("p50", "p95", "max")),
        ]
        for row in measured(rows)
    ]
    return table(head, lines) + failures(rows)


def goals(rows: Rows) -> Iterator[Goal]:
    by_rate = {row["rate"]: row for row in measured(rows)}
    most = LINGER + GOAL_OVER_LINGER
    if 1_000 in by_rate:
        p95 = by_rate[1_000]["p95"]
        yield Goal(
            "end to end, 1,000 a second: 95th percentile",
            f"at most the linger + {GOAL_OVER_LINGER * 1000:.0f} ms: {most * 1000:.0f} ms",
            f"{p95 * 1000:.0f} ms",
            p95 <= most,
        )
    if LONE in by_rate:
        p50, slowest = by_rate[LONE]["p50"], by_rate[LONE]["max"]
        yield Goal(
            "a lone message in an idle system: median",
            f"within the linger: {LINGER * 1000:.0f} ms",
            f"{p50 * 1000:.0f} ms (the slowest {slowest * 1000:.0f} ms)",
            p50 <= LINGER,
        )


BENCHMARK = Benchmark(
    "latency", "from the tracking call to the sink, at several rates", run, show, goals
)
