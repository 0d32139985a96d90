"""What it costs to look at many partitions, and that a busy one starves no other."""

from redis import Redis

from mixrelay.shared.queue import Batch, Lane, Limits, Nothing, Queue, new_id
from tests.support.bench import event
from tests.support.wide import Wide

TICKS_A_LOOK = 5
"""A dispatcher routes at each tick, and asks an empty lane at every fifth."""


def scripts(redis: Redis) -> int:
    stats = redis.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("evalsha", "eval"))


def half_a_second(queue: Queue) -> None:
    """What a dispatcher with nothing to do asks in that time."""
    for tick in range(10):
        assert queue.route() == (0, 0)
        for lane in Lane if tick % TICKS_A_LOOK == 0 else ():
            answer = queue.reserve(lane, owner="w", claim=new_id(), lease_seconds=9)
            assert answer == Nothing(None, suspects_wait=False)


def cost_of_idling(redis: Redis, partitions: int) -> int:
    queue = Queue(redis, partitions=partitions)
    half_a_second(queue)
    before = scripts(redis)
    half_a_second(queue)
    return scripts(redis) - before


def test_eight_empty_partitions_cost_little_more_than_one(redis: Redis) -> None:
    one = cost_of_idling(redis, 1)
    assert one == 20
    assert cost_of_idling(redis, 8) < 3 * one


def test_a_tuple_in_a_list_that_rests_is_found_at_the_next_look(redis: Redis) -> None:
    wide = Wide(redis, 8)
    half_a_second(wide.queue)
    wide.push(5, event("a"))
    assert wide.queue.route() == (1, 0)
    assert wide.take().partition == 5


def test_a_busy_partition_starves_no_other(redis: Redis) -> None:
    wide = Wide(redis)
    wide.push(0, *(event(f"busy {i}") for i in range(4_000)))
    for index in (1, 2, 3):
        wide.push(index, event("calm"))
    for _ in range(4):
        wide.queue.route()
    assert wide.queue.books().queued == 3_000, "each list had its turn"
    limits = Limits(records=100, linger_seconds=0)
    taken = [wide.reserve(limits=limits) for _ in range(4)]
    assert {one.partition for one in taken if isinstance(one, Batch)} == {0, 1, 2, 3}
