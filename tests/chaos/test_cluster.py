"""A partitioned queue on a cluster of three masters: slots move, masters and workers die."""

import signal
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from mixrelay.producer import Tracker
from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.chaos.ledger import Findings, Ledger, number_of
from tests.chaos.producing import Producers, empty_spool, inversions
from tests.support.fleet import Fleet, wait_until
from tests.support.redis_cluster import RedisCluster
from tests.support.traffic import TOKEN

PARTITIONS = 5
THREADS = 8


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
        MIXRELAY_PARTITIONS=str(PARTITIONS),
        MIXRELAY_BATCH_RECORDS="100",
        MIXRELAY_LINGER="0.05",
        MIXRELAY_LEASE="5",
        MIXRELAY_EXTEND_EVERY="1",
        MIXRELAY_DEADLINE="4",
        MIXRELAY_BACKOFF_BASE="0.1",
        MIXRELAY_BACKOFF_CAP="0.5",
    )
    yield running
    running.close()


@pytest.fixture
def tracker(cluster: RedisCluster, tmp_path: Path) -> Tracker[bool]:
    """Each push is acknowledged by a replica, or the caller is told."""
    return Tracker(
        TOKEN,
        error_handler=lambda _error: None,  # the calls answer False
        redis_url=cluster.url,
        partitions=PARTITIONS,
        durability="replica",
        spool_dir=str(tmp_path / "spool"),
    )


class Scene(NamedTuple):
    cluster: RedisCluster
    fleet: Fleet
    mixpanel: Sandbox
    tracker: Tracker[bool]


@pytest.fixture
def scene(cluster: RedisCluster, fleet: Fleet, mixpanel: Sandbox, tracker: Tracker[bool]) -> Scene:
    return Scene(cluster, fleet, mixpanel, tracker)


@pytest.mark.timeout(300)
def test_a_cluster_that_is_attacked_loses_nothing_and_keeps_the_order(
    scene: Scene,
    chance: Random,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    cluster, fleet, mixpanel, tracker = scene
    queue = Queue(connect(cluster.url), partitions=PARTITIONS)
    mixpanel.fault("status", status=503, probability=0.05, seed=chance.randrange(2**32))
    fleet.start(2)
    faults: Counter[str] = Counter()
    producers = Producers(tracker, threads=THREADS, each=size(1_500, 10_000), pause=0.01)
    with Ledger(queue, mixpanel, cluster.url) as ledger:
        with producers:
            while producers.is_busy or len(faults) < len(ATTACKS):
                attack = chance.choice(ATTACKS)
                attack(cluster, queue, fleet, chance)
                faults[attack.__name__] += 1
        empty_spool(tracker, 60)
        wait_until(lambda: queue.books().waiting == 0, 120, f"drained: {queue.books()}")
        ledger.note(producers.count)
        found = ledger.findings()
    arrived = {number_of(arrival.record) for arrival in mixpanel.arrivals}
    lost, overtaken = producers.kept - arrived, inversions(mixpanel.updates)
    told = ", ".join(f"{count} x {name}" for name, count in sorted(faults.items()))
    print(
        f"{producers.count} messages on {PARTITIONS} partitions; {told}; lost {len(lost)}, "
        f"inversions per profile {dict(overtaken) or 0}; no replica acknowledged, and callers "
        f"were told so: {producers.count - len(producers.kept)}, of which {found.lost} are gone"
    )
    tell("a cluster: slots move, masters and workers die", replace(found, lost=len(lost)))
    assert not lost
    assert not overtaken
    assert (found.doubled, found.books, found.dead) == (0, 0, 0)


def move_a_slot(cluster: RedisCluster, queue: Queue, _: Fleet, chance: Random) -> None:
    """A partition moves to another master, key by key."""
    name = chance.choice(queue.lists)
    cluster.move_slot(cluster.slot_of(name), cluster.other_than(cluster.master_of(name)))


def kill_a_master(cluster: RedisCluster, queue: Queue, _: Fleet, chance: Random) -> None:
    """Its replica takes over; it comes back as a replica of that."""
    server = cluster.master_of(chance.choice(queue.lists))
    cluster.fail_over(server)
    cluster.restart(server)
    wait_until(cluster.is_replicated, 30, "a replica that follows")


def kill_a_worker(_: RedisCluster, __: Queue, fleet: Fleet, chance: Random) -> None:
    chance.choice(fleet.workers).kill_horse()


ATTACKS = (move_a_slot, kill_a_master, kill_a_worker)


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-lru", "volatile-ttl"])
def test_one_node_that_may_evict_is_refused(
    cluster: RedisCluster, fleet: Fleet, policy: str
) -> None:
    other = cluster.other_than(cluster.master_of(fleet.queue.name))
    other.client.config_set("maxmemory-policy", policy)
    [worker] = fleet.start()
    assert worker.exit_code(20) not in (0, -signal.SIGTERM)
    assert f"maxmemory-policy is {policy}" in worker.text()
    assert "Traceback" not in worker.text()
