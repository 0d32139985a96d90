"""What RQ's lists hold, and its switch, against continuity: whoever is idle drains."""

import time
from collections.abc import Callable

import pytest
from redis import Redis
from rq import suspension

from mixrelay.worker import Job
from mixrelay.worker.rq.job import SHIFT
from mixrelay.worker.rq.queue import Shifts
from tests.chaos.ledger import Findings, Ledger
from tests.support.fleet import Fleet, wait_until

SHORT, FULL = 3_000, 50_000
IDS = 1_500
MOVED = "rq:queue:mixrelay:intermediate"


def delivered(fleet: Fleet) -> int:
    return fleet.queue.books().totals["delivered"]


@pytest.mark.timeout(200)
def test_deaths_of_more_jobs_than_there_are_ids_stop_nobody(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    redis: Redis,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    """Of 1,500 former jobs and a few that die now: some were moved, some ran, all are known."""
    prefix = Shifts(redis, "mixpanel_queue", job_timeout=60)._prefix
    with redis.pipeline() as asked:
        for n in range(IDS):
            job = Job.create(SHIFT, args=("mixpanel_queue",), id=f"{prefix}{n}", connection=redis)
            job.save(pipeline=asked)
            asked.zadd("rq:failed:mixrelay", {job.id: time.time() + 3_600})
            if n % 3 == 0:
                asked.rpush(MOVED, job.id)
        asked.execute()
    fleet = fleet_of()
    messages, deaths = size(SHORT, FULL), size(3, 30)
    fleet.start(1)
    for _ in range(deaths):
        ledger.push(messages // deaths)
        fleet.workers[0].kill_horse()
    fleet.wait_until_drained(120)
    tell("deaths of more jobs than RQ has ids for", ledger.check())


@pytest.mark.timeout(200)
def test_what_rqs_registries_hold_stops_nobody(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    redis: Redis,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    """Ids that are no text, jobs that are no jobs, registries that are no registries."""
    redis.rpush(MOVED, b"\xff\xfe", b"garbage", b"none")
    redis.rpush("rq:queue:mixrelay", b"\xff\xfe", b"garbage", b"none", b"a-list")
    redis.hset("rq:job:garbage", mapping={"created_at": "yesterday", "data": b"\xff"})
    redis.rpush("rq:job:a-list", "x")
    redis.zadd("rq:wip:mixrelay", {b"\xff:\xfe": 1, b"garbage:1": 1, b"none:1": 1})
    redis.set("rq:failed:mixrelay", "x")
    redis.set("rq:deferred:mixrelay", "x")
    fleet = fleet_of()
    ledger.push(size(SHORT, FULL))
    fleet.start(2)
    fleet.wait_until_drained(120)
    assert fleet.workers[0].text().count("Traceback") < 50, "no loop without a pause"
    tell("ids and jobs that RQ cannot read", ledger.check())


@pytest.mark.timeout(200)
def test_rq_suspend_stops_the_fleet_and_rq_resume_lets_it_go_on(
    fleet_of: Callable[..., Fleet],
    ledger: Ledger,
    redis: Redis,
    size: Callable[[int, int], int],
    tell: Callable[[str, Findings], None],
) -> None:
    ledger.mixpanel.fault("latency", seconds=0.2)
    fleet = fleet_of(MIXRELAY_BATCH_RECORDS="50", MIXRELAY_CONCURRENCY="2")
    ledger.push(size(SHORT, FULL))
    fleet.start(2)
    wait_until(lambda: delivered(fleet) > 0, 60, "a delivery")
    suspension.suspend(redis)
    for worker in fleet.workers:
        wait_until(lambda worker=worker: "suspended: " in worker.text(), 60, "the log says it")
    stopped = delivered(fleet)
    assert fleet.queue.books().waiting > 0, "it was stopped in the middle"
    time.sleep(1)
    assert delivered(fleet) == stopped
    suspension.resume(redis)
    fleet.wait_until_drained(120)
    tell("rq suspend, then rq resume", ledger.check())
