"""An ordered lane's batch that was parted, more than once or by a worker that has to stop."""

from mixrelay.shared.queue import Division, Lane, Part, Settlement
from tests.support.bench import Bench, numbers, update

LANE = Lane.PROFILE_UPDATE


def in_turn(bench: Bench) -> list[str]:
    """Delivers all, and returns what arrived."""
    seen: list[str] = []
    while bench.queue.books().waiting:
        batch = bench.take(LANE)
        seen += numbers(batch)
        bench.deliver(batch)
    return seen


def test_a_batch_that_is_halved_twice_arrives_in_order(bench: Bench) -> None:
    bench.route(*(update("p", number) for number in range(8)))
    batch = bench.take(LANE)
    names = numbers(batch)
    bench.queue.divide(batch, Division([Part(names[4:])], strikes=True))
    bench.queue.divide(batch, Division([Part(names[2:4])], strikes=True))
    bench.deliver(batch)
    assert in_turn(bench) == names[2:]


def test_a_batch_given_back_after_a_part_left_it_still_comes_first(bench: Bench) -> None:
    bench.route(*(update("p", number) for number in range(4)))
    batch = bench.take(LANE)
    names = numbers(batch)
    bench.queue.divide(batch, Division([Part(names[2:])]))
    bench.queue.settle(batch, Settlement(rest="back"))
    assert in_turn(bench) == names
