"""Partitions on the nodes of a real cluster, of which one is killed, hangs or refuses writes."""

import logging
import time
from collections.abc import Iterable, Iterator

import pytest
from redis import Redis
from redis.exceptions import RedisError

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Batch, Nothing, Settled, Settlement
from tests.support.bench import DESTINATION, event, outage
from tests.support.fleet import wait_until
from tests.support.redis_cluster import RedisCluster
from tests.support.redis_servers import RedisServer
from tests.support.wide import Wide

PARTITIONS = 6
TIMEOUT = 1.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    with RedisCluster(3) as running:
        yield running


@pytest.fixture
def client(cluster: RedisCluster) -> Iterator[Redis]:
    for server in cluster.servers:
        server.client.flushall()
    with connect(cluster.url, timeout=TIMEOUT, connect_timeout=TIMEOUT) as opened:
        yield opened


@pytest.fixture
def wide(client: Redis) -> Wide:
    return Wide(client, PARTITIONS)


@pytest.fixture
def home(cluster: RedisCluster, wide: Wide) -> RedisServer:
    """The node of the first partition."""
    return cluster.master_of(wide.queue.name)


@pytest.fixture
def away(cluster: RedisCluster, wide: Wide, home: RedisServer) -> RedisServer:
    """Another partition's node."""
    names = (bench.queue.name for bench in wide.benches)
    return next(node for name in names if (node := cluster.master_of(name)) is not home)


def on(cluster: RedisCluster, wide: Wide, server: RedisServer) -> list[int]:
    """The partitions of a node."""
    return [
        index
        for index, bench in enumerate(wide.benches)
        if cluster.master_of(bench.queue.name) is server
    ]


def fill(wide: Wide, each: int = 1, among: Iterable[int] = range(PARTITIONS)) -> None:
    for index in among:
        wide.route(index, *(event(f"e{index}.{i}") for i in range(each)))


def drained(wide: Wide) -> set[int]:
    """Routes and delivers what there is; of which partitions it was."""
    while wide.queue.route()[0]:
        pass
    found = set()
    while isinstance(batch := wide.reserve(), Batch):
        wide.deliver(batch)
        found.add(batch.partition)
    return found


@pytest.mark.parametrize("which", ["home", "away"])
def test_a_node_that_is_killed_stops_only_its_own_partitions(
    cluster: RedisCluster, wide: Wide, request: pytest.FixtureRequest, which: str
) -> None:
    killed: RedisServer = request.getfixturevalue(which)
    its = set(on(cluster, wide, killed))
    others = set(range(PARTITIONS)) - its
    assert 0 < len(its) < PARTITIONS, "they lie on several nodes"
    fill(wide)
    killed.kill()
    assert drained(wide) == others
    fill(wide, among=others)
    assert drained(wide) == others
    assert wide.queue.reap() == (0, 0)
    cluster.restart(killed)
    fill(wide)
    found: set[int] = set()

    def all_are_back() -> bool:
        found.update(drained(wide))
        return found == set(range(PARTITIONS))

    wait_until(all_are_back, 20, "all partitions")


def test_a_node_that_hangs_takes_time_once(
    cluster: RedisCluster, wide: Wide, away: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    its = on(cluster, wide, away)
    fill(wide, 20)
    with away.hung(), caplog.at_level(logging.WARNING):
        while isinstance(wide.reserve(), Batch):
            pass
        waited = 0.0
        ends = time.monotonic() + 4
        while time.monotonic() < ends:
            began = time.monotonic()
            assert isinstance(wide.reserve(), Nothing)
            assert wide.queue.route() == (0, 0)
            took = time.monotonic() - began
            waited += took if took >= TIMEOUT else 0.0
        # One wait of it may be the machine's.
        assert waited < 2 * TIMEOUT
        told = [line for line in caplog.messages if "tried again" in line]
        assert len(told) <= 4 * len(its)
        assert {line.split()[1] for line in told} == {wide.benches[i].queue.name for i in its}
    wait_until(lambda: isinstance(wide.reserve(), Batch), 20, "its partitions")


def test_without_the_first_node_each_partition_has_a_backoff_of_its_own(
    cluster: RedisCluster, wide: Wide, home: RedisServer
) -> None:
    index = next(i for i in range(PARTITIONS) if i not in on(cluster, wide, home))
    wide.route(index, event("a"), event("b"))
    batch = wide.take()
    with home.hung():
        failed = Settlement(rest=outage(base_ms=700), sent=True, destination=DESTINATION)
        assert wide.insist(batch, failed) is not Settled.LOST
        probes: list[Batch] = []

        def probes_by_itself() -> bool:
            answer = wide.reserve()
            probes.extend([answer] if isinstance(answer, Batch) else [])
            return bool(probes)

        wait_until(probes_by_itself, 10, "a probe")
        assert probes[0].probe
        assert isinstance(wide.reserve(), Nothing)
        wide.deliver(probes[0])
    wait_until(lambda: bool(wide.queue.announce()), 10, "the first node")
    assert wide.queue.books().totals["delivered"] == 2


def test_leases_on_other_nodes_are_prolonged_and_ended_though_one_is_away(
    cluster: RedisCluster, wide: Wide, away: RedisServer
) -> None:
    fill(wide)
    held = [wide.take(lease_seconds=30) for _ in range(PARTITIONS)]
    its = on(cluster, wide, away)
    well = [batch for batch in held if batch.partition not in its]
    before = {batch.id: lease_of(wide, batch) for batch in well}
    with away.hung():
        with pytest.raises(RedisError):
            wide.queue.extend(held, 300)
        for batch in well:
            assert lease_of(wide, batch) > before[batch.id] + 200_000
        with pytest.raises(RedisError):
            wide.queue.end_leases("worker", died=False)
        assert all(lease_of(wide, batch) == 0 for batch in well)
    assert wide.queue.end_leases("worker", died=False) == (len(its), len(its))


def test_a_probe_goes_on_though_another_node_is_away(
    cluster: RedisCluster, wide: Wide, home: RedisServer, away: RedisServer
) -> None:
    well = next(i for i in on(cluster, wide, home) if i)
    wide.route(well, event("a"))
    wide.park(wide.take(), outage())
    wide.pause_over()
    probe = wide.take(lease_seconds=30)
    assert probe.probe
    fill(wide, among=on(cluster, wide, away)[:1])
    gone = wide.take(destination="engage/1")
    pause = wide.home.key(f"pause:{DESTINATION}")
    before = float(wide.home.redis.hget(pause, "probe_until") or 0)
    with away.hung(), pytest.raises(RedisError):
        wide.queue.extend([gone, probe], 300)
    assert float(wide.home.redis.hget(pause, "probe_until") or 0) > before + 200_000


def test_a_node_that_answers_and_refuses_writes_is_left_alone_for_ever_longer(
    cluster: RedisCluster, wide: Wide, away: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    refused = wide.benches[on(cluster, wide, away)[0]].queue.name
    away.client.config_set("min-replicas-to-write", 1)
    caplog.set_level(logging.INFO)

    def told() -> list[str]:
        wide.queue.route()
        said = (line.removeprefix(f"redis_away: {refused} is ") for line in caplog.messages)
        return [line.split(":")[0] for line in said if line.startswith(("tried", "back"))]

    growing = [f"tried again in {seconds} s" for seconds in (1, 2, 4)]
    try:
        wait_until(lambda: len(told()) >= len(growing), 20, "three trials")
        assert told()[: len(growing)] == growing
    finally:
        away.client.config_set("min-replicas-to-write", 0)
    wait_until(lambda: told()[-1] == "back", 20, "the node")


def lease_of(wide: Wide, batch: Batch) -> float:
    bench = wide.benches[batch.partition]
    return bench.redis.zscore(bench.key("leases"), batch.id) or 0
