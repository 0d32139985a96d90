"""Workers of a queue with several partitions."""

from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.base.keys import partition_name
from tests.support.works import Works, event, update, wait_until

PARTITIONS = 3


def push(works: Works, index: int, *tuples: bytes) -> None:
    works.queue.redis.rpush(partition_name(works.queue.name, index), *tuples)


def test_a_worker_drains_all_partitions_and_announces_them(works: Works) -> None:
    works.start(MIXRELAY_PARTITIONS=str(PARTITIONS))
    wait_until(lambda: works.queue.refresh() == PARTITIONS, "the announcement")
    for index in range(PARTITIONS):
        push(works, index, *(event(f"u{index}.{n}") for n in range(20)))
    works.box.wait_for(lambda box: len(box.events) == 20 * PARTITIONS)
    works.wait_until_all_is_settled()
    books = works.books
    assert (books.totals["delivered"], books.difference) == (20 * PARTITIONS, 0)


def test_a_worker_of_one_partition_drains_those_that_others_announce(works: Works) -> None:
    works.start()
    push(works, 0, event("first"))
    works.box.wait_for(lambda box: len(box.events) == 1)
    Queue(works.queue.redis, works.queue.name, partitions=PARTITIONS).announce()
    for index in range(PARTITIONS):
        push(works, index, event(f"later {index}"))
    works.box.wait_for(lambda box: len(box.events) == 1 + PARTITIONS)


def test_updates_of_a_profile_stay_in_order_in_each_partition(works: Works) -> None:
    for index in range(PARTITIONS):
        push(works, index, *(update(f"p{index}", **{"$set": {"n": n}}) for n in range(60)))
    for _ in range(2):
        works.start(MIXRELAY_PARTITIONS=str(PARTITIONS), MIXRELAY_BATCH_RECORDS="7")
    works.queue.refresh()
    wait_until(lambda: works.books.totals["delivered"] == 60 * PARTITIONS, "all")
    for index in range(PARTITIONS):
        seen = [one["$set"]["n"] for one in works.box.updates if one["$distinct_id"] == f"p{index}"]
        assert seen == list(range(60))


def test_a_failure_in_one_partition_holds_all_back_until_one_has_probed(works: Works) -> None:
    works.box.fault("status", status=503)
    works.start(MIXRELAY_PARTITIONS=str(PARTITIONS), MIXRELAY_BACKOFF_BASE="0.5")
    wait_until(lambda: works.queue.refresh() == PARTITIONS, "the announcement")
    push(works, 1, event("one"))
    wait_until(lambda: bool(works.books.paused), "the pause")
    for index in range(PARTITIONS):
        push(works, index, event(f"behind {index}"))
    wait_until(lambda: works.books.paused[0].failures >= 3, "probes that fail")
    works.box.clear_faults()
    works.box.wait_for(lambda box: len(box.events) == 1 + PARTITIONS)
    works.wait_until_all_is_settled()
    assert works.books.paused == ()
