"""Bulk jobs as RQ runs them: for some seconds, then again, behind what waits there.

What a job is to do and how far it is stands in its record (`mixrelay.shared.queue.jobs`), so
nothing rests on RQ: a job whose RQ job was lost is put into RQ again by whoever drains
(`mixrelay.worker.upkeep`), and two that run the same do no harm. A job with a rate waits most
of the time: it is left to those who drain, who have it go on between two batches.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from redis import Redis
from rq import Retry, get_current_job

from mixrelay.shared.connection import connect
from mixrelay.shared.errors import ConfigurationError, WrongKeyType
from mixrelay.shared.queue import Job, JobKind, LetterFilter, Queue, Step
from mixrelay.worker.draining import REDIS_TIMEOUT, Setup
from mixrelay.worker.patience import PASSING, Backoff, is_bug
from mixrelay.worker.rq_job import BULK
from mixrelay.worker.rq_queue import enqueue_bulk
from mixrelay.worker.shift import PARENT, PROCESS
from mixrelay.worker.stopping import Stop

log = logging.getLogger(__name__)

SLICE_SECONDS = 5.0
_PATIENCE_SECONDS = 60.0
"""How long a slice waits for a Redis that is away. What is not done then, is gone on with by
those who drain, once Redis is back."""
_ONCE_MORE = Retry(max=1_000_000_000)

AnswerT = TypeVar("AnswerT")


def hand_over(rq: Redis, list_name: str, job_id: str) -> str:
    """Has a worker run a bulk job at once; returns the RQ job's id."""
    return enqueue_bulk(rq, BULK, list_name, args=(list_name, job_id))


def run(list_name: str, job_id: str) -> int | Retry:
    """One slice of a job; what RQ calls. Returns how many letters it moved once it is over."""
    return _slice(list_name, lambda queue: queue.jobs.get(job_id))


def replay(list_name: str, wanted: dict[str, Any]) -> int | Retry:
    """A replay that mixrelay 0.1 put into RQ: it becomes a job like the others."""
    return _slice(list_name, lambda queue: _adopt(queue, JobKind.REPLAY, wanted))


def discard(list_name: str, wanted: dict[str, Any]) -> int | Retry:
    """A discard that mixrelay 0.1 put into RQ."""
    return _slice(list_name, lambda queue: _adopt(queue, JobKind.DISCARD, wanted))


def _adopt(queue: Queue, kind: JobKind, wanted: dict[str, Any]) -> Job:
    job = _rq_job()
    told = LetterFilter.from_json(wanted | job.meta.get("place", {}))
    return queue.jobs.start(kind, told, job_id=job.id, who="mixrelay 0.1")


def _rq_job() -> Any:
    job = get_current_job()
    if job is None:
        raise ConfigurationError("Bulk work runs as a job of RQ.")
    return job


def _slice(list_name: str, find: Callable[[Queue], Job | None]) -> int | Retry:
    setup = PROCESS.get() or Setup.from_environment()
    if list_name != setup.settings.queue:
        raise ConfigurationError(
            f"A job for the list {list_name!r} came to a worker of {setup.settings.queue!r}; "
            "nothing was moved."
        )
    rq_job = _rq_job()
    stop = Stop(PARENT.get())
    stop.install(grace=setup.worker.grace)
    queue = Queue(
        connect(setup.settings.redis_url, timeout=REDIS_TIMEOUT),
        list_name,
        partitions=setup.settings.partitions,
    )
    _await(queue.refresh, stop, what="a bulk job")
    job = _await(lambda: find(queue), stop, what="a bulk job")
    if job is None:
        return 0
    job, goes_on_here = _work(queue, job, stop)
    rq_job.meta = {"job": job.id, "moved": job.moved}
    _await(connect(setup.settings.rq_url, timeout=REDIS_TIMEOUT).ping, stop, what="RQ's node")
    fields = {"job": job.id, "letters": job.moved}
    log.info("bulk: %s job %s has processed %d letters", job.kind, *fields.values(), extra=fields)
    return _ONCE_MORE if goes_on_here else job.moved


def _work(queue: Queue, job: Job, stop: Stop) -> tuple[Job, bool]:
    """Some seconds of it; returns the job, and whether RQ is to run it again."""
    ends = time.monotonic() + SLICE_SECONDS
    while not job.state.is_over:
        step = _await_step(queue, job, stop)
        if step.job is None:
            return job, False
        job = step.job
        if step.wait_seconds:
            return job, False
        if stop.requested or time.monotonic() >= ends:
            return job, not job.state.is_over
    return job, False


def _await_step(queue: Queue, job: Job, stop: Stop) -> Step:
    try:
        return _await(lambda: queue.jobs.step(job), stop, what="letters")
    except WrongKeyType as error:
        queue.jobs.fail(job.id, str(error))
        raise


def _await(action: Callable[[], AnswerT], stop: Stop, *, what: str) -> AnswerT:
    """Repeats it until Redis answers, its patience is over or the worker has to end."""
    backoff = Backoff()
    ends = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return action()
        except WrongKeyType:
            raise
        except PASSING as error:
            if is_bug(error) or stop.requested or time.monotonic() >= ends:
                raise
            if backoff.is_to_be_told():
                log.warning("redis_away: %s continue later: %s", what, error)
            time.sleep(backoff.next())
