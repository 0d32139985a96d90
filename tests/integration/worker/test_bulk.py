"""Replaying and discarding in the background: in slices, and whatever dies on the way."""

import os
import signal
from collections.abc import Callable

import pytest
from redis import Redis
from rq.job import JobStatus

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Batch, Dead, Lane, LetterFilter, Limits, Queue, Settlement, new_id
from mixrelay.worker import Job, bulk
from tests.support.works import Running, Works, event, wait_until

LIST = "mixpanel_queue"
ALL = LetterFilter(reason="rejected")


def bury(queue: Queue, *tuples: bytes) -> None:
    """Makes dead letters, in the order given."""
    for first in range(0, len(tuples), 1_000):
        queue.push(tuples[first : first + 1_000])
        queue.route()
        batch = queue.reserve(
            Lane.EVENT,
            owner="gravedigger",
            claim=new_id(),
            lease_seconds=30,
            limits=Limits(linger_seconds=0),
        )
        assert isinstance(batch, Batch)
        dead = [Dead(one.number, "rejected", "no") for one in batch.members]
        queue.settle(batch, Settlement(dead=dead))


def has_ended(redis: Redis, job_id: str) -> Callable[[], bool]:
    job = Job.fetch(job_id, connection=redis)
    return lambda: job.get_status() in (JobStatus.FINISHED, JobStatus.FAILED)


def in_the_middle(works: Works, running: Running, kind: str) -> int:
    """The work-horse's pid, once it has begun and is not done."""
    wait_until(lambda: works.books.totals[kind] >= 1_000, "the first of the letters")
    return running.horse()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_bulk_work_whose_horse_ends_in_the_middle_is_done_by_the_next(
    works: Works, redis: Redis, signum: signal.Signals
) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(20_000)])
    job_id = bulk.start_discard(redis, LIST, ALL)
    running = works.start()
    os.kill(in_the_middle(works, running, "discarded"), signum)
    wait_until(has_ended(redis, job_id), "the end of the job")
    assert works.books.dead == 0
    assert works.books.totals["discarded"] == 20_000


def test_bulk_work_gives_way_to_a_deploy_and_is_kept(works: Works, redis: Redis) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(20_000)])
    job_id = bulk.start_discard(redis, LIST, ALL)
    running = works.start()
    in_the_middle(works, running, "discarded")
    running.kill(signal.SIGTERM)
    assert running.exit_code(5) == 0
    assert works.books.dead > 0
    works.start()
    wait_until(has_ended(redis, job_id), "the end of the job")
    assert works.books.dead == 0
    assert Job.fetch(job_id, connection=redis).return_value() == 20_000


def test_bulk_work_leaves_what_dies_after_its_start(works: Works, redis: Redis) -> None:
    bury(works.queue, event("before"))
    began = redis.time()
    # The time of a death is counted in milliseconds.
    wait_until(lambda: redis.time()[0] > began[0] or redis.time()[1] > began[1] + 2_000, "2 ms")
    job_id = bulk.start_discard(redis, LIST, ALL)
    bury(works.queue, event("after"))
    works.start()
    wait_until(has_ended(redis, job_id), "the end of the job")
    assert [b"after" in one.payload for one in works.letters()] == [True]


def test_bulk_work_finds_the_few_behind_many_others(works: Works, redis: Redis) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(3_000)], event("rare"))
    job_id = bulk.start_discard(redis, LIST, LetterFilter(distinct_id="rare"))
    works.start()
    wait_until(has_ended(redis, job_id), "the end of the job")
    assert works.books.dead == 3_000


def test_bulk_work_outlives_a_redis_that_hangs(works: Works, redis: Redis) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(20_000)])
    job_id = bulk.start_discard(redis, LIST, ALL)
    running = works.start()
    in_the_middle(works, running, "discarded")
    redis.execute_command("CLIENT", "PAUSE", 7_000, "ALL")
    with connect(works.url, timeout=30) as patient:
        patient.ping()
    wait_until(has_ended(redis, job_id), "the end of the job", 30)
    assert works.books.dead == 0
