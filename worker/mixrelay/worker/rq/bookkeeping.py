"""RQ's bookkeeping of a worker and its jobs: none of it ends the worker or its horse.

Where RQ's node is away or refuses a write, that is logged, and the worker goes on.
"""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import worker_registration
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.queue import Queue as RqQueue
from rq.registry import clean_registries
from rq.utils import now
from rq.worker import WorkerStatus

from mixrelay.worker.base.retry import Backoff, hurry
from mixrelay.worker.rq.horse import HorseKeeper
from mixrelay.worker.rq.leftovers import drop_lost, drop_unreadable

log = logging.getLogger(__name__)

CLOCK_TOLERANCE_SECONDS = 30
_GIVEN_UP_SECONDS = 0.05
"""What a reply of RQ's may take where one failed to come while stopping: there are several."""


class BookKeeper(HorseKeeper):
    """Tells RQ's node of this worker, as far as it listens."""

    @contextmanager
    def _outlived(self, what: str) -> Iterator[None]:
        self.hurry_to_stop()
        try:
            yield
        except RedisError as error:
            log.warning("rq_away: %s: %s", what, error)
            if self._stop_requested:
                hurry(self.connection, _GIVEN_UP_SECONDS)

    def _set_connection(self, connection: Redis) -> Redis:
        """Leaves its timeouts alone: RQ would wait 415 s for a reply."""
        return connection

    def _set_ip_address(self, connection: Redis) -> None:
        self.ip_address = "unknown"
        with self._outlived("the worker's address"):
            super()._set_ip_address(connection)

    def _pubsub_exception_handler(self, exc: Exception, *_rest: Any) -> None:
        log.debug("rq_away: commands: %s", exc)
        time.sleep(Backoff(base=2.0, cap=2.0).next())

    def check_for_suspension(self, burst: bool) -> None:
        """Nothing here: RQ waits without a word. Whoever looks for the next job asks."""

    def run_maintenance_tasks(self) -> None:
        try:
            with self._outlived("maintenance"):
                drop_unreadable(self.queues[0])
                if self._is_clock_right():
                    super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        except Exception:
            # It reads the jobs that registries name, and those are anyone's to write.
            log.exception("bad_job: a registry of RQ's could not be cleaned; it is left as it is")
        self.last_cleaned_at = now()  # type: ignore[assignment]

    def clean_registries(self) -> None:
        """As RQ's, with a cleaning of the intermediate list that costs little."""
        queue = self.queues[0]
        if queue.acquire_maintenance_lock():
            clean_registries(queue, self._exc_handlers)
            worker_registration.clean_worker_registry(queue)
            drop_lost(queue, lambda job: self._fail_lost(job, queue))
            queue.release_maintenance_lock()  # type: ignore[no-untyped-call]

    def _fail_lost(self, job: RqJob, queue: RqQueue) -> None:
        self.handle_job_failure(job, queue, exc_string="Its worker died before it began.")

    def _is_clock_right(self) -> bool:
        """RQ gives up jobs by the host's clock: a wrong one would take them from live workers."""
        ahead = time.time() - self.connection.time()[0]  # type: ignore[index, unused-ignore]
        if abs(ahead) < CLOCK_TOLERANCE_SECONDS:
            return True
        log.error("clock_skew: this host is %+.0f s off Redis's clock; set it", ahead)
        return False

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        with self._outlived("a heartbeat"):
            super().heartbeat(timeout, pipeline)
            if pipeline is None:
                self._see_to_registration()

    def maintain_heartbeats(self, job: RqJob, execution: Execution) -> None:
        with self._outlived("heartbeats"):
            super().maintain_heartbeats(job, execution)
            self._see_to_registration()

    def _see_to_registration(self) -> None:
        """RQ registers a worker once: a node that was emptied would never know it again."""
        with self.connection.pipeline() as asked:
            asked.hexists(self.key, "birth")
            asked.sismember(self.redis_workers_keys, self.key)
            if all(asked.execute()) or self._stop_requested or self.birth_date is None:
                return
        log.warning("rq_forgot: RQ's node does not know this worker any more; registered again")
        with self.connection.pipeline() as told:
            told.hset(self.key, mapping=self.serialize() | {"state": self.get_state()})
            told.expire(self.key, self.worker_ttl + 60)
            worker_registration.register(self, told)
            told.execute()

    def set_state(self, state: str, pipeline: Any = None) -> None:
        with self._outlived("the worker's state"):
            super().set_state(state, pipeline)

    def prepare_execution(self, job: RqJob) -> Execution:
        try:
            return super().prepare_execution(job)
        except RedisError as error:
            log.warning("rq_away: an execution's start: %s", error)
        self._state = WorkerStatus.BUSY
        execution = Execution(os.urandom(16).hex(), job.id, self.connection, self.name)
        self.executions = {execution.id: execution}
        return execution

    def prepare_job_execution(
        self, job: RqJob, remove_from_intermediate_queue: bool = False
    ) -> None:
        with self._outlived("a job's start"):
            super().prepare_job_execution(job, remove_from_intermediate_queue)
        job.worker_name = self.name

    def handle_execution_ended(self, job: RqJob, queue: RqQueue, heartbeat_ttl: int) -> None:
        with self._outlived("a job's end"):
            super().handle_execution_ended(job, queue, heartbeat_ttl)

    def handle_job_success(self, *args: Any, **kwargs: Any) -> None:
        with self._outlived("a job's success"):
            super().handle_job_success(*args, **kwargs)

    def handle_job_failure(self, *args: Any, **kwargs: Any) -> None:
        with self._outlived("a job's failure"):
            super().handle_job_failure(*args, **kwargs)

    def teardown(self) -> None:
        with self._outlived("the worker's death"):
            super().teardown()  # type: ignore[no-untyped-call]
