"""RQ's queue for one list: its name, its waiting drain job, and what else waits in it."""

import logging
import time
from hashlib import sha256
from typing import Any, cast
from uuid import uuid4

from redis import Redis
from rq import Queue as RqQueue
from rq.exceptions import DuplicateJobError

from mixrelay.worker.rq.job import SHIFT, Job

log = logging.getLogger(__name__)

DEFAULT_LIST = "mixpanel_queue"
RESULT_TTL_SECONDS = 60
FAILURE_TTL_SECONDS = 3_600
_LOOKED_AT = 64
_FIXED_IDS = 64
"""Ids that are used again, so that RQ's lists are easy to read. There are always others."""
_TELL_SECONDS = 60.0


def queue_name(list_name: str) -> str:
    """One RQ queue for each list, so that a worker of one never gets another's shift."""
    return "mixrelay" if list_name == DEFAULT_LIST else f"mixrelay:{list_name}"


class Shifts:
    """The shifts of one list in RQ. Every method raises redis.RedisError where RQ's node does."""

    def __init__(self, redis: Redis, list_name: str, *, job_timeout: int) -> None:
        self._list = list_name
        self._job_timeout = job_timeout
        name = queue_name(list_name)
        self.queue = RqQueue(name, connection=redis, job_class=Job, serializer="json")
        # RQ's ids are of letters, digits, "_" and "-"; a list's name may have more.
        self._prefix = f"mixrelay-shift-{sha256(list_name.encode()).hexdigest()[:8]}-"
        self._told_at = 0.0

    def see_to_one_waiting(self) -> None:
        """Puts a shift into RQ unless one waits, so that whoever is free finds one.

        Two that see the same gap may both do so: the second is the next one's.
        """
        waiting = self._waiting()
        if any(job_id.startswith(self._prefix) for job_id in waiting):
            return
        # Behind more than is looked at it would not be found, and another put in each time.
        at_front = len(waiting) >= _LOOKED_AT
        try:
            self._enqueue(self._next_id(), at_front=at_front)
        except DuplicateJobError:
            self._enqueue(self._random_id(), at_front=at_front)

    def is_other_work_waiting(self) -> bool:
        """Whether a job that is no shift waits."""
        return any(not job_id.startswith(self._prefix) for job_id in self._waiting())

    def _waiting(self) -> list[str]:
        # Not by RQ's own reading, which fails at an id that is no UTF-8: anyone may have put it in.
        found = self.queue.connection.lrange(self.queue.key, 0, _LOOKED_AT - 1)
        return [job_id.decode(errors="replace") for job_id in cast("list[bytes]", found)]

    def _next_id(self) -> str:
        """A fixed id that RQ knows nothing of, or one that nobody ever had."""
        ids = [f"{self._prefix}{index}" for index in range(_FIXED_IDS)]
        asked: Any = self.queue.connection.pipeline(transaction=False)
        for job_id in ids:
            asked.exists(Job.key_for(job_id))
        taken = asked.execute()
        free = next((one for one, is_taken in zip(ids, taken, strict=True) if not is_taken), None)
        if free is None:
            self._tell_of_taken()
        return free or self._random_id()

    def _random_id(self) -> str:
        return f"{self._prefix}{uuid4().hex}"

    def _tell_of_taken(self) -> None:
        now = time.monotonic()
        if now >= self._told_at:
            self._told_at = now + _TELL_SECONDS
            log.warning(
                "rq_leftovers: RQ keeps %d drain jobs that did not end well, an hour each; "
                "draining goes on. Look at mixrelay doctor and at what ends work-horses",
                _FIXED_IDS,
            )

    def _enqueue(self, job_id: str, *, at_front: bool) -> None:
        job = Job.create(
            SHIFT,
            args=(self._list,),
            id=job_id,
            connection=self.queue.connection,
            timeout=self._job_timeout,
            result_ttl=RESULT_TTL_SECONDS,
            failure_ttl=FAILURE_TTL_SECONDS,
            description="drain the queue",
        )
        self.queue.enqueue_job(job, unique=True, at_front=at_front)
