"""A failover by proxy or name: the old server stays reachable on old connections."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from redis import Redis, exceptions

from mixrelay.console.status.fleet import workers as workers_seen
from mixrelay.producer import Tracker
from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from tests.support.faultproxy import FaultProxy
from tests.support.fleet import Fleet, wait_until
from tests.support.redis_servers import RedisServer

pytestmark = pytest.mark.timeout(180)

TOKEN = "00112233445566778899aabbccddeeff"
SECONDS = 15.0
"""Within which all goes on; the workers' own backoff is two seconds at most."""

Demote = Callable[[RedisServer, RedisServer], None]


def demoted(first: RedisServer, second: RedisServer) -> None:
    """READONLY, and it has whatever the new primary has."""
    first.follow(second)
    wait_until(lambda: first.client.info("replication")["role"] == "slave", 30, "a replica")


def orphaned(first: RedisServer, _second: RedisServer) -> None:
    """A replica that finds no primary and serves nothing meanwhile: MASTERDOWN."""
    first.client.config_set("replica-serve-stale-data", "no")
    first.client.replicaof("127.0.0.1", "1")


def isolated(first: RedisServer, _second: RedisServer) -> None:
    """It still takes itself for the primary, and its replicas have another: NOREPLICAS."""
    first.client.config_set("min-replicas-to-write", 1)


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    with RedisServer(repl_diskless_sync_delay=0) as first, RedisServer() as second:
        second.follow(first)
        wait_until(
            lambda: second.client.info("replication")["master_link_status"] == "up", 30, "a replica"
        )
        yield first, second


def beats(server: RedisServer) -> dict[bytes, datetime]:
    """When each worker that RQ knows there was heard of last."""
    redis: Redis = server.client
    return {
        key: datetime.fromisoformat(redis.hget(key, "last_heartbeat").decode()).replace(tzinfo=UTC)
        for key in redis.smembers("rq:workers")
        if redis.hexists(key, "last_heartbeat")
    }


def not_spooled(tracker: Tracker) -> bool:
    return tracker.counters.drained == tracker.counters.spooled


def arrived(mixpanel: Sandbox) -> list[str]:
    return [str(one["event"]) for one in mixpanel.events if one["event"] != "Late"]


@pytest.mark.parametrize("demote", [demoted, isolated])
def test_workers_their_queues_and_commands_follow_to_the_new_primary(
    pair: tuple[RedisServer, RedisServer], mixpanel: Sandbox, tmp_path: Path, demote: Demote
) -> None:
    first, second = pair
    heard: list[Exception] = []
    with FaultProxy(first.url) as proxy:
        fleet = Fleet(proxy.url, mixpanel.url, tmp_path, MIXRELAY_LINGER="0.05")
        tracker = Tracker(
            TOKEN,
            redis_url=proxy.url,
            queue="mixpanel_queue",
            error_handler=heard.append,
            timeout=5,
            connect_timeout=5,
            spool_dir=str(tmp_path / "spool"),
        )
        try:
            fleet.start(2)
            assert all(tracker.track("1", f"Before {n}") for n in range(50))
            fleet.wait_until_drained(60)
            wait_until(lambda: len(beats(first)) == 2, 60, "two workers that RQ knows")
            first.client.wait(1, 10_000)
            second.follow(None)
            proxy.lead_to(second.url)
            demote(first, second)
            moved = datetime.now(UTC)
            assert all(tracker.track("1", f"After {n}") for n in range(50))
            if demote is isolated:  # refused and spooled, until a later call finds the new one
                wait_until(
                    lambda: tracker.track("1", "Late") and not_spooled(tracker), 30, "a push"
                )
            else:
                assert tracker.counters.queued == 100
                assert heard == []
            assert tracker.counters.unanswered == 0
            names = {f"{when} {n}" for when in ("Before", "After") for n in range(50)}
            wait_until(lambda: set(arrived(mixpanel)) == names, SECONDS, "all events")
            assert len(arrived(mixpanel)) == 100
            fleet.wait_until_drained(60)
            wait_until(
                lambda: sum(beat > moved for beat in beats(second).values()) == 2,
                60,
                "both workers' signs of life on the new primary",
            )
            seen = workers_seen(proxy.url, "mixrelay")
            assert seen is not None
            assert len(seen) == 2
            for worker in fleet.workers:
                assert worker.text().count("Traceback") == 0, worker.text()
                assert worker.process.poll() is None
        finally:
            fleet.close()
            tracker.close()


@pytest.mark.parametrize("demote", [demoted, orphaned, isolated])
def test_a_kept_connection_is_renewed_before_the_next_command(
    pair: tuple[RedisServer, RedisServer], demote: Demote
) -> None:
    first, second = pair
    with FaultProxy(first.url) as proxy, connect(proxy.url) as client:
        client.set("a", 1)
        second.follow(None)
        proxy.lead_to(second.url)
        demote(first, second)
        wait_until(lambda: is_set(client), 15, "a command that the new primary carries out")
        assert second.client.get("a") == b"2"


def is_set(client: Redis) -> bool:
    with suppress(exceptions.RedisError):
        return client.get("a") is not None and bool(client.set("a", 2))
    return False
