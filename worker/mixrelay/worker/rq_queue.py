"""RQ's queue for one list: its name, its waiting shift, and what else waits in it."""

from hashlib import sha256
from typing import Any, cast

from redis import Redis
from rq import Queue as RqQueue
from rq import Retry
from rq.exceptions import DuplicateJobError

from mixrelay.worker.rq_job import SHIFT, Job

DEFAULT_LIST = "mixpanel_queue"
RESULT_TTL_SECONDS = 60
FAILURE_TTL_SECONDS = 3_600
BULK_TIMEOUT_SECONDS = 600
BULK_DEATHS = 20
"""Failures and deaths of its work-horse after which RQ gives bulk work up."""
_LOOKED_AT = 64
_SHIFT_IDS = 1_024
"""More than shifts that can run at once, with those that RQ has not cleaned up yet."""


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

    def see_to_one_waiting(self) -> None:
        """Puts a shift into RQ unless one waits, so that whoever is free finds one."""
        if any(job_id.startswith(self._prefix) for job_id in self._waiting()):
            return
        for job_id in self._free_ids():
            try:
                self._enqueue(job_id)
            except DuplicateJobError:
                continue
            return

    def is_other_work_waiting(self) -> bool:
        """Whether a job that is no shift waits."""
        return any(not job_id.startswith(self._prefix) for job_id in self._waiting())

    def _waiting(self) -> list[str]:
        # Not by RQ's own reading, which fails at an id that is no UTF-8: anyone may have put it in.
        found = self.queue.connection.lrange(self.queue.key, 0, _LOOKED_AT - 1)
        return [job_id.decode(errors="replace") for job_id in cast("list[bytes]", found)]

    def _free_ids(self) -> list[str]:
        """Fixed ids: two that see the same gap choose the same, and one of them wins."""
        ids = [f"{self._prefix}{index}" for index in range(_SHIFT_IDS)]
        for first in range(0, _SHIFT_IDS, _LOOKED_AT):
            some = ids[first : first + _LOOKED_AT]
            pipeline: Any = self.queue.connection.pipeline(transaction=False)
            for job_id in some:
                pipeline.exists(Job.key_for(job_id))
            taken = pipeline.execute()
            free = [job_id for job_id, is_taken in zip(some, taken, strict=True) if not is_taken]
            if free:
                return free
        return []

    def _enqueue(self, job_id: str) -> None:
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
        self.queue.enqueue_job(job, unique=True)


def enqueue_bulk(redis: Redis, function: str, list_name: str, *, args: tuple[Any, ...]) -> str:
    """Puts bulk work behind what waits; returns the RQ job's id."""
    queue = RqQueue(queue_name(list_name), connection=redis, job_class=Job, serializer="json")
    job = Job.create(
        function,
        args=args,
        connection=redis,
        timeout=BULK_TIMEOUT_SECONDS,
        result_ttl=FAILURE_TTL_SECONDS,
        failure_ttl=FAILURE_TTL_SECONDS,
        retry=Retry(max=BULK_DEATHS),
        description=function.rpartition(".")[2],
    )
    return str(queue.enqueue_job(job).id)
