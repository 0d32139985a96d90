"""Redis goes away, hangs, loads, refuses or forgets: the same workers go on, and nothing is lost.

Here it writes each command to its file before it answers, so that it keeps all that it took.
"""

import os
import time
from collections.abc import Callable, Iterator

import pytest
from redis import Redis
from redis.exceptions import RedisError

from mixrelay.shared.connection import connect
from tests.chaos.ledger import Findings, Ledger
from tests.support.fleet import Fleet, wait_until
from tests.support.outage import Knocks, cpu_seconds
from tests.support.ports import free_port
from tests.support.redis_servers import RedisServer

Tell = Callable[[str, Findings], None]
Size = Callable[[int, int], int]

SHORT, FULL = 6_000, 60_000
QUICK = {
    "MIXRELAY_BATCH_RECORDS": "200",
    "MIXRELAY_LEASE": "4",
    "MIXRELAY_EXTEND_EVERY": "1",
    "MIXRELAY_DEADLINE": "2",
}
WORKERS = 2
KNOCKS_A_SECOND = 10
"""Of one worker: the loops of parent and horse, four senders, leases, RQ's two, each on its own
backoff of up to 1 to 5 seconds; redis-py knocks twice where a connection ends at once."""
SETTLED_SECONDS = 3.0
"""By then every backoff has grown."""
CPU_SHARE = 0.25
"""Of one core, for one worker with its horse."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer(appendonly="yes", appendfsync="always") as running:
        yield running


@pytest.fixture
def redis_url(server: RedisServer) -> str:
    return server.url


@pytest.fixture
def redis(server: RedisServer) -> Iterator[Redis]:
    """For the ledger: by the socket file, so that only workers come by the port."""
    with connect(f"unix://{server.socket}") as client:
        yield client


class Load:
    """A fleet in the middle of its work, whose processes must outlive the attack."""

    def __init__(self, fleet: Fleet, ledger: Ledger, messages: int) -> None:
        self.fleet, self.ledger, self.messages = fleet, ledger, messages
        ledger.mixpanel.fault("latency", seconds=0.15)
        ledger.push(messages)
        fleet.start(WORKERS)
        self.wait_for(0.1)
        wait_until(lambda: len(self._tree()) == 2 * WORKERS, 30, "a horse for each worker")
        self.pids = self._tree()

    def _tree(self) -> list[int]:
        return sorted(pid for worker in self.fleet.workers for pid in worker.tree())

    def wait_for(self, share: float) -> None:
        """Until that much of the messages is through."""

        def through() -> bool:
            try:
                totals = self.fleet.queue.books().totals
            except RedisError:
                return False
            return totals["delivered"] >= share * self.messages

        wait_until(through, 60, f"{share:.0%} delivered")

    def check(self) -> Findings:
        """Drains, and audits; the processes are those of the beginning."""
        self.fleet.wait_until_drained(90)
        assert self._tree() == self.pids, "a process died and was started again"
        for worker in self.fleet.workers:
            assert "Traceback" not in worker.text(), worker.tail()
        return self.ledger.check()


@pytest.fixture
def load(fleet_of: Callable[..., Fleet], ledger: Ledger, size: Size) -> Load:
    return Load(fleet_of(**QUICK), ledger, size(SHORT, FULL))


@pytest.mark.timeout(300)
def test_redis_is_killed_and_comes_back(
    server: RedisServer, load: Load, size: Size, tell: Tell
) -> None:
    for kill in range(size(2, 10)):
        load.wait_for(0.1 + 0.08 * kill)
        server.kill()
        server.start()
    tell("Redis killed, restarted from its AOF", load.check())


@pytest.mark.timeout(300)
def test_a_cut_is_outlived_without_spinning(
    server: RedisServer, load: Load, size: Size, tell: Tell
) -> None:
    seconds = size(5, 60)
    server.kill()
    with Knocks(server.port) as knocks:
        began, used = time.monotonic(), cpu_seconds(load.pids)
        time.sleep(seconds)
        used = cpu_seconds(load.pids) - used
        took = time.monotonic() - began
    server.start()
    tell(f"Redis away for {seconds} s", load.check())
    later = knocks.after(SETTLED_SECONDS) / (took - SETTLED_SECONDS) / WORKERS
    print(f"{len(knocks.times)} connections, then {later:.1f} a second a worker; CPU {used:.2f} s")
    assert knocks.times
    assert later < KNOCKS_A_SECOND
    assert used < CPU_SHARE * WORKERS * took


@pytest.mark.timeout(300)
def test_scripts_are_forgotten_under_load(server: RedisServer, load: Load, tell: Tell) -> None:
    flushed = 0
    while load.fleet.queue.books().waiting:
        server.client.script_flush()
        flushed += 1
        time.sleep(0.02)
    assert flushed > 10
    tell("SCRIPT FLUSH all the time", load.check())


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("serves_stale_data", "said"),
    [("yes", "READONLY"), ("no", "MASTERDOWN")],
    ids=["READONLY", "MASTERDOWN"],
)
def test_the_server_is_made_a_replica_and_a_primary_again(
    *, server: RedisServer, load: Load, size: Size, tell: Tell, serves_stale_data: str, said: str
) -> None:
    server.client.config_set("replica-serve-stale-data", serves_stale_data)
    # Of a server that is not there: what it has stays.
    server.client.replicaof("127.0.0.1", free_port())
    used = cpu_seconds(load.pids)
    time.sleep(seconds := size(3, 20))
    used = cpu_seconds(load.pids) - used
    server.follow(None)
    tell(f"{said}: the server was made a replica for a while", load.check())
    assert used < CPU_SHARE * WORKERS * seconds


@pytest.mark.timeout(300)
def test_redis_loads_for_a_while(server: RedisServer, load: Load, size: Size, tell: Tell) -> None:
    filler = {f"filler:{n}": os.urandom(1_000) for n in range(1_000)}
    server.client.mset(filler)
    server.client.bgrewriteaof()
    wait_until(lambda: not rewrites(server), 30, "a rewritten AOF")
    server.kill()
    server.config |= {
        "key_load_delay": size(3_000, 10_000),
        "loading_process_events_interval_bytes": 1_024,
    }
    server.start(wait=False)
    wait_until(server.is_loading, 20, "LOADING")
    began = time.monotonic()
    wait_until(server.answers, 120, "loaded")
    assert time.monotonic() - began > 1
    tell("LOADING after a restart", load.check())


def rewrites(server: RedisServer) -> bool:
    info = server.client.info("persistence")
    return bool(info["aof_rewrite_in_progress"] or info["aof_rewrite_scheduled"])


@pytest.mark.timeout(300)
def test_redis_hangs_for_longer_than_a_lease(
    server: RedisServer, load: Load, size: Size, tell: Tell
) -> None:
    with server.hung():
        time.sleep(size(6, 30))
    tell("Redis hung for longer than a lease", load.check())
