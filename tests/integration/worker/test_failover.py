"""A failover by proxy or name: the old server stays reachable on old connections, as a replica."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mixrelay.producer import Tracker
from mixrelay.sandbox import Sandbox
from tests.support.faultproxy import FaultProxy
from tests.support.fleet import Fleet, wait_until
from tests.support.redis_servers import RedisServer

pytestmark = pytest.mark.timeout(180)

TOKEN = "00112233445566778899aabbccddeeff"


@pytest.fixture
def pair() -> Iterator[tuple[RedisServer, RedisServer]]:
    with RedisServer() as first, RedisServer() as second:
        second.follow(first)
        wait_until(
            lambda: second.client.info("replication")["master_link_status"] == "up", 30, "a replica"
        )
        yield first, second


def test_workers_their_queues_and_commands_follow_to_the_new_primary(
    pair: tuple[RedisServer, RedisServer], mixpanel: Sandbox, tmp_path: Path
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
            [worker] = fleet.start()
            assert all(tracker.track("1", f"Before {n}") for n in range(50))
            fleet.wait_until_drained(60)
            first.client.wait(1, 10_000)
            second.follow(None)
            proxy.lead_to(second.url)
            first.follow(second)
            wait_until(lambda: first.client.info("replication")["role"] == "slave", 30, "replica")
            assert all(tracker.track("1", f"After {n}") for n in range(50))
            assert tracker.counters.queued == 100
            assert tracker.counters.unanswered == 0
            assert heard == []
            names = {f"{when} {n}" for when in ("Before", "After") for n in range(50)}
            wait_until(lambda: {one["event"] for one in mixpanel.events} == names, 60, "all events")
            assert len(mixpanel.events) == 100
            fleet.wait_until_drained(60)
            assert worker.text().count("Traceback") == 0, worker.text()
            assert worker.process.poll() is None
        finally:
            fleet.close()
