"""Processes that stand still for longer than a lease and come back; many that reap at once."""

import json
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from redis import Redis

from mixrelay.sandbox import Sandbox
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Batch, Lane, Limits, Queue, new_id
from mixrelay.shared.queue.base.keys import Keys
from tests.chaos.ledger import Findings, Ledger
from tests.chaos.partitioned import one_and_several
from tests.support.fleet import Fleet, Worker, signal_all, wait_until

Tell = Callable[[str, Findings], None]
Size = Callable[[int, int], int]

SHORT_LEASES = {
    "MIXRELAY_LEASE": "3",
    "MIXRELAY_EXTEND_EVERY": "1",
    "MIXRELAY_DEADLINE": "2.5",
    "MIXRELAY_GRACE": "3",
    "MIXRELAY_LINGER": "0.05",
    "MIXRELAY_BATCH_RECORDS": "50",
    "MIXRELAY_CONCURRENCY": "4",  # so that some batches are still to be sent when others are done
    # Else the one request under way may be a token's proof, which settles nothing.
    "MIXRELAY_PROVE_TOKENS": "off",
}
GRACE = 10.0


def the_horse(worker: Worker) -> list[int]:
    return [worker.horse() or 0]


def under_way(mixpanel: Sandbox) -> int:
    """Requests that wait for their answer; the sandbox writes each down when it answers."""
    [latency] = mixpanel.state["faults"]
    return int(latency["fired"]) - len(mixpanel.requests)


def stop_in_mid_request(
    worker: Worker, stopped: Callable[[Worker], list[int]], mixpanel: Sandbox
) -> list[int]:
    """Stops processes and returns them. Between two requests they may hold nothing to take over."""
    pids: list[int] = []

    def is_done() -> bool:
        if not under_way(mixpanel):
            return False
        pids[:] = stopped(worker)
        signal_all(pids, signal.SIGSTOP)
        if under_way(mixpanel):
            return True
        signal_all(pids, signal.SIGCONT)
        return False

    wait_until(is_done, 30, "a request under way")
    return pids


def claims(queue: Queue) -> set[str]:
    """Under which batches are leased, in all partitions."""
    found: set[str] = set()
    for name in queue.lists:
        states = queue.redis.hvals(f"{Keys.of(name).root}:batches")
        found |= {claim for one in states if (claim := json.loads(one).get("claim"))}  # type: ignore[union-attr]
    return found


@pytest.mark.timeout(120)
@one_and_several
@pytest.mark.parametrize("stopped", [the_horse, Worker.tree], ids=["the horse", "the machine"])
def test_a_zombies_late_settlement_is_counted_and_takes_nothing_from_its_successor(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    size: Size,
    tell: Tell,
    stopped: Callable[[Worker], list[int]],
) -> None:
    ledger.mixpanel.fault("latency", seconds=1.5)
    fleet = fleet_of(**SHORT_LEASES)
    ledger.push(size(600, 3_000))
    [zombie] = fleet.start()
    wait_until(lambda: len(ledger.mixpanel.requests) >= 1, 30, "requests")
    pids = stop_in_mid_request(zombie, stopped, ledger.mixpanel)
    held = claims(fleet.queue)
    [successor] = fleet.start()
    # All of them: which one's request is under way is not known, and their leases end one by one.
    wait_until(lambda: not held & claims(fleet.queue), 20, "another takes over")
    assert fleet.queue.books().totals["redelivered"] > 0
    sent = len(ledger.mixpanel.requests)
    wait_until(lambda: len(ledger.mixpanel.requests) > sent, 20, "it sends what it took over")
    # Now the successor holds, and is sending, what the zombie still believes to be its own.
    signal_all(pids, signal.SIGCONT)
    wait_until(lambda: fleet.queue.books().totals.get("lost", 0) > 0, 20, "a late settlement")
    wait_until(lambda: "lease_lost" in zombie.text(), 5, f"it says so\n{zombie.tail()}")
    fleet.wait_until_drained(60)
    assert "lease_lost" not in successor.text()
    assert "horse_died" not in zombie.text()
    ledger.push(100)
    fleet.wait_until_drained(30)
    assert [worker.terminate(GRACE) for worker in fleet.workers] == [0, 0]
    tell("SIGSTOP for longer than a lease", ledger.check())


@pytest.mark.timeout(120)
def test_many_workers_that_join_at_once_end_no_lease_that_is_alive(
    fleet_of: Callable[..., Fleet], ledger: Ledger, size: Size, tell: Tell
) -> None:
    # A batch is held for longer than a lease, by one request after the other.
    ledger.mixpanel.fault("latency", seconds=1.0)
    ledger.mixpanel.fault("status", status=413, body="{}", endpoint="/import", count=5)
    fleet = fleet_of(**SHORT_LEASES | {"MIXRELAY_BATCH_RECORDS": "500"})
    ledger.push(100)
    fleet.start()
    wait_until(lambda: len(ledger.mixpanel.requests) >= 2, 30, "a batch that is held")
    fleet.start(size(4, 12))
    fleet.wait_until_drained(60)
    found = ledger.check()
    assert (found.redelivered, found.resent) == (0, 0)
    tell("many workers joining at once", found)


def test_an_overdue_lease_is_ended_once_however_many_reap(redis: Redis, redis_url: str) -> None:
    queue, reapers = Queue(redis), 8
    queue.push([b'["event","{\\"data\\":{\\"event\\":\\"e\\"}}"]'] * 200)
    while queue.route()[1]:
        pass
    overdue = [_reserve(queue, lease=0.2) for _ in range(5)]
    alive = [_reserve(queue, lease=60) for _ in range(5)]
    time.sleep(0.3)
    together = threading.Barrier(reapers)

    def reap() -> tuple[int, int]:
        with connect(redis_url) as own:
            reaper = Queue(own)
            together.wait(10)
            return reaper.reap()

    with ThreadPoolExecutor(reapers) as pool:
        answers = [one.result() for one in [pool.submit(reap) for _ in range(reapers)]]
    assert sum(batches for batches, _ in answers) == len(overdue)
    assert sum(messages for _, messages in answers) == sum(len(one.members) for one in overdue)
    assert queue.extend(overdue, 60) == {one.id for one in overdue}
    assert queue.extend(alive, 60) == frozenset()


def _reserve(queue: Queue, *, lease: float) -> Batch:
    limits = Limits(records=20, linger_seconds=0)
    answer = queue.reserve(
        Lane.EVENT, owner="o", claim=new_id(), lease_seconds=lease, limits=limits
    )
    assert isinstance(answer, Batch)
    return answer
