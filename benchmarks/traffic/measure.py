"""Measures a kind of traffic: our worker and the full floor, over the same messages, by turns."""

import statistics
from collections.abc import Iterator
from dataclasses import asdict

from benchmarks.benchmark import FAILED, Benchmark, Goal, Row, Rows, Size, failures, measured, table
from benchmarks.contenders import FULL, OURS, Contender, Load
from benchmarks.stand import Stand, stand
from benchmarks.traffic.kinds import KINDS, tuples
from benchmarks.watching import pace, watch
from mixrelay.console.failures import CommandError

MESSAGES, ROUNDS, LIMIT_SECONDS = 300_000, 3, 30.0
_AT_ONCE = 1_000
_OURS = Contender(OURS, "mixrelay.console", ("worker",))
_FLOOR = Contender(FULL, "benchmarks.others.floor", ("full", "1"), needs=("isal",))
GOAL_CPU, GOAL_OWN_CPU, GOAL_TOGETHER, GOAL_SERVER, GOAL_RATE = 1.3, 1.1, 1.5, 2.0, 0.75


def run(size: Size) -> Iterator[Row]:
    yield from rows(size.of(MESSAGES), size.rounds(ROUNDS), list(KINDS))


def rows(messages: int, rounds: int, kinds: list[str]) -> Iterator[Row]:
    """Ours and the floor take turns, so that a busy moment is both's."""
    for _ in range(rounds):
        for kind in kinds:
            for contender in (_FLOOR, _OURS):
                yield _row(kind, contender, messages)


def _row(kind: str, contender: Contender, messages: int) -> Row:
    told: Row = {"kind": kind, "name": contender.name}
    if missing := contender.missing():
        return told | {FAILED: f"{', '.join(missing)} not installed"}
    try:
        return told | _one(kind, contender, messages)
    except (CommandError, ValueError, OSError) as error:
        return told | {FAILED: str(error)}


def _one(kind: str, contender: Contender, messages: int) -> Row:
    with stand() as at:
        fill(at, kind, messages)
        child = contender.start(at, Load(messages))
        done = contender.done(at, messages)
        return asdict(pace(list(watch(at, child, done, messages, LIMIT_SECONDS))))


def fill(at: Stand, kind: str, messages: int) -> None:
    """Puts so many onto the list."""
    ready = tuples(kind)
    for first in range(0, messages, _AT_ONCE):
        start = first % len(ready)
        at.queue.push(ready[start : start + min(_AT_ONCE, messages - first)])


def ratios(rows: Rows) -> dict[str, Row]:
    """By kind, ours of the floor's, each the median of the rounds."""
    found: dict[str, Row] = {}
    for kind in KINDS:
        ours, floor = _median(rows, kind, OURS), _median(rows, kind, FULL)
        if ours and floor:
            together = ours["cpu"] + ours["server_cpu"], floor["cpu"] + floor["server_cpu"]
            found[kind] = {
                "cpu": ours["cpu"] / floor["cpu"],
                "server": ours["server_cpu"] / floor["server_cpu"],
                "together": together[0] / together[1],
                "speed": ours["rate"] / floor["rate"],
                "ours": ours,
                "floor": floor,
            }
    return found


def _median(rows: Rows, kind: str, name: str) -> Row:
    some = [row for row in measured(rows) if row["kind"] == kind and row["name"] == name]
    keys = ("rate", "cpu", "server_cpu") if some else ()
    return {key: statistics.median(row[key] for row in some) for key in keys}


def show(rows: Rows) -> str:
    head = (
        "traffic",
        "messages a second",
        "of the floor's",
        "worker's CPU, µs a message",
        "of the floor's",
        "Valkey's CPU, µs",
        "of the floor's",
        "together, of the floor's two",
    )
    lines = [
        [
            kind,
            f"{one['ours']['rate']:,.0f}",
            f"{one['speed']:.2f}",
            f"{one['ours']['cpu']:.2f}",
            f"{one['cpu']:.2f}",
            f"{one['ours']['server_cpu']:.2f}",
            f"{one['server']:.2f}",
            f"{one['together']:.2f}",
        ]
        for kind, one in ratios(rows).items()
    ]
    return table(head, lines) + failures(rows)


def goals(rows: Rows) -> Iterator[Goal]:
    found = ratios(rows)
    if len(found) < len(KINDS):
        return
    own = found[next(iter(KINDS))]["cpu"]
    yield Goal(
        "our own plain events: worker's CPU of the full floor's",
        f"at most {GOAL_OWN_CPU}",
        f"{own:.2f}",
        own <= GOAL_OWN_CPU,
    )
    limits = (
        ("cpu", "worker's CPU of the full floor's", GOAL_CPU),
        ("together", "worker and Valkey together, of the floor's two", GOAL_TOGETHER),
        ("server", "Valkey's CPU of the floor's", GOAL_SERVER),
    )
    for key, what, most in limits:
        worst = max(found, key=lambda kind, key=key: found[kind][key])  # type: ignore[misc]
        figure = found[worst][key]
        yield Goal(
            f"eight kinds of traffic: {what}",
            f"at most {most}",
            f"{figure:.2f} at most ({worst})",
            figure <= most,
        )
    slowest = min(found, key=lambda kind: found[kind]["speed"])
    speed = found[slowest]["speed"]
    yield Goal(
        "eight kinds of traffic: messages a second of the full floor's",
        f"at least {GOAL_RATE}",
        f"{speed:.2f} at least ({slowest})",
        speed >= GOAL_RATE,
    )


BENCHMARK = Benchmark(
    "traffic", "eight kinds of traffic, one worker, beside the full floor", run, show, goals
)
