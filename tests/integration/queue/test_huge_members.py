"""Messages of megabytes are moved one by one: no script holds the server for all of them."""

import pytest

from mixrelay.shared.queue.partitions.partition import ROUTED_BYTES
from tests.support.bench import Bench, event

HUGE = ROUTED_BYTES + 1


def huge(name: str) -> bytes:
    return event(name + "x" * HUGE)


@pytest.mark.parametrize("small", [0, 1, 7, 40])
def test_a_call_of_routing_moves_few_huge_messages(bench: Bench, small: int) -> None:
    bench.queue.push([event(f"s{number}") for number in range(small)])
    bench.queue.push([huge(f"h{number}") for number in range(12)])
    moved, left = bench.queue.route()
    assert moved <= small + 4
    while left:
        moved, left = bench.queue.route()
        assert moved == 1
    assert sum(bench.queue.books().lanes.values()) == small + 12


def test_a_batch_of_huge_messages_is_one_and_of_small_ones_many(bench: Bench) -> None:
    bench.route(huge("a"), huge("b"), *(event(f"s{number}") for number in range(300)))
    assert [len(bench.take().members) for _ in range(3)] == [1, 1, 300]
