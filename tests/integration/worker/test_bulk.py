"""Replaying and discarding in the background: in slices, and whatever dies on the way."""

import os
import signal
import time

import pytest
from redis import Redis
from rq import Queue as RqQueue

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import (
    Batch,
    Dead,
    Job,
    JobKind,
    JobState,
    Lane,
    LetterFilter,
    Limits,
    Queue,
    Settlement,
    new_id,
)
from mixrelay.worker import Job as RqJob
from tests.support.works import Running, Works, event, wait_until

LIST = "mixpanel_queue"
MANY = 10_000
"""More than a second's work, so that there is a middle."""
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


def start(works: Works, wanted: LetterFilter = ALL) -> str:
    """Has a worker discard letters."""
    return works.queue.jobs.start(JobKind.DISCARD, wanted, job_id=new_id(), who="ann@here").id


def put_into_rq(redis: Redis, function: str, *args: object) -> str:
    """Bulk work as older versions put it into RQ; answers the RQ job's id."""
    queue = RqQueue("mixrelay", connection=redis, job_class=RqJob, serializer="json")
    return str(queue.enqueue(function, args=(LIST, *args), job_timeout=600).id)


def ended(works: Works, job_id: str, seconds: float = 40) -> Job:
    """The job once it is over."""

    def found() -> Job | None:
        job = works.queue.jobs.get(job_id)
        return job if job and job.state.is_over else None

    wait_until(found, "the end of the job", seconds)
    job = found()
    assert job is not None
    return job


def audited(works: Works, job_id: str) -> int:
    """Letters that the trail tells of a job."""
    entries = works.queue.audit.newest(1_000)
    return sum(entry.count for entry in entries if entry.job == job_id)


def in_the_middle(works: Works, running: Running, kind: str) -> int:
    """The work-horse's pid, once it has begun and is not done."""
    wait_until(lambda: works.books.totals[kind] >= 1_000, "the first of the letters")
    return running.horse()


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_bulk_work_whose_horse_ends_in_the_middle_is_done_by_the_next(
    works: Works, redis: Redis, signum: signal.Signals
) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(MANY)])
    job_id = start(works)
    running = works.start()
    os.kill(in_the_middle(works, running, "discarded"), signum)
    job = ended(works, job_id)
    assert (job.state, job.moved, audited(works, job_id)) == (JobState.DONE, MANY, MANY)
    assert works.books.dead == 0
    assert works.books.totals["discarded"] == MANY


def test_bulk_work_gives_way_to_a_deploy_and_is_kept(works: Works, redis: Redis) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(MANY)])
    job_id = start(works)
    running = works.start()
    in_the_middle(works, running, "discarded")
    running.kill(signal.SIGTERM)
    assert running.exit_code(5) == 0
    assert works.books.dead > 0
    works.start()
    assert ended(works, job_id).moved == audited(works, job_id) == MANY
    assert works.books.dead == 0


def test_bulk_work_leaves_what_dies_after_its_start(works: Works, redis: Redis) -> None:
    bury(works.queue, event("before"))
    began = redis.time()
    # The time of a death is counted in milliseconds.
    wait_until(lambda: redis.time()[0] > began[0] or redis.time()[1] > began[1] + 2_000, "2 ms")
    job_id = start(works)
    bury(works.queue, event("after"))
    works.start()
    ended(works, job_id)
    assert [b"after" in one.payload for one in works.letters()] == [True]


def test_bulk_work_finds_the_few_behind_many_others(works: Works, redis: Redis) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(3_000)], event("rare"))
    job_id = start(works, LetterFilter(distinct_id="rare"))
    works.start()
    ended(works, job_id)
    assert works.books.dead == 3_000


def test_bulk_work_outlives_a_redis_that_hangs(works: Works, redis: Redis) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(MANY)])
    job_id = start(works)
    running = works.start()
    in_the_middle(works, running, "discarded")
    redis.execute_command("CLIENT", "PAUSE", 7_000, "ALL")
    with connect(works.url, timeout=30) as patient:
        patient.ping()
    assert ended(works, job_id).state is JobState.DONE
    assert works.books.dead == 0


def test_a_job_that_rq_was_never_told_of_is_found(works: Works) -> None:
    bury(works.queue, event("a"))
    job = works.queue.jobs.start(JobKind.DISCARD, ALL, job_id=new_id(), who="page")
    works.start()
    assert ended(works, job.id).moved == 1


def test_a_job_with_a_rate_goes_on_beside_the_messages(works: Works) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(60)])
    queue = works.queue
    job = queue.jobs.start(JobKind.DISCARD, ALL, job_id=new_id(), who="ann", rate=10)
    works.start()
    wait_until(lambda: works.books.totals.get("discarded", 0), "the first letters")
    began = time.monotonic()
    works.push(event("live"))
    works.box.wait_for(lambda box: len(box.events) == 1)
    seen = queue.jobs.get(job.id)
    assert seen is not None
    assert not seen.state.is_over, "the message did not wait for the job"
    assert ended(works, job.id).moved == 60
    assert time.monotonic() - began > 1


def test_a_job_that_an_older_version_put_into_rq_is_done(works: Works, redis: Redis) -> None:
    bury(works.queue, event("a"), event("b"))
    wanted = {"reason": "rejected", "until": "2100-01-01T00:00:00+00:00"}
    rq_id = put_into_rq(redis, "mixrelay.worker.bulk.discard", wanted)
    works.start()
    job = ended(works, rq_id)
    assert (job.moved, job.who) == (2, "mixrelay 0.1")


def test_a_cancel_takes_effect_while_a_worker_moves_letters(works: Works, redis: Redis) -> None:
    bury(works.queue, *[event(f"u{n}") for n in range(MANY)])
    job_id = start(works)
    in_the_middle(works, works.start(), "discarded")
    cancelled = works.queue.jobs.cancel(job_id, who="ann", why="wrong filter")
    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED
    left = works.books.dead
    assert left == MANY - cancelled.moved > 0
    works.push(event("live"))
    works.box.wait_for(lambda box: len(box.events) == 1)
    assert works.books.dead == left
    assert audited(works, job_id) == cancelled.moved
