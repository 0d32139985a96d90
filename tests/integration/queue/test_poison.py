"""A message that kills its workers is found, and its neighbours are delivered (rule 14)."""

import pytest

from mixrelay.shared.queue import Batch, Lane, Nothing, Settlement
from tests.support.bench import Bench, event, numbers, update

KILLER = "0-6"


def run_until_empty(bench: Bench, lane: Lane) -> tuple[list[str], int]:
    """Delivers all, by a worker that dies of one message; returns what arrived and the deaths."""
    delivered: list[str] = []
    deaths = 0
    while bench.queue.books().waiting:
        batch = bench.reserve(lane, alone=True)
        assert isinstance(batch, Batch)
        if KILLER in numbers(batch):
            bench.die(batch)
            deaths += 1
        else:
            delivered += numbers(batch)
            bench.deliver(batch)
    return delivered, deaths


@pytest.mark.parametrize("lane", [Lane.EVENT, Lane.PROFILE_UPDATE])
def test_the_killer_dies_and_its_neighbours_are_delivered(bench: Bench, lane: Lane) -> None:
    make = event if lane is Lane.EVENT else update
    bench.route(*(make(str(i)) for i in range(8)))
    delivered, deaths = run_until_empty(bench, lane)
    assert sorted(delivered) == sorted(f"0-{i}" for i in range(1, 9) if i != 6)
    if lane.ordered:
        assert delivered == sorted(delivered)
    # Three with all eight, one with four, one with two, then two alone.
    assert deaths == 7
    [letter] = bench.queue.letters.get_many([KILLER])
    assert letter.reason == "poison"
    assert "died 7 times, the last 2 with this message alone" in letter.error
    books = bench.queue.books()
    assert (books.difference, books.batches, books.totals["dead"]) == (0, 0, 1)


def test_a_suspect_waits_for_a_worker_that_holds_nothing_else(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    for _ in range(3):
        bench.die(bench.take())
    nothing = bench.refused()
    assert nothing.suspects_wait
    half = bench.take(alone=True)
    assert (half.suspect, numbers(half)) == (True, ["0-1"])


def test_a_suspect_does_not_hold_up_the_lane(bench: Bench) -> None:
    bench.route(event("a"))
    for _ in range(3):
        bench.die(bench.take())
    bench.route(event("b"))
    assert numbers(bench.take()) == ["0-2"]


def test_a_suspect_whose_destination_is_paused_calls_no_worker_away(bench: Bench) -> None:
    bench.route(event("a"))
    for _ in range(3):
        bench.die(bench.take())
    bench.redis.hset(bench.key("pause:track/1"), "until", 10**15)
    nothing = bench.refused()
    assert not nothing.suspects_wait
    assert nothing.wait_seconds is not None


def test_a_worker_that_is_told_to_stop_counts_for_no_death(bench: Bench) -> None:
    bench.route(event("a"))
    for _ in range(10):
        batch = bench.take()
        bench.queue.begin(batch)
        bench.queue.settle(batch, Settlement(rest="back"))
        bench.take(owner="stopped")
        bench.queue.end_leases("stopped", died=False)
    assert isinstance(bench.take(), Batch)
    assert not isinstance(bench.reserve(), Batch)
    assert bench.totals("dead") == [0]


def test_a_death_before_the_third_halves_nothing(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    for _ in range(2):
        bench.die(bench.take())
    batch = bench.take()
    assert (numbers(batch), batch.suspect) == (["0-1", "0-2"], False)
    assert isinstance(bench.reserve(), Nothing)


def test_a_replayed_killer_begins_with_a_clean_slate(bench: Bench) -> None:
    bench.route(event("a"))
    for _ in range(5):
        bench.die(bench.take(alone=True))
    [letter] = bench.queue.letters.get_many(["0-1"])
    assert letter.reason == "poison"
    bench.queue.replay(["0-1"])
    assert not bench.take().suspect
