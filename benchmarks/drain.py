"""Drains a backlog with one worker, and with all that one could use in its place.

The measured tree of processes runs on one core, Valkey and the sink on another. The clock starts
when the first batch is done (starting a process is no part of draining) and ends with the last
message, or after twelve seconds. With `python -m benchmarks.drain` our worker alone.
"""

import argparse
import statistics
import subprocess
from collections.abc import Iterator
from dataclasses import asdict

from benchmarks import machine
from benchmarks.benchmark import (
    FAILED,
    Benchmark,
    Goal,
    Row,
    Rows,
    Size,
    failures,
    measured,
    table,
)
from benchmarks.contenders import (
    CONTENDERS,
    FULL,
    OURS,
    OURS_TWICE,
    PLAIN,
    SPLICING,
    Contender,
    Load,
)
from benchmarks.stand import stand
from benchmarks.watching import pace, watch
from mixrelay.console.failures import CommandError

NEAR, FAR = 0.0, 0.1
LIMIT_SECONDS = 12.0
GOAL_RATE, GOAL_CPU, GOAL_WORKERS = 100_000, 1.5, 0.15


def run(size: Size) -> Iterator[Row]:
    for number in range(size.rounds(max(one.rounds for one in CONTENDERS))):
        for contender in CONTENDERS:
            if number < contender.rounds:
                yield from row(contender, NEAR, size)
    for contender in CONTENDERS:
        yield from row(contender, FAR, size)


def row(contender: Contender, latency: float, size: Size) -> Iterator[Row]:
    """One, or one that says why there are no figures, or none where it is not measured so."""
    load = contender.load(latency)
    if not load:
        return
    told: Row = {"name": contender.name, "latency": latency}
    if missing := contender.missing():
        yield told | {FAILED: f"{', '.join(missing)} not installed; pip install '.[bench]'"}
        return
    try:
        yield told | one(contender, latency, Load(size.of(load.messages), load.requests))
    except (CommandError, ValueError, OSError, subprocess.SubprocessError) as error:
        yield told | {FAILED: str(error)}


def one(contender: Contender, latency: float, load: Load) -> Row:
    """Fills, drains, and gives the figures."""
    with stand(latency) as at:
        contender.queue(at, load.messages)
        child = contender.start(at, load)
        done = contender.done(at, load.messages)
        return asdict(pace(list(watch(at, child, done, load.messages, LIMIT_SECONDS))))


def medians(rows: Rows, latency: float) -> dict[str, Row]:
    """By name, each figure's median of the rounds."""
    found: dict[str, list[Row]] = {}
    for one_row in measured(rows):
        if one_row["latency"] == latency:
            found.setdefault(one_row["name"], []).append(one_row)
    keys = ("rate", "cpu", "server_cpu", "pss")
    return {
        name: {key: statistics.median(one_row[key] for one_row in rounds) for key in keys}
        for name, rounds in found.items()
    }


def show(rows: Rows) -> str:
    text = ""
    for latency, sink in ((NEAR, "at once"), (FAR, "after 100 ms")):
        by_name = medians(rows, latency)
        floor = by_name.get(FULL)
        ordered = sorted(by_name.items(), key=lambda item: item[1]["rate"], reverse=True)
        head = (
            f"the sink answers {sink}",
            "messages a second",
            "CPU, s a million",
            "of the full floor",
            "Valkey's CPU, s a million",
            "PSS, MB",
        )
        text += "\n" + table(head, (_line(name, figures, floor) for name, figures in ordered))
    return text + failures(rows)


def _line(name: str, figures: Row, floor: Row | None) -> list[str]:
    shown = f"**{name}**" if name.startswith("mixrelay") else name
    return [
        shown,
        f"{figures['rate']:,.0f}",
        f"{figures['cpu']:,.2f}",
        f"{figures['cpu'] / floor['cpu']:,.2f}" if floor else "?",
        f"{figures['server_cpu']:,.2f}",
        f"{figures['pss']:,.0f}",
    ]


def goals(rows: Rows) -> Iterator[Goal]:
    near, far = medians(rows, NEAR), medians(rows, FAR)
    if OURS in near:
        rate = near[OURS]["rate"]
        yield Goal(
            "drain, one worker, no latency: messages a second",
            f"at least {GOAL_RATE:,}",
            f"{rate:,.0f}",
            rate >= GOAL_RATE,
        )
    if {OURS, FULL, SPLICING, PLAIN} <= near.keys():
        ratio, others = _ratio(near, FULL), (_ratio(near, SPLICING), _ratio(near, PLAIN))
        yield Goal(
            "the same: CPU a message of the full floor's",
            f"at most {GOAL_CPU}",
            f"{ratio:.2f} ({others[0]:.2f} of the splicing, {others[1]:.2f} of the plain floor's)",
            ratio <= GOAL_CPU,
        )
    if OURS in far:
        rate = far[OURS]["rate"]
        yield Goal(
            "drain, one worker, 100 ms latency: messages a second",
            f"at least {GOAL_RATE:,}",
            f"{rate:,.0f}",
            rate >= GOAL_RATE,
        )
    if {OURS, OURS_TWICE} <= near.keys():
        change = near[OURS_TWICE]["cpu"] / near[OURS]["cpu"] - 1
        yield Goal(
            "CPU a message with two workers beside with one",
            f"within {GOAL_WORKERS:.0%}",
            f"{change:+.0%}",
            abs(change) <= GOAL_WORKERS,
        )


def _ratio(near: dict[str, Row], floor: str) -> float:
    return float(near[OURS]["cpu"] / near[floor]["cpu"])


BENCHMARK = Benchmark(
    "drain", "a backlog, one worker, and what others do in its place", run, show, goals
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--messages", type=int, default=300_000)
    options.add_argument("--latency", type=float, default=0.0, help="of the sink, in seconds")
    options.add_argument("--concurrency", type=int, default=8, help="requests in flight")
    options.add_argument("--processes", type=int, default=1, help="workers")
    chosen = options.parse_args()
    worker = Contender(
        OURS,
        "mixrelay.console",
        ("worker", "--concurrency", "{requests}", "--processes", str(chosen.processes)),
    )
    figures = one(worker, chosen.latency, Load(chosen.messages, chosen.concurrency))
    print(machine.describe())
    print(f"{figures['rate']:,.0f} messages a second, all workers on one core")
    print(f"{figures['cpu']:.2f} CPU seconds a million messages, all processes of the worker")
    print(f"{figures['server_cpu']:.2f} CPU seconds of Valkey a million messages")
    print(f"{figures['pss']:.0f} MB peak PSS of the worker's processes")


if __name__ == "__main__":
    main()
