"""What a message costs with ten thousand to ten million queued: it must be the same.

The backlog is kept at its level while half a million messages are drained, so each level has the
same pushes among its costs. CPU of the worker's tree and of the server; the levels take turns, and
the median of each one's rounds is told, since one round differs from the next by more than the
goal allows.
"""

import statistics
from collections.abc import Iterator
from dataclasses import asdict

from benchmarks.benchmark import Benchmark, Goal, Row, Rows, Size, failures, measured, table
from benchmarks.feeding import kept_full
from benchmarks.stand import stand
from benchmarks.watching import pace, watch

LEVELS = (10_000, 100_000, 1_000_000, 10_000_000)
QUICK_LEVELS = LEVELS[:-1]
DRAINED = 500_000
ROUNDS = 5
WHOSE = {
    "the worker and Valkey": ("cpu", "server_cpu"),
    "the worker": ("cpu",),
    "Valkey": ("server_cpu",),
}
COLUMNS = ("rate", "cpu", "server_cpu", "pss")
LIMIT_SECONDS = 60.0
GOAL_CHANGE = 0.10


def run(size: Size) -> Iterator[Row]:
    for _ in range(size.rounds(ROUNDS)):
        for level in QUICK_LEVELS if size.quick else LEVELS:
            drained = size.of(DRAINED)
            with stand() as at:
                done = kept_full(at, level, level + drained)
                worker = at.worker()
                yield {"level": level} | asdict(
                    pace(list(watch(at, worker, done, drained, LIMIT_SECONDS)))
                )


def medians(rows: Rows) -> Rows:
    """One row a level: each figure's median of the rounds."""
    by_level: dict[int, list[Row]] = {}
    for row in measured(rows):
        by_level.setdefault(row["level"], []).append(row)
    return [
        {"level": level} | {key: statistics.median(row[key] for row in rounds) for key in COLUMNS}
        for level, rounds in by_level.items()
    ]


def show(rows: Rows) -> str:
    head = (
        "queued",
        "messages a second",
        "worker's CPU, s a million",
        "Valkey's CPU, s a million",
        "PSS, MB",
    )
    lines = [
        [f"{row['level']:,}", f"{row['rate']:,.0f}"]
        + [f"{row[key]:.2f}" for key in ("cpu", "server_cpu")]
        + [f"{row['pss']:.0f}"]
        for row in medians(rows)
    ]
    return table(head, lines) + failures(rows)


def goals(rows: Rows) -> Iterator[Goal]:
    found = medians(rows)
    if len(found) < 2:
        return
    for whose, keys in WHOSE.items():
        costs = [sum(row[key] for key in keys) for row in found]
        change = max(costs) / min(costs) - 1
        yield Goal(
            f"CPU of {whose} a message, {found[0]['level']:,} to {found[-1]['level']:,} queued",
            f"within {GOAL_CHANGE:.0%}",
            f"{change:.0%} between the cheapest and the dearest",
            change <= GOAL_CHANGE,
        )


BENCHMARK = Benchmark(
    "backlog", "what a message costs with ten thousand to ten million queued", run, show, goals
)
