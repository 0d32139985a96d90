"""A worker's memory while it drains five million messages: it must be flat.

PSS (shared pages split among their sharers) of the worker's whole tree, five times a second. The
list is kept at a hundred thousand messages meanwhile, so that the server's memory is not the limit.
"""

import statistics
from collections.abc import Iterator

from benchmarks.benchmark import Benchmark, Goal, Row, Rows, Size, failures, measured, table
from benchmarks.feeding import kept_full
from benchmarks.stand import stand
from benchmarks.watching import Sample, pace, watch

MESSAGES = 5_000_000
LEVEL = 100_000
LIMIT_SECONDS = 600.0
GOAL_MEGABYTES = 150
GOAL_GROWTH = 0.05
_SHOWN = 100
"""Of the samples so many are kept for the plot."""


def run(size: Size) -> Iterator[Row]:
    messages = size.of(MESSAGES)
    with stand() as at:
        done = kept_full(at, LEVEL, messages)
        worker = at.worker()
        samples = list(watch(at, worker, done, messages, LIMIT_SECONDS))
    quarter = max(len(samples) // 4, 1)
    yield {
        "name": "mixrelay",
        "messages": samples[-1].done,
        "rate": pace(samples).rate,
        "first": _mean(samples[:quarter]),
        "last": _mean(samples[-quarter:]),
        "peak": max(sample.pss for sample in samples),
        "course": [(one.done, one.pss) for one in samples[:: max(len(samples) // _SHOWN, 1)]],
    }


def _mean(samples: list[Sample]) -> float:
    return statistics.fmean(sample.pss for sample in samples)


def show(rows: Rows) -> str:
    head = ("messages drained", "a second", "first quarter, MB", "last quarter, MB", "peak, MB")
    lines = [
        [f"{row['messages']:,}", f"{row['rate']:,.0f}"]
        + [f"{row[key]:.1f}" for key in ("first", "last", "peak")]
        for row in measured(rows)
    ]
    return table(head, lines) + failures(rows)


def goals(rows: Rows) -> Iterator[Goal]:
    for row in measured(rows):
        growth = row["last"] / row["first"] - 1
        yield Goal(
            "memory (PSS) of a worker's tree, peak",
            f"at most {GOAL_MEGABYTES} MB",
            f"{row['peak']:.0f} MB",
            row["peak"] <= GOAL_MEGABYTES,
        )
        yield Goal(
            f"the same over {row['messages']:,} messages, last quarter beside the first",
            f"flat: at most {GOAL_GROWTH:+.0%}",
            f"{growth:+.1%}",
            growth <= GOAL_GROWTH,
        )


BENCHMARK = Benchmark(
    "memory", "of the worker's tree over a drain of five million messages", run, show, goals
)
