"""Redis fills up, is emptied, comes back with less, or holds what is not ours."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.producer import QueueRefusedError, RedisSink, Tracker
from mixrelay.producer.errors import DeliveryError
from mixrelay.sandbox import Sandbox
from mixrelay.shared.queue import Queue
from tests.chaos.ledger import Findings, Ledger, number_of
from tests.chaos.partitioned import one_and_several
from tests.support.fleet import Fleet, wait_until
from tests.support.redis_servers import RedisServer
from tests.support.traffic import TOKEN

Tell = Callable[[str, Findings], None]
Size = Callable[[int, int], int]

SMALL = {"MIXRELAY_BATCH_RECORDS": "100", "MIXRELAY_LINGER": "0.1"}

UNKNOWN = b'["nothing of ours","{}"]'
"""Dies as `malformed`."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with RedisServer(appendonly="yes", appendfsync="always") as running:
        yield running


@pytest.fixture
def redis_url(server: RedisServer) -> str:
    return server.url


@pytest.mark.timeout(200)
@one_and_several
def test_a_full_redis_refuses_producers_clearly_and_is_drained(
    *,
    server: RedisServer,
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    size: Size,
    tell: Tell,
    tmp_path: Path,
) -> None:
    ledger.push(size(10_000, 60_000))  # enough that scripts and buffers weigh little
    ledger.queue.push([UNKNOWN] * 20)
    server.client.config_set("maxmemory", server.client.info("memory")["used_memory"] - 100_000)
    told: list[DeliveryError] = []
    sink = RedisSink(server.url, spool_dir=str(tmp_path / "spool"))
    tracker = Tracker(TOKEN, sink=sink, error_handler=told.append)
    for number in range(ledger.count, ledger.count + 100):
        assert tracker.track("user", "Tracked", {"n": number})
    ledger.note(100)
    assert isinstance(told[0], QueueRefusedError)
    assert told[0].spooled
    assert "It is full: let the workers drain it" in str(told[0])
    assert sink.counters.as_dict()["spooled"] == 100

    fleet = fleet_of(**SMALL)
    fleet.start(1)
    fleet.wait_until_drained(90)
    assert ledger.queue.books().dead == 20
    pid = fleet.workers[0].process.pid
    wait_until(lambda: emptied(tracker, sink, ledger), 30, "an empty spool")
    fleet.wait_until_drained(60)
    sink.close()
    assert fleet.workers[0].process.poll() is None
    assert fleet.workers[0].process.pid == pid
    found = ledger.findings()
    assert (found.lost, found.doubled, found.books, found.dead) == (0, 0, 0, 20), found
    tell("maxmemory reached: spooled, drained, buried", found)


def emptied(tracker: Tracker, sink: RedisSink, ledger: Ledger) -> bool:
    """Whether all that was spooled is pushed; later calls of a producer do that."""
    fates = sink.counters.as_dict()
    if fates["drained"] == fates["spooled"]:
        return True
    tracker.track("user", "Tracked", {"n": ledger.count})
    ledger.note(1)
    time.sleep(0.1)
    return False


@pytest.mark.timeout(200)
def test_workers_outlive_a_redis_that_is_emptied_under_them(
    server: RedisServer, fleet_of: Callable[..., Fleet], ledger: Ledger, size: Size, tell: Tell
) -> None:
    ledger.mixpanel.fault("latency", seconds=0.2)
    ledger.push(size(5_000, 50_000))
    fleet = fleet_of(**SMALL)
    fleet.start(2)
    pids = [worker.process.pid for worker in fleet.workers]
    for _ in range(size(2, 10)):
        wait_until(lambda: ledger.queue.books().in_flight > 0, 30, "something in flight")
        server.client.flushall()
        ledger.push(1_000)
    last = range(ledger.count - 1_000, ledger.count)
    fleet.wait_until_drained(60)
    assert [worker.process.pid for worker in fleet.workers if worker.process.poll() is None] == pids
    for worker in fleet.workers:
        assert "Traceback" not in worker.text(), worker.tail()
    arrived = set(map(number_of, [*ledger.mixpanel.events, *ledger.mixpanel.updates]))
    assert arrived.issuperset(last)
    assert ledger.queue.books().difference == 0
    tell("FLUSHALL under load (lost is what it deleted)", ledger.findings())


@pytest.mark.timeout(200)
def test_a_truncated_aof_leads_to_a_resend_and_no_half_state(
    server: RedisServer, fleet_of: Callable[..., Fleet], ledger: Ledger, size: Size, tell: Tell
) -> None:
    ledger.mixpanel.fault("latency", seconds=0.15)
    ledger.push(size(5_000, 50_000))
    fleet = fleet_of(**SMALL, MIXRELAY_LEASE="4", MIXRELAY_EXTEND_EVERY="1", MIXRELAY_DEADLINE="2")
    pids = [worker.process.pid for worker in fleet.start(2)]
    for cut in range(size(2, 10)):
        before = ledger.queue.books().totals["delivered"]
        wait_until(
            lambda before=before: ledger.queue.books().totals["delivered"] > before + 400,
            30,
            "deliveries",
        )
        server.kill()
        truncate(server, 1_500 + 700 * cut)
        server.start()
        assert ledger.queue.books().difference == 0
    fleet.wait_until_drained(90)
    assert [worker.process.pid for worker in fleet.workers if worker.process.poll() is None] == pids
    tell("AOF truncated", ledger.check())


@pytest.mark.timeout(200)
@one_and_several
def test_a_snapshot_that_is_older_leads_to_a_resend_and_no_half_state(
    fleet_of: Callable[..., Fleet], ledger: Ledger, server: RedisServer, size: Size, tell: Tell
) -> None:
    server.client.config_set("appendonly", "no")
    server.config |= {"appendonly": "no"}
    ledger.mixpanel.fault("latency", seconds=0.15)
    ledger.push(messages := size(5_000, 50_000))
    fleet = fleet_of(**SMALL, MIXRELAY_LEASE="4", MIXRELAY_EXTEND_EVERY="1", MIXRELAY_DEADLINE="2")
    pids = [worker.process.pid for worker in fleet.start(2)]

    def wait_for_share(share: float) -> None:
        done = lambda: ledger.queue.books().totals["delivered"] > share * messages  # noqa: E731
        wait_until(done, 60, f"{share:.0%} delivered")

    wait_for_share(0.2)
    server.client.save()
    wait_for_share(0.5)
    server.kill()
    server.start()
    again = ledger.queue.books()
    assert again.totals["delivered"] < 0.5 * messages, "what was delivered since is forgotten"
    assert again.difference == 0
    fleet.wait_until_drained(90)
    assert [worker.process.pid for worker in fleet.workers if worker.process.poll() is None] == pids
    assert ledger.mixpanel.duplicates, "it is sent again, and Mixpanel folds it"
    tell("Redis back from an older snapshot", ledger.check())


def truncate(server: RedisServer, size: int) -> None:
    (file,) = (server.folder / "appendonlydir").glob("*.incr.aof")
    kept = file.stat().st_size - size
    with file.open("r+b") as opened:
        opened.truncate(kept)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("name", ["lane:event", "batches", "letters", "totals"])
def test_a_foreign_value_on_a_key_is_said_and_never_overwritten(
    *,
    server: RedisServer,
    fleet_of: Callable[..., Fleet],
    redis: Redis,
    mixpanel: Sandbox,
    tell: Tell,
    name: str,
) -> None:
    ledger = Ledger(Queue(redis), mixpanel)  # whose books cannot be watched meanwhile
    key = f"{{mixpanel_queue}}:{name}"
    server.client.set(key, "someone else's")
    ledger.push(300)
    ledger.queue.push([UNKNOWN])
    fleet = fleet_of(**SMALL)
    (worker,) = fleet.start(1)
    pid = worker.process.pid
    wait_until(lambda: "holds a string" in worker.text(), 15, f"a word about {key}")
    assert key in worker.text()
    assert server.client.get(key) == b"someone else's"
    server.client.delete(key)
    fleet.wait_until_drained(60)
    assert (worker.process.pid, worker.process.poll()) == (pid, None)
    assert "Traceback" not in worker.text(), worker.tail()
    tell("a foreign value on a key of ours", ledger.check(dead=1))
