"""A failover may lose what was not copied: the doctor asks what a primary waits for."""

from collections.abc import Iterator

import pytest

from mixrelay.console.doctor import server
from mixrelay.console.doctor.findings import Finding
from tests.support.fleet import wait_until
from tests.support.redis_servers import RedisServer


@pytest.fixture
def primary() -> Iterator[RedisServer]:
    with RedisServer() as running:
        yield running


@pytest.fixture
def replicated(primary: RedisServer) -> Iterator[RedisServer]:
    with RedisServer(replicaof=f"127.0.0.1 {primary.port}", repl_diskless_sync_delay=0):
        wait_until(lambda: connected(primary), 30, "a replica")
        yield primary


def connected(primary: RedisServer) -> bool:
    slave = primary.client.info("replication").get("slave0")
    return bool(slave) and slave["state"] == "online"


def about_replicas(primary: RedisServer) -> Finding:
    [found] = [one for one in server.check_server(primary.url, "q") if one.check == "replicas"]
    return found


def test_a_primary_that_waits_for_no_replica_is_warned_about(replicated: RedisServer) -> None:
    found = about_replicas(replicated)
    assert found.level == "warning"
    assert "min-replicas-to-write 0" in found.found
    assert "CONFIG SET min-replicas-to-write 1" in found.todo
    replicated.client.config_set("min-replicas-to-write", 1)
    assert about_replicas(replicated).level == "ok"


def test_a_primary_alone_is_told_to_be_alone(primary: RedisServer) -> None:
    found = about_replicas(primary)
    assert (found.level, found.found) == ("ok", "None: the machine's loss is the queue's.")
