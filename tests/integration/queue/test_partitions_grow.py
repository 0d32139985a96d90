"""The number of partitions grows and shrinks with messages in flight: all are drained, for ever."""

import threading

import pytest
from redis import Redis

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import Batch, Lane, Limits, Number, Park, Queue, Settlement
from tests.support.bench import event, outage, update
from tests.support.patience import joined
from tests.support.wide import Wide

ONE = Limits(records=1, linger_seconds=0)
LANES = {Lane.EVENT: "track/1", Lane.PROFILE_UPDATE: "engage/1"}


@pytest.fixture
def wide(redis: Redis) -> Wide:
    return Wide(redis, 4)


def in_flight(wide: Wide, index: int) -> None:
    """One leased, one parked, one dead, some in lanes and some in the list."""
    wide.route(index, *(event(f"e{index}.{i}") for i in range(3)))
    _leased, parked, dead = (wide.take(limits=ONE) for _ in range(3))
    wide.park(parked, Park("later"), sent=False)
    wide.bury(dead)
    wide.route(index, event("lane"), update("p"))
    wide.push(index, event("list"))


def drain(wide: Wide, queue: Queue) -> None:
    """One worker delivers whatever there is."""
    queue.end_leases("worker", died=False)
    for bench in wide.benches:
        bench.due()
    worked = True
    while worked:
        worked = queue.route()[0] > 0
        for lane, destination in LANES.items():
            while isinstance(batch := wide.reserve(lane, by=queue, destination=destination), Batch):
                settlement = Settlement(
                    delivered="all", sent=True, accepted=True, destination=destination
                )
                queue.settle(batch, settlement)
                worked = True


def test_a_queue_is_one_partition_until_more_are_announced(queue: Queue) -> None:
    assert queue.refresh() == 1
    assert queue.announce() == 1


def test_what_is_announced_only_grows(redis: Redis) -> None:
    assert Queue(redis, partitions=4).announce() == 4
    assert Queue(redis, partitions=2).announce() == 4
    assert Queue(redis, partitions=1).refresh() == 4
    assert Queue(redis, partitions=8).announce() == 8


def test_two_partitions_become_four_with_messages_in_flight(wide: Wide, redis: Redis) -> None:
    old = Queue(redis, partitions=2)
    old.announce()
    for index in (0, 1):
        in_flight(wide, index)
    wide.queue.announce()
    for index in (2, 3):
        in_flight(wide, index)
    before = wide.queue.books()
    assert (before.waiting, before.dead, before.difference) == (20, 4, 0)
    drain(wide, old)
    after = old.books()
    assert (after.waiting, after.dead, after.difference) == (0, 4, 0)
    assert (after.totals["received"], after.totals["delivered"]) == (24, 20)


def test_four_partitions_that_are_one_again_are_drained(wide: Wide, redis: Redis) -> None:
    wide.queue.announce()
    for index in range(4):
        in_flight(wide, index)
    late = Queue(redis)
    assert late.announce() == 4
    drain(wide, late)
    books = Queue(redis).books()
    assert (books.waiting, books.dead, books.difference) == (0, 4, 0)


def test_whoever_reserves_from_several_takes_notice_of_more(wide: Wide, redis: Redis) -> None:
    old = Queue(redis, partitions=2)
    wide.queue.announce()
    wide.route(3, event("new"))
    wide.refused(by=old)
    assert wide.take(by=old).partition == 3


def test_the_end_of_a_worker_ends_its_leases_in_partitions_its_parent_never_saw(
    wide: Wide, redis: Redis
) -> None:
    parent = Queue(redis)
    wide.queue.announce()
    wide.route(3, event("a"))
    wide.take(owner="horse")
    assert parent.end_leases("horse", died=True) == (1, 1)


def test_a_pause_of_before_holds_what_is_new_back(wide: Wide, redis: Redis) -> None:
    old = Queue(redis)
    old.push([event("a")])
    old.route()
    batch = wide.take(by=old)
    wide.park(batch, outage())
    wide.queue.announce()
    wide.route(3, event("b"))
    wide.refused()


def test_other_threads_go_on_while_it_grows(redis: Redis) -> None:
    queue = Queue(redis)
    errors: list[Exception] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            try:
                queue.books()
                queue.end_leases("nobody", died=False)
            except Exception as error:  # noqa: BLE001 - the test's to tell
                errors.append(error)

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for partitions in range(2, 33):
        Queue(redis, partitions=partitions).announce()
        queue.refresh()
    over.set()
    for thread in threads:
        joined(thread)
    assert errors == []
    assert queue.refresh() == 32
    assert len(set(queue.lists)) == len(queue.lists) == 32


def test_a_name_with_a_tag_has_no_partitions(redis: Redis) -> None:
    with pytest.raises(ConfigurationError, match="hash tag"):
        Queue(redis, "{tag}:events", partitions=2)


def test_a_number_of_a_partition_that_never_was_is_nobodys(queue: Queue) -> None:
    assert queue.replay([Number("7-1")]) == 0
