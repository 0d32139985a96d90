"""Sentinels put a replica in the place of a primary that died: the fleet and producers follow."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace

import pytest
from redis.exceptions import RedisError

from mixrelay.producer import NotDurableError, QueueRefusedError, RedisSink
from mixrelay.shared.queue import Queue
from tests.chaos.ledger import Findings, Ledger
from tests.support.fleet import Fleet, wait_until
from tests.support.redis_servers import RedisServer, Sentinels
from tests.support.traffic import mixed

Tell = Callable[[str, Findings], None]
Size = Callable[[int, int], int]

SMALL = {
    "MIXRELAY_BATCH_RECORDS": "200",
    "MIXRELAY_LEASE": "4",
    "MIXRELAY_EXTEND_EVERY": "1",
    "MIXRELAY_DEADLINE": "2",
}


@pytest.fixture
def primary() -> Iterator[RedisServer]:
    with RedisServer(repl_diskless_sync_delay=0) as running:
        yield running


@pytest.fixture
def replica(primary: RedisServer) -> Iterator[RedisServer]:
    with RedisServer() as running:
        running.follow(primary)
        wait_until(lambda: link(running) == "up", 30, "a replica that has it all")
        yield running


def link(replica: RedisServer) -> str:
    return str(replica.client.info("replication")["master_link_status"])


@pytest.fixture
def redis_url(replica: RedisServer) -> str:
    """What is looked at from the beginning to the end: the one that stays."""
    return replica.url


@pytest.fixture
def sentinels(primary: RedisServer, replica: RedisServer) -> Iterator[Sentinels]:
    with Sentinels(primary) as running:
        wait_until(running.know_replica, 20, "a replica that sentinels know")
        yield running


def push(sink: RedisSink, ledger: Ledger, count: int) -> int:
    """Pushes a hundred at a time; returns how many are on the primary alone for all we know."""
    doubtful = 0
    tuples = list(mixed(count, start=ledger.count))
    for first in range(0, count, 100):
        try:
            sink.push(*tuples[first : first + 100])
        except NotDurableError:
            doubtful += len(tuples[first : first + 100])
    ledger.note(count)
    return doubtful


def fail_over(primary: RedisServer, replica: RedisServer, sentinels: Sentinels) -> None:
    primary.kill()
    wait_until(lambda: sentinels.primary_port() == replica.port, 30, "a failover")
    wait_until(lambda: replica.client.role()[0] == b"master", 30, "a new primary")


@pytest.mark.timeout(300)
def test_the_fleet_follows_a_failover_and_what_a_replica_has_is_not_lost(
    *,
    primary: RedisServer,
    replica: RedisServer,
    sentinels: Sentinels,
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    size: Size,
    tell: Tell,
) -> None:
    ledger.mixpanel.fault("latency", seconds=0.8)
    fleet = fleet_of(**SMALL, MIXRELAY_REDIS_URL=sentinels.url)
    fleet.start(2)
    # Both: one alone may have delivered enough before the other has a work-horse.
    wait_until(lambda: all(worker.horse() for worker in fleet.workers), 30, "two work-horses")
    sink = RedisSink(sentinels.url, durability="replica", timeout=2.0, spool_dir="off")
    assert push(sink, ledger, size(4_000, 40_000)) == 0
    sink.close()
    wait_until(lambda: delivered(ledger.queue) > 0.2 * ledger.count, 60, "some delivered")
    pids = [worker.tree() for worker in fleet.workers]
    fail_over(primary, replica, sentinels)
    fleet.wait_until_drained(90)
    assert [worker.tree() for worker in fleet.workers] == pids
    for worker in fleet.workers:
        assert "Traceback" not in worker.text(), worker.tail()
    tell("failover to a replica that had it all", ledger.check())


@pytest.mark.timeout(300)
def test_a_stale_replica_loses_what_it_did_not_have_and_producers_were_told(
    *,
    primary: RedisServer,
    replica: RedisServer,
    sentinels: Sentinels,
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    tell: Tell,
) -> None:
    sink = RedisSink(sentinels.url, durability="replica", timeout=0.3, spool_dir="off")
    assert push(sink, ledger, 1_000) == 0
    with replica.hung():
        # Else what is pushed now would lie in the replica's socket, and arrive.
        primary.client.execute_command("CLIENT", "KILL", "TYPE", "replica")
        doubtful = push(sink, ledger, 300)
        primary.kill()
    sink.close()
    assert doubtful == 300
    fail_over(primary, replica, sentinels)
    fleet = fleet_of(**SMALL, MIXRELAY_REDIS_URL=sentinels.url)
    fleet.start(1)
    fleet.wait_until_drained(60)
    found = ledger.findings()
    assert 0 < found.lost <= doubtful
    assert (found.doubled, found.books) == (0, 0)
    name = "failover to a stale replica (what no replica acknowledged)"
    tell(name, replace(found, messages=ledger.count))


@pytest.mark.timeout(300)
def test_with_min_replicas_to_write_a_primary_alone_takes_nothing(
    primary: RedisServer, replica: RedisServer
) -> None:
    primary.client.config_set("min-replicas-max-lag", 1)
    primary.client.config_set("min-replicas-to-write", 1)
    sink = RedisSink(primary.url, spool_dir="off")
    wait_until(lambda: takes(sink), 20, "a push while the replica is there")
    with replica.hung():
        wait_until(lambda: not takes(sink), 20, "a refusal")
    sink.close()


def takes(sink: RedisSink) -> bool:
    time.sleep(0.1)
    try:
        return bool(sink.push(b"x"))
    except QueueRefusedError as refused:
        return "NOREPLICAS" not in str(refused)


def delivered(queue: Queue) -> int:
    with suppress(RedisError):
        return queue.books().totals["delivered"]
    return 0
