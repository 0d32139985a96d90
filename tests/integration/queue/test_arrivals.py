"""Waiting for a push: heard at once, nothing is moved by it, and it costs Redis next to nothing."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.messages.arrivals import Arrivals
from tests.support.bench import Bench, event
from tests.support.fleet import wait_until
from tests.support.redis_servers import KINDS, RedisServer

LONG = 30.0


def never() -> bool:
    return False


@pytest.fixture(params=KINDS)
def own(request: pytest.FixtureRequest) -> Iterator[RedisServer]:
    with RedisServer(KINDS[request.param]) as running:
        yield running


def queue_at(own: RedisServer, partitions: int = 1, **options: str) -> Queue:
    url = own.url_of(options["user"], "word") if options else own.url
    return Queue(connect(url), partitions=partitions)


def hear(arrivals: Arrivals) -> float:
    """Waits until a push is heard; returns how long a wait took, seconds."""
    began = time.monotonic()
    while not arrivals.wait(LONG, never):
        assert time.monotonic() - began < 2 * LONG, "nothing was heard"
    return time.monotonic() - began


def waits(own: RedisServer, count: int) -> bool:
    return int(own.client.info("clients")["blocked_clients"]) == count


def test_a_push_is_heard_by_everybody_and_moves_nothing(own: RedisServer) -> None:
    large = b"x" * 5_000_000
    queues = [queue_at(own) for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        heard = [pool.submit(hear, one.arrivals) for one in queues]
        wait_until(lambda: waits(own, 3), 30, "three that wait")
        own.client.config_resetstat()
        own.client.rpush("mixpanel_queue", b"first", b"second", large)
        assert [one.result(LONG) > 0 for one in heard] == [True] * 3
    assert own.client.lrange("mixpanel_queue", 0, -1) == [b"first", b"second", large]
    sent = own.client.info("stats")["total_net_output_bytes"]
    assert sent < 6_000_000, "the message went to the test alone"


def test_a_wait_ends_where_something_is_there_already(own: RedisServer) -> None:
    queue = queue_at(own)
    queue.push([b"x"])
    assert queue.arrivals.wait(LONG, never)
    assert not queue.arrivals.is_quiet


def test_a_wait_without_a_push_ends_in_time_and_says_that_all_is_quiet(
    own: RedisServer,
) -> None:
    queue = queue_at(own)
    assert not queue.arrivals.wait(LONG, never)
    assert queue.arrivals.is_quiet
    before = int(own.client.info("stats")["total_commands_processed"])
    for _ in range(2):
        assert not queue.arrivals.wait(LONG, never)
    after = own.client.info("everything")
    assert int(after["total_commands_processed"]) - before < 10
    assert after["rdb_changes_since_last_save"] == 0


def test_a_wait_ends_when_the_worker_is_to_stop(own: RedisServer) -> None:
    queue, over = queue_at(own), threading.Event()
    threading.Timer(0.3, over.set).start()
    began = time.monotonic()
    while not over.is_set():
        assert not queue.arrivals.wait(LONG, over.is_set)
    assert time.monotonic() - began < LONG


def test_every_partition_is_heard(own: RedisServer) -> None:
    queue = queue_at(own, partitions=4)
    assert not queue.arrivals.wait(LONG, never)
    with ThreadPoolExecutor(1) as pool:
        heard = pool.submit(hear, queue.arrivals)
        wait_until(lambda: waits(own, 4), 30, "four that wait")
        own.client.rpush("mixpanel_queue.3", b"x")
        assert heard.result(LONG) > 0


@pytest.mark.parametrize("place", ["lane", "lease", "parked", "job"])
def test_it_is_not_quiet_while_anything_is_in_the_queue(
    redis: Redis, bench: Bench, place: str
) -> None:
    arrivals = bench.queue.arrivals
    arrivals.look()
    assert arrivals.is_quiet
    if place == "job":
        redis.zadd(bench.key("jobs:live"), {"some": 1})
    else:
        bench.route(event("a"))
    if place in ("lease", "parked"):
        bench.take()
        if place == "parked":
            bench.queue.end_leases(batch_owner(bench), died=False)
    arrivals.look()
    assert not arrivals.is_quiet
    arrivals.close()


def batch_owner(bench: Bench) -> str:
    [state] = bench.redis.hvals(bench.key("batches"))
    return str(json.loads(state)["owner"])


@pytest.mark.parametrize("lacking", ["client|reply", "blmove"])
def test_a_user_who_may_not_wait_looks_again_and_again(own: RedisServer, lacking: str) -> None:
    own.client.execute_command(
        "ACL", "SETUSER", "w", "on", ">word", "~*", "&*", "+@all", f"-{lacking}"
    )
    queue = queue_at(own, user="w")
    for _ in range(30):
        queue.arrivals.wait(0.01, never)
    assert queue.arrivals.refusal is not None
    began = time.monotonic()
    assert not queue.arrivals.wait(LONG, never)
    assert time.monotonic() - began < LONG / 2, "it looks by itself"


def test_a_full_redis_is_looked_at_again_and_again(own: RedisServer) -> None:
    queue = queue_at(own)
    assert not queue.arrivals.wait(LONG, never)
    own.client.config_set("maxmemory-policy", "noeviction")
    own.client.config_set("maxmemory", 1)
    began = time.monotonic()
    for _ in range(20):
        queue.arrivals.wait(0.5, never)
    assert time.monotonic() - began < LONG / 2


def test_a_server_that_becomes_a_replica_is_left(own: RedisServer) -> None:
    queue = queue_at(own)
    assert not queue.arrivals.wait(LONG, never)
    with ThreadPoolExecutor(1) as pool:
        wait = pool.submit(
            lambda: [queue.arrivals.wait(LONG, never) for _ in range(3)] and time.monotonic()
        )
        wait_until(lambda: waits(own, 1), 30, "one that waits")
        own.client.replicaof("127.0.0.1", "1")
        assert wait.result(LONG) > 0
    own.follow(None)
    own.client.rpush("mixpanel_queue", b"x")
    hear(queue.arrivals)
