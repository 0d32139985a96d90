"""Every call of Redis and every request is a crash point: with `make chaos` each is met.

Scripted runs cover what workers, commands and producers do. The calls of a run without faults are
counted by their moves; then the run is repeated for the k-th call of each move and for each way
in which that call can go wrong, and all is audited once a healthy process has gone on. The short
form meets the first and the last call of each move in each script.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from queue import SimpleQueue

import pytest

from tests.chaos.conftest import FULL
from tests.chaos.crash_points.calls import CONNECT
from tests.chaos.crash_points.points import CUTS, KILLS, SEND, SLOWNESS, Bench, Point, Run
from tests.chaos.crash_points.scenes import OF_PARTITIONS, OF_TOKENS, SCRIPTS, Script
from tests.chaos.ledger import Findings

BENCHES = 3
"""Points are met on so many at a time."""

TIMED = {
    *("reserve", "route", "books", "gates", "announce", "reap", "job_stalled", "expire", "mend"),
    *("extend", "hot", "exists", "guard", CONNECT, *OF_TOKENS),
}
"""Moves that are made as often as there is time, so that a run may have one fewer."""

GATES = ("gates", "leased", "probe", "report", "settle")
"""What a pause, and its end, are told by to several partitions."""
MOVES_OF_COMMANDS = ("replay", "discard")

TERMINATED = next(script for script in SCRIPTS if script.term_at_first_request)
SMALLEST = [script for script in SCRIPTS if script.is_command]
SENDING = [script for script in SCRIPTS if script.name in {"deliver", "halving"}]

Points = Iterable[Point]


@pytest.fixture(scope="module")
def benches(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Bench]]:
    folder = tmp_path_factory.mktemp("crash_points")
    with ExitStack() as stack:
        yield [stack.enter_context(Bench(f"bench{n}", valkey, folder)) for n in range(BENCHES)]


def points(bench: Bench, scripts: Iterable[Script], ways: Iterable[str]) -> Iterator[Point]:
    """Of the calls of Redis in these scripts."""
    for script in scripts:
        bench.calls(script)  # the server knows the scripts now: the second run is like all others
        for move, made in bench.calls(script).items():
            if move != SEND and (not script.only or move in script.only):
                which = range(1, made + 1) if FULL else sorted({1, made})
                yield from (Point(script, move, k, way) for k in which for way in ways)


def requests(bench: Bench, scripts: Iterable[Script], ways: Iterable[str]) -> Iterator[Point]:
    for script in scripts:
        for k in range(1, bench.calls(script)[SEND] + 1):
            yield from (Point(script, SEND, k, way) for way in ways)


def attack_all(benches: list[Bench], wanted: Points) -> list[Run]:
    free: SimpleQueue[Bench] = SimpleQueue()
    for bench in benches:
        free.put(bench)

    def attack(point: Point) -> Run:
        bench = free.get()
        try:
            return bench.attack(point)
        finally:
            free.put(bench)

    with ThreadPoolExecutor(len(benches)) as pool:
        return list(pool.map(attack, wanted))


def check(
    runs: list[Run], tell: Callable[[str, Findings], None], varying: Collection[str] = TIMED
) -> None:
    """Prints the table, and fails with what was wrong at each point."""
    for run in runs:
        if run.met:
            tell(f"crash points: {run.point.row}", run.found)
    print_table(runs)
    met = {run.point.row for run in runs if run.met}
    assert met == {run.point.row for run in runs}, f"only calls of {met} were met"
    missed = [run for run in runs if not run.met and run.point.move not in varying]
    assert not missed, "\n".join(f"{run.point} was not met" for run in missed)
    wrong = ["\n".join([f"{run.point}:", *run.problems]) for run in runs if run.problems]
    assert not wrong, "\n\n".join(wrong)


def print_table(runs: list[Run]) -> None:
    rows = [["move", "points", "ways", "runs", "not met", "all passed"]]
    for row in sorted({run.point.row for run in runs}):
        own = [run for run in runs if run.point.row == row]
        met = [run for run in own if run.met]
        points = {replace(run.point, way="") for run in met}
        ways = {run.point.way for run in own}
        passed = "no" if any(run.problems for run in own) else "yes"
        counts = len(points), len(ways), len(met), len(own) - len(met)
        rows.append([row, *map(str, counts), passed])
    print()
    for row, *cells in rows:
        print("  ".join([row.ljust(14), *(cell.rjust(10) for cell in cells)]))


@pytest.mark.timeout(1800)
def test_every_call_of_redis_may_be_cut_off_or_lose_its_reply(
    benches: list[Bench],
    size: Callable[[list[str], list[str]], list[str]],
    tell: Callable[[str, Findings], None],
) -> None:
    ways = size(["cut before", "cut after"], list(CUTS))
    check(attack_all(benches, list(points(benches[0], SCRIPTS, ways))), tell)


@pytest.mark.timeout(1800)
def test_at_every_call_of_redis_the_process_may_be_killed(
    benches: list[Bench],
    size: Callable[[list[Script], list[Script]], list[Script]],
    tell: Callable[[str, Findings], None],
) -> None:
    scripts = size([TERMINATED, *SMALLEST], list(SCRIPTS))
    check(attack_all(benches, list(points(benches[0], scripts, KILLS))), tell)


@pytest.mark.timeout(1800)
def test_every_request_may_be_cut_off_lose_its_answer_or_hang(
    benches: list[Bench],
    size: Callable[[list[str], list[str]], list[str]],
    tell: Callable[[str, Findings], None],
) -> None:
    ways = size(["cut before", "cut after"], [*CUTS, *SLOWNESS])
    check(attack_all(benches, list(requests(benches[0], SENDING, ways))), tell)


@pytest.mark.timeout(1800)
def test_at_every_call_over_partitions_a_reply_may_be_lost_or_the_process_killed(
    benches: list[Bench],
    size: Callable[[list[str], list[str]], list[str]],
    tell: Callable[[str, Findings], None],
) -> None:
    moves = size([*GATES, *MOVES_OF_COMMANDS], [])
    wanted = [
        point
        for point in points(benches[0], OF_PARTITIONS, size(["cut after"], [*CUTS, *KILLS]))
        if not moves or point.move in moves
    ]
    # How its batches share a pause's end among them is a matter of time.
    check(attack_all(benches, wanted), tell, varying={*TIMED, *GATES, "llen", "hget", "begin"})
