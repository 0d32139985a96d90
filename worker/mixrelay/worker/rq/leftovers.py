"""Cleans RQ's lists of what is under way, in few commands, whatever anyone wrote into them.

RQ moves an id to an intermediate list before it reads the job, and notes it in a registry before it
runs it. RQ's own cleaning reads the registry anew for each entry (500 entries took ten seconds, in
which the worker drained nothing), and ends at the first one that it cannot read, each time.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from redis import Redis
from redis.exceptions import ResponseError
from rq.exceptions import NoSuchJobError
from rq.queue import Queue as RqQueue

from mixrelay.worker.rq.job import Job

log = logging.getLogger(__name__)

_LOOKED_AT = 1_000
"""Entries of a list that one cleaning looks at."""
_FAILED_AT_ONCE = 20
_LOST_AFTER_SECONDS = 60.0
"""A worker that moved an id begins its job, or is gone."""
_NOTE_SECONDS = 86_400
_GONE = None


def drop_unreadable(queue: RqQueue) -> None:
    """Take what no worker can read out of RQ's lists of what is under way.

    Raises:
        redis.RedisError: RQ's node is away.
    """
    redis, moved, running = _places(queue)
    for key, entries in ((moved, _moved(redis, moved)), (running, _running(redis, running))):
        wrong = [one for one, job in _read(redis, entries) if isinstance(job, Exception)]
        _take_out(redis, key, wrong, is_list=key == moved)
        if wrong:
            log.error(
                "bad_job: %d entries of RQ's %s cannot be read; they are dropped", len(wrong), key
            )


def drop_lost(queue: RqQueue, fail: Callable[[Job], None]) -> None:
    """Drop jobs that a worker took and did not begin: it died in between.

    A drain job is deleted, since another waits by now; of others `fail` tells RQ.

    Raises:
        redis.RedisError: RQ's node is away.
    """
    redis, moved, running = _places(queue)
    begun = {_job_id(entry) for entry in _running(redis, running)}
    read = _read(redis, _moved(redis, moved))
    gone = [entry for entry, job in read if job is _GONE]
    waiting = {entry: job for entry, job in read if isinstance(job, Job)}
    idle = [entry for entry in waiting if entry not in begun]
    lost = _seen_before(redis, moved, idle)
    drains = [entry for entry in lost if waiting[entry].is_drain]
    others = [entry for entry in lost if not waiting[entry].is_drain][:_FAILED_AT_ONCE]
    for entry in others:
        fail(waiting[entry])
    _take_out(redis, moved, [*gone, *drains, *others], is_list=True)
    _delete(redis, [waiting[entry] for entry in drains])
    if drains:
        log.warning(
            "rq_leftovers: %d drain jobs were lost before they began; they are dropped", len(drains)
        )


def _places(queue: RqQueue) -> tuple[Redis, str, str]:
    return queue.connection, queue.intermediate_queue_key, queue.started_job_registry.key


def _moved(redis: Redis, key: str) -> list[bytes]:
    return _entries(key, lambda: redis.lrange(key, 0, _LOOKED_AT - 1))


def _running(redis: Redis, key: str) -> list[bytes]:
    return _entries(key, lambda: redis.zrange(key, 0, _LOOKED_AT - 1))


def _entries(key: str, ask: Callable[[], Any]) -> list[bytes]:
    try:
        return cast("list[bytes]", ask())
    except ResponseError as error:
        if not str(error).startswith("WRONGTYPE"):
            raise
        log.error("bad_job: RQ's %s is a key of another type; it is left as it is", key)  # noqa: TRY400
        return []


def _job_id(entry: bytes) -> bytes:
    """A registry notes the execution behind the job's id, which has no colon."""
    return entry.partition(b":")[0]


def _read(redis: Redis, entries: Sequence[bytes]) -> list[tuple[bytes, Job | Exception | None]]:
    """Each entry's job, `_GONE` where there is none, or the error where it cannot be read."""
    if not entries:
        return []
    asked = redis.pipeline(transaction=False)
    for entry in entries:
        asked.hgetall(Job.redis_job_namespace_prefix.encode() + _job_id(entry))
    answers = asked.execute(raise_on_error=False)
    return [(one, _job_of(redis, one, told)) for one, told in zip(entries, answers, strict=True)]


def _job_of(redis: Redis, entry: bytes, told: Any) -> Job | Exception | None:
    if isinstance(told, Exception):
        return told
    try:
        job = Job(_job_id(entry).decode(), connection=redis)
        if not told:
            return _GONE
        job.restore(told)
    except NoSuchJobError:
        return _GONE
    except Exception as error:  # noqa: BLE001 - a job's hash is anyone's to write
        return error
    return job


def _seen_before(redis: Redis, key: str, entries: Sequence[bytes]) -> list[bytes]:
    """Those that lay there a minute ago; RQ's own notes, so that its workers see the same."""
    if not entries:
        return []
    asked = redis.pipeline(transaction=False)
    for entry in entries:
        note = f"{key}:first_seen:".encode() + entry
        asked.set(note, time.time(), nx=True, ex=_NOTE_SECONDS)
        asked.get(note)
    times = asked.execute()[1::2]
    limit = time.time() - _LOST_AFTER_SECONDS
    return [one for one, seen in zip(entries, times, strict=True) if seen and float(seen) < limit]


def _take_out(redis: Redis, key: str, entries: Sequence[bytes], *, is_list: bool) -> None:
    if not entries:
        return
    asked: Any = redis.pipeline(transaction=False)
    for entry in entries:
        if is_list:
            asked.lrem(key, 1, entry)
        else:
            asked.zrem(key, entry)
    asked.execute()


def _delete(redis: Redis, jobs: Sequence[Job]) -> None:
    if jobs:
        redis.delete(*[job.key for job in jobs])
