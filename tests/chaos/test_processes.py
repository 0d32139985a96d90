"""Signals at the wrong moment, in every number; forced ends; a burst that has to wait."""

import signal
import time
from collections.abc import Callable
from random import Random

import orjson
import pytest

from mixrelay.shared.queue import Batch, Lane, Limits, Queue
from mixrelay.worker.rq.job import SHIFT, Job
from mixrelay.worker.rq.queue import Shifts
from tests.chaos.ledger import Findings, Ledger, number_of
from tests.chaos.partitioned import one_and_several
from tests.support.fleet import Fleet, alive, wait_until
from tests.support.patience import within

Tell = Callable[[str, Findings], None]
Size = Callable[[int, int], int]

BATCH, CONCURRENCY = 50, 4
GRACE = 10.0


def leased(queue: Queue) -> int:
    return sum(queue.books().leased.values())


def wait_for_requests(ledger: Ledger, count: int) -> None:
    wait_until(lambda: len(ledger.mixpanel.requests) >= count, 30, f"{count} requests")


def first_numbers(queue: Queue, count: int) -> list[int]:
    """Of the messages that wait first in each partition's lane of events."""
    keys = [f"{{{name}}}:lane:{Lane.EVENT}" for name in queue.lists]
    members = [member for key in keys for member in queue.redis.lrange(key, 0, count - 1)]
    payloads = [member.split(b" ", 3)[3] for member in members]
    records = [orjson.loads(orjson.loads(payload)[1])["data"] for payload in payloads]
    return [number_of(record) or 0 for record in records]


@one_and_several
@pytest.mark.parametrize(
    "signals",
    [
        [signal.SIGTERM, signal.SIGTERM, signal.SIGTERM],
        [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT],
        [signal.SIGQUIT, signal.SIGINT],
    ],
    ids=lambda signals: "+".join(one.name for one in signals),
)
def test_signals_in_the_middle_of_a_batch_send_nothing_twice_and_give_back_at_once(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    size: Size,
    tell: Tell,
    signals: list[signal.Signals],
) -> None:
    messages = size(1_500, 10_000)
    ledger.mixpanel.fault("latency", seconds=0.4)
    fleet = fleet_of(MIXRELAY_BATCH_RECORDS=str(BATCH), MIXRELAY_LINGER="0.05")
    ledger.push(messages)
    [worker] = fleet.start()
    wait_for_requests(ledger, 6)
    for signum in signals:
        worker.process.send_signal(signum)
        time.sleep(0.05)
    with within(6):
        assert worker.exit_code(GRACE) == 0
    assert leased(fleet.queue) == 0
    arrived = {number_of(event) for event in ledger.mixpanel.events}
    waiting = {n for n in range(messages) if n % 10 > 2} - arrived
    assert min(waiting) in first_numbers(fleet.queue, BATCH * CONCURRENCY)
    ledger.mixpanel.clear_faults()
    fleet.start(1, "--burst", MIXRELAY_BATCH_RECORDS="2000")
    assert fleet.workers[-1].exit_code(60) == 0
    found = ledger.check()
    assert not ledger.mixpanel.duplicates
    assert (found.resent, found.redelivered) == (0, 0)
    tell("SIGTERM, SIGINT, SIGQUIT, repeated, in mid-batch", found)


@pytest.mark.timeout(400)
def test_a_signal_at_any_moment_of_a_start_ends_it_and_leaves_nothing_held(
    fleet_of: Callable[..., Fleet], ledger: Ledger, chance: Random, size: Size, tell: Tell
) -> None:
    ledger.mixpanel.fault("latency", seconds=0.2)
    # Horses of a second each: many forks, and a signal in the middle of some.
    fleet = fleet_of(MIXRELAY_SHIFT="1", MIXRELAY_BATCH_RECORDS="5", MIXRELAY_LINGER="0")
    ledger.push(3_000)
    for run in range(size(5, 60)):
        [worker] = fleet.start(1, "--processes", str(1 + run % 2))
        time.sleep(chance.uniform(0, 1) if run % 5 else chance.uniform(1, 4))
        tree = worker.tree()
        worker.process.send_signal(signal.SIGTERM)
        tree += worker.tree()
        # Before the command listens, the signal's own way is as good: nothing has begun.
        expected = (0,) if worker.text() else (0, -signal.SIGTERM)
        assert worker.exit_code(GRACE) in expected, worker.tail()
        wait_until(lambda tree=tree: not any(map(alive, tree)), 5, "no process is left")
        assert leased(fleet.queue) == 0, worker.tail()
    ledger.mixpanel.clear_faults()
    fleet.start(1, "--burst", MIXRELAY_BATCH_RECORDS="2000", MIXRELAY_SHIFT="300")
    assert fleet.workers[-1].exit_code(60) == 0
    found = ledger.check()
    assert (found.resent, found.redelivered) == (0, 0)
    tell("SIGTERM at any moment of a start", found)


def test_a_job_timeout_in_the_middle_of_a_request_acknowledges_nothing(
    fleet_of: Callable[..., Fleet], ledger: Ledger, tell: Tell
) -> None:
    ledger.mixpanel.fault("latency", seconds=4, count=4)
    fleet = fleet_of(MIXRELAY_BATCH_RECORDS=str(BATCH), MIXRELAY_LEASE="60")
    ledger.push(500)
    shifts = Shifts(fleet.queue.redis, fleet.queue.name, job_timeout=2)
    # Someone else's job, with less time than a request takes.
    job = Job.create(
        SHIFT, args=(fleet.queue.name,), connection=fleet.queue.redis, timeout=2, result_ttl=60
    )
    shifts.queue.enqueue_job(job)
    [worker] = fleet.start()
    wait_until(lambda: fleet.queue.books().totals["redelivered"] > 0, 20, "released unsettled")
    assert "JobTimeoutException" in worker.text()
    fleet.wait_until_drained(30)
    assert worker.terminate(GRACE) == 0
    tell("RQ's job timeout in mid-request", ledger.check())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"MIXRELAY_DEADLINE": "12"}, "MIXRELAY_GRACE"),
        ({"MIXRELAY_DEADLINE": "11", "MIXRELAY_LEASE": "11"}, "MIXRELAY_LEASE"),
        ({"MIXRELAY_EXTEND_EVERY": "15"}, "MIXRELAY_LEASE"),
        ({"MIXRELAY_LEASE": "600"}, "MIXRELAY_JOB_TIMEOUT"),
        ({"MIXRELAY_GRACE": "600"}, "MIXRELAY_JOB_TIMEOUT"),
        ({"MIXRELAY_SHIFT": "600"}, "MIXRELAY_JOB_TIMEOUT"),
    ],
)
def test_times_that_cannot_work_together_are_refused_at_the_start(
    fleet_of: Callable[..., Fleet], wrong: dict[str, str], named: str
) -> None:
    [worker] = fleet_of(**wrong).start()
    assert worker.exit_code(20) not in (0, -signal.SIGTERM)
    said = worker.text()
    assert next(iter(wrong)) in said
    assert named in said
    assert "Traceback" not in said


@one_and_several
def test_a_burst_waits_for_what_is_parked_paused_and_orphaned(
    fleet_of: Callable[..., Fleet], ledger: Ledger, partitions: int, tell: Tell
) -> None:
    lease = 5.0
    fleet = fleet_of(MIXRELAY_BACKOFF_BASE="0.5", MIXRELAY_BACKOFF_CAP="1")
    ledger.push(200)
    while any(fleet.queue.route()):
        pass
    orphan = fleet.queue.reserve(
        Lane.EVENT, owner="lost", claim="c", lease_seconds=lease, limits=Limits(linger_seconds=0)
    )
    assert isinstance(orphan, Batch)
    ledger.mixpanel.fault("status", status=503, count=4 * partitions)
    began = time.monotonic()
    [worker] = fleet.start(1, "--burst")
    wait_until(lambda: bool(fleet.queue.books().paused), 20, "a pause")
    assert worker.exit_code(60) == 0
    assert fleet.queue.books().waiting == 0
    assert time.monotonic() - began > lease - 1
    found = ledger.check()
    assert found.redelivered > 0
    tell("--burst with work parked, paused and orphaned", found)
