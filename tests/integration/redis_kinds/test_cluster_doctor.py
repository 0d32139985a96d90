"""What the commands say of a cluster: whole, and in every way that needs an operator."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.console.doctor import server
from mixrelay.console.doctor.findings import Finding
from mixrelay.shared import rights
from mixrelay.shared.connection import connect, masters
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.base.keys import partition_name
from tests.integration.redis_kinds.conftest import Parties
from tests.support.fleet import wait_until
from tests.support.private_ca import PrivateCa
from tests.support.redis_cluster import RedisCluster
from tests.support.tls_proxy import TlsProxy
from tests.support.traffic import mixed

QUEUE = "mixpanel_queue"


@pytest.fixture(scope="module")
def well() -> Iterator[RedisCluster]:
    """With replicas, and all that the doctor asks for; each test puts right what it spoils."""
    settings = {"appendonly": "yes", "maxmemory": 2**30, "min_replicas_to_write": 1}
    with RedisCluster(replicas=1, **settings) as cluster:
        yield cluster


@pytest.fixture
def cluster(well: RedisCluster) -> RedisCluster:
    with connect(well.url) as client:
        for master in masters(client).values():
            master.flushall()
    return well


def of_server(cluster: RedisCluster, partitions: int = 1) -> dict[str, Finding]:
    found = {one.check: one for one in server.check_server(cluster.url, QUEUE, partitions)}
    assert len(found) > 5, found
    return found


def wrong(found: dict[str, Finding]) -> dict[str, str]:
    return {check: str(one.level) for check, one in found.items() if one.level != "ok"}


def test_a_cluster_that_is_well_leaves_nothing_to_do(cluster: RedisCluster) -> None:
    found = of_server(cluster)
    assert wrong(found) == {}
    assert found["slots"].found == "All 16,384 are served."
    assert found["version"].found.startswith("All 3 masters: ")
    assert found["replicas"].found == "All 3 masters: 1 connected, 1 needed to write."


def test_what_one_master_lacks_is_said_of_that_one(cluster: RedisCluster) -> None:
    odd = cluster.master_of(QUEUE)
    odd.client.config_set("maxmemory-policy", "allkeys-lru")
    odd.client.config_set("cluster-require-full-coverage", "yes")
    try:
        found = list(server.check_server(cluster.url, QUEUE))
    finally:
        odd.client.config_set("maxmemory-policy", "noeviction")
        odd.client.config_set("cluster-require-full-coverage", "no")
    [policy, coverage] = [one for one in found if one.level != "ok"]
    assert (policy.check, policy.level) == ("eviction", "error")
    assert policy.found.startswith(f"127.0.0.1:{odd.port}: A full Redis deletes messages")
    assert (coverage.check, coverage.level) == ("coverage", "warning")
    assert "CONFIG SET cluster-require-full-coverage no" in coverage.todo


def test_a_list_that_no_worker_knows_is_found(cluster: RedisCluster) -> None:
    with connect(cluster.url) as client:
        Queue(client, QUEUE, partitions=3).announce()
        assert of_server(cluster)["partitions"].found == "3, and nothing beyond them."
        client.rpush(partition_name(QUEUE, 4), b"x", b"y")
        found = of_server(cluster, partitions=4)["partitions"]
    assert found.level == "error"
    assert found.found.startswith(f"2 messages in {QUEUE}.4: workers know of 3 partitions")
    assert found.todo.startswith("Set MIXRELAY_PARTITIONS to at least 5 for the workers")


@pytest.mark.parametrize(("known", "stray"), [(1, 63), (40, 45)])
def test_a_list_far_beyond_what_workers_know_is_found_too(
    known: int, stray: int, redis: Redis, redis_url: str
) -> None:
    Queue(redis, QUEUE, partitions=known).announce()
    redis.rpush(partition_name(QUEUE, stray), b"x")
    found = {one.check: one for one in server.check_server(redis_url, QUEUE, known)}["partitions"]
    assert found.found.startswith(f"1 message in {QUEUE}.{stray}: workers know of {known} partit")


def test_before_the_first_worker_doctor_asks_for_one(redis: Redis, redis_url: str) -> None:
    redis.rpush(partition_name(QUEUE, 2), b"x")
    found = {one.check: one for one in server.check_server(redis_url, QUEUE, 3)}["partitions"]
    assert found.todo.startswith("Start the workers, or restart them")


def test_a_master_without_its_replica_and_then_without_itself(
    cluster: RedisCluster, parties: Parties, redis_url: str
) -> None:
    key = next(name for name in "abcdef" if cluster.master_of(name) is not cluster.master_of(QUEUE))
    master = cluster.master_of(key)
    slot = cluster.slot_of(key)
    replica = cluster.replica_of(master)
    replica.kill()
    wait_until(lambda: not master.client.info("replication")["connected_slaves"], 10, "a loss")
    try:
        found = of_server(cluster)
        assert wrong(found) == {"replicas": "warning", "writes": "error"}, "it wants one"
        assert found["replicas"].found.startswith(f"127.0.0.1:{master.port}: None: while it is")
        master.kill()
        wait_until(lambda: "slots" in wrong(of_server(cluster)), 20, "lost slots")
        found = of_server(cluster)
        assert wrong(found) == {"slots": "error", "master": "error"}
        assert found["master"].found.startswith(f"127.0.0.1:{master.port}: Away: ")
        # What lies on the others goes on, and can be begun.
        parties.environment["MIXRELAY_RQ_REDIS_URL"] = redis_url
        with connect(cluster.url) as client:
            Queue(client, QUEUE).push([*mixed(30)])
        assert f"node 127.0.0.1:{master.port}: " in parties.call(cluster.url, "worker", "--burst")
        told = json.loads(parties.call(cluster.url, "status", "--json"))
        assert told["totals"]["delivered"] == 30
    finally:
        master.start()
        replica.start()
        wait_until(cluster.agrees, 20, "a whole cluster")
    assert cluster.at_slot(slot) in (master, replica)


@pytest.mark.parametrize("command", [("worker", "--burst"), ("status",)])
def test_rqs_own_keys_need_a_server(
    cluster: RedisCluster, parties: Parties, command: tuple[str, ...]
) -> None:
    url = cluster.url.replace("://", "://:secret@")
    said = " ".join(parties.call(url, *command, expect=2).split())
    assert "RQ's own keys need one server: set MIXRELAY_RQ_REDIS_URL" in said
    assert "secret" not in said


def test_a_node_of_a_cluster_is_no_server_of_its_own(
    cluster: RedisCluster, parties: Parties
) -> None:
    url = f"redis://127.0.0.1:{cluster.servers[0].port}"
    said = " ".join(parties.call(url, "worker", "--burst", expect=2).split())
    assert "is a node of a cluster" in said
    assert "write redis+cluster://host1,host2 in MIXRELAY_REDIS_URL" in said
    [role] = [one for one in server.check_server(url, QUEUE) if one.check == "role"]
    assert role.level == "error"
    assert "redis+cluster://host1,host2" in role.todo


def test_a_server_is_no_cluster(redis_url: str, parties: Parties) -> None:
    url = redis_url.replace("redis://", "redis+cluster://")
    parties.environment["MIXRELAY_RQ_REDIS_URL"] = redis_url
    for command, code in (("worker", 2), ("status", 4)):
        said = " ".join(parties.call(url, command, expect=code).split())
        assert "is no node of a cluster; write redis:// in MIXRELAY_REDIS_URL" in said


RIGHTS = "+asking +cluster|slots"


@pytest.mark.parametrize("granted", [RIGHTS, ""])
def test_a_worker_of_few_rights_needs_two_more_on_a_cluster(
    redis_url: str, parties: Parties, granted: str
) -> None:
    rules = rights.WORKER.rules(QUEUE)
    parties.environment["MIXRELAY_RQ_REDIS_URL"] = redis_url
    with RedisCluster(acl=f"user worker on >change-me {rules} {granted}") as cluster:
        url = cluster.url.replace("://", "://worker:change-me@")
        if not granted:
            said = " ".join(parties.call(url, "worker", "--burst", expect=2).split())
            assert "does not let this user work" in said
            assert "cluster|slots" in said
            return
        with connect(cluster.url.replace("://", "://root:root@")) as client:
            queue = Queue(client, QUEUE)
            queue.push([*mixed(30)])
            parties.call(url, "worker", "--burst")
            assert queue.books().totals["delivered"] == 30
        assert [server.client.acl_log() for server in cluster.servers] == [[], [], []]


def test_the_guide_names_these_rights() -> None:
    guide = Path(__file__).parents[3] / "docs" / "redis.md"
    assert all(f"`{right}`" in guide.read_text(encoding="utf-8") for right in RIGHTS.split())


def test_by_tls_with_a_private_authority(ca: PrivateCa, parties: Parties, redis_url: str) -> None:
    certificate = ca.issue("localhost", "127.0.0.1")
    proxies: list[TlsProxy] = []

    def announced(port: int) -> int:
        proxies.append(TlsProxy(certificate, port))
        return proxies[-1].port

    parties.environment["MIXRELAY_RQ_REDIS_URL"] = redis_url
    try:
        with RedisCluster(announced=announced) as cluster:
            hosts = ",".join(f"127.0.0.1:{proxy.port}" for proxy in proxies[:2])
            parties.go_the_whole_way(f"rediss+cluster://{hosts}?ssl_ca_certs={ca.file}")
            assert sum(server.client.dbsize() > 0 for server in cluster.servers) == 1
            said = parties.call(f"rediss+cluster://{hosts}", "status", expect=4)
            assert "shows a certificate that is not trusted" in " ".join(said.split())
    finally:
        for proxy in proxies:
            proxy.close()
