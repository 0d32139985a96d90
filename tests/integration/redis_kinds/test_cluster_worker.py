"""A worker drains a queue that lies on a cluster: its slot moves meanwhile, its master dies."""

import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect, node_of
from mixrelay.shared.queue import Queue
from tests.chaos.ledger import number_of
from tests.support.fleet import Fleet, wait_until
from tests.support.redis_cluster import RedisCluster
from tests.support.traffic import mixed, push

QUEUE = "mixpanel_queue"
MESSAGES = 3_000


@pytest.fixture
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster(replicas=1, appendonly="yes") as running:
        yield running


@pytest.fixture
def fleet(
    cluster: RedisCluster, redis_url: str, mixpanel: Sandbox, tmp_path: Path
) -> Iterator[Fleet]:
    running = Fleet(
        cluster.url,
        mixpanel.url,
        tmp_path,
        MIXRELAY_RQ_REDIS_URL=redis_url,
        MIXRELAY_BATCH_RECORDS="50",
        MIXRELAY_LINGER="0.05",
    )
    yield running
    running.close()
    running.queue.redis.close()


def arrived(mixpanel: Sandbox) -> set[int | None]:
    return {number_of(arrival.record) for arrival in mixpanel.arrivals}


def is_drained(queue: Queue) -> bool:
    """Passes over the first call after a failover, which still meets the dead master."""
    with suppress(RedisError):
        return queue.books().waiting == 0
    return False


@pytest.mark.timeout(120)
def test_a_slot_that_moves_and_a_master_that_dies_lose_nothing(
    cluster: RedisCluster, fleet: Fleet, mixpanel: Sandbox
) -> None:
    mixpanel.fault("latency", seconds=0.05)
    with connect(cluster.url) as client:
        queue = Queue(client)
        slot, to = cluster.slot_of(QUEUE), cluster.other_than(cluster.master_of(QUEUE))
        [worker] = fleet.start()
        assert push(queue, mixed(MESSAGES)) == MESSAGES
        wait_until(lambda: len(mixpanel.arrivals) > MESSAGES / 10, 20, f"a start\n{worker.tail()}")

        cluster.begin_to_move(slot, to)
        while cluster.move_keys(slot, to, most=3):
            time.sleep(0.05)  # the worker meets it as it is
        cluster.end_move(slot, to)
        seen = len(mixpanel.arrivals)
        wait_until(lambda: len(mixpanel.arrivals) > seen, 20, f"more to come\n{worker.tail()}")
        assert queue.books().waiting > 0

        push(queue, mixed(MESSAGES, start=MESSAGES))
        # What no replica has is lost with its master, on a cluster as anywhere.
        assert node_of(client, QUEUE).wait(1, 5_000) == 1
        assert cluster.fail_over(cluster.master_of(QUEUE)) is not to
        wait_until(lambda: is_drained(queue), 30, f"drained\n{worker.tail()}")
        books = queue.books()
        assert books.difference == 0
        assert books.totals["received"] == 2 * MESSAGES
        assert arrived(mixpanel) == set(range(2 * MESSAGES))
        assert worker.terminate(20) == 0
