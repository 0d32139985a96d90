"""What a tracking call costs, beside what else one could call.

All take turns in one run, on a core of their own, against a Valkey and an HTTP server that share
another. For each: microseconds a message by the clock, at the median and the 95th percentile of the
calls, and of this process's CPU. The floor builds the event, encodes it twice, and pushes it with
redis-py.

What another library is measured as: `capture` and `track` only append to a list that a thread sends
later, so their clock is not their cost; their CPU, with that thread's, is.
"""

import statistics
from collections.abc import Iterator

from redis import Redis

from benchmarks import events
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
from benchmarks.copying import build
from benchmarks.others import calls
from benchmarks.stand import MEASURED_CORE, Stand, pinned, stand
from benchmarks.way import Way
from mixrelay.producer import Tracker

MESSAGES = 4_000
"""A round."""
ROUNDS, QUICK_ROUNDS = 11, 3
BATCH = 10
TRACK, IN_TENS = "mixrelay track", "mixrelay batch of ten"
FLOOR, FLOOR_IN_TENS = "floor: build, encode twice, rpush", "floor in tens: one rpush of ten"
GOAL_CPU, GOAL_MEDIAN = 1.25, 1.15


def run(size: Size) -> Iterator[Row]:
    with stand() as at, pinned(MEASURED_CORE):
        ways = [*floor_ways(at.redis), *our_ways(at)]
        for library, found in calls.ways(at):
            if isinstance(found, str):
                yield {"name": library, FAILED: found}
            else:
                ways += found
        yield from take_turns(ways, QUICK_ROUNDS if size.quick else ROUNDS)


def take_turns(ways: list[Way], rounds: int) -> Iterator[Row]:
    """So that a busy moment of the machine is everybody's."""
    clocks: dict[str, list[float]] = {way.name: [] for way in ways}
    cpus: dict[str, list[float]] = {way.name: [] for way in ways}
    medians: dict[str, list[float]] = {way.name: [] for way in ways}
    for _ in range(rounds):
        for way in ways:
            times, cpu = way.round(MESSAGES)
            clocks[way.name] += times
            cpus[way.name].append(cpu)
            medians[way.name].append(statistics.median(times))
    for name, times in clocks.items():
        ordered = sorted(times)
        yield {
            "name": name,
            "median": statistics.median(ordered),
            "p95": ordered[int(len(ordered) * 0.95)],
            "cpu": statistics.median(cpus[name]),
            # Ways are compared round by round, since they took turns.
            "cpus": cpus[name],
            "medians": medians[name],
        }


def floor_ways(client: Redis) -> list[Way]:
    ready = build()
    return [
        Way("redis-py rpush of ready bytes", lambda: client.rpush("bare", ready)),
        Way("build + encode twice (no push)", build),
        Way(FLOOR, lambda: client.rpush("floor", build())),
        Way(FLOOR_IN_TENS, lambda: client.rpush("floor", *[build() for _ in range(BATCH)]), BATCH),
    ]


def our_ways(at: Stand) -> list[Way]:
    tracker = Tracker(events.TOKEN, redis_url=at.url, queue="ours", spool_dir="off")

    def track() -> object:
        return tracker.track(calls.USER, events.NAME, events.PROPERTIES)

    def batch() -> None:
        with tracker.batch():
            for _ in range(BATCH):
                tracker.track(calls.USER, events.NAME, events.PROPERTIES)

    return [Way(TRACK, track), Way(IN_TENS, batch, BATCH)]


def show(rows: Rows) -> str:
    floor = next((row["cpu"] for row in measured(rows) if row["name"] == FLOOR), None)
    lines = [
        [f"**{row['name']}**" if row["name"].startswith("mixrelay") else row["name"]]
        + [f"{row[key]:,.1f}" for key in ("median", "p95", "cpu")]
        + [f"{row['cpu'] / floor:.2f}" if floor else "?"]
        for row in measured(rows)
    ]
    head = ("microseconds a message", "median", "95 %", "CPU", "CPU of the floor's")
    return table(head, lines) + failures(rows)


def goals(rows: Rows) -> Iterator[Goal]:
    by_name = {row["name"]: row for row in measured(rows)}
    for ours, floor, what, key, most in (
        (TRACK, FLOOR, "one tracking call: CPU of its floor's", "cpus", GOAL_CPU),
        (TRACK, FLOOR, "the same: median of its floor's", "medians", GOAL_MEDIAN),
        (IN_TENS, FLOOR_IN_TENS, "in a batch of ten: CPU of its floor's", "cpus", GOAL_CPU),
    ):
        if {ours, floor} <= by_name.keys():
            pairs = zip(by_name[ours][key], by_name[floor][key], strict=True)
            ratio = statistics.median(one / least for one, least in pairs)
            yield Goal(what, f"at most {most}", f"{ratio:.2f}", ratio <= most)


BENCHMARK = Benchmark("produce", "a tracking call, and what else one could call", run, show, goals)
