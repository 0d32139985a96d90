"""RQ's worker, made to outlive Redis's moods and to end well.

RQ's own exits on a refused write or a late reply and leaves its work-horse running; on a full
Redis it cannot even boot. Here a failure of RQ's bookkeeping ends nothing: it is logged, and
where RQ's writes are refused a shift runs in a child without RQ until they succeed.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import worker_registration
from rq.exceptions import DequeueTimeout
from rq.executions import Execution
from rq.job import Job as RqJob
from rq.queue import Queue as RqQueue
from rq.utils import get_version, now
from rq.worker import WorkerStatus

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from mixrelay.worker.draining import REDIS_TIMEOUT, Setup
from mixrelay.worker.patience import PASSING, Backoff, hurry
from mixrelay.worker.rq_horse import HorseKeeper
from mixrelay.worker.rq_job import Job
from mixrelay.worker.rq_queue import Shifts, queue_name
from mixrelay.worker.shift import drain

log = logging.getLogger(__name__)

DEQUEUE_SECONDS = 1
WITHOUT_RQ_SECONDS = 30.0
SHORT_JOB_SECONDS = 0.5
HEARTBEAT_SECONDS = 10
MAINTENANCE_SECONDS = 60
"""How often RQ looks for jobs whose worker was lost; its own 600 s are long for bulk work."""
CLOCK_TOLERANCE_SECONDS = 30
_BACKOFF_CAP = 5.0
_CHECK_SECONDS = 0.05
_GIVEN_UP_SECONDS = 0.05
"""What a reply of RQ's may take where one failed to come while stopping: there are several."""


class Worker(HorseKeeper):
    """Keeps one shift running, and does what else waits in RQ's queue between two."""

    job_class = Job
    log_result_lifespan = False

    def __init__(
        self,
        queues: Any = None,
        name: str | None = None,
        *,
        connection: Redis | None = None,
        setup: Setup | None = None,
        **options: Any,
    ) -> None:
        """Takes what RQ's worker takes, so that `rq worker -w mixrelay.worker.Worker` works."""
        self.setup = setup or Setup.from_environment()
        settings = self.setup.settings
        connection = connection or connect(settings.rq_url, timeout=REDIS_TIMEOUT)
        self._shifts = Shifts(connection, settings.queue, job_timeout=self.setup.worker.job_timeout)
        self.messages_queue = Queue(
            connect(settings.redis_url, timeout=REDIS_TIMEOUT),
            settings.queue,
            partitions=settings.partitions,
        )
        self._short_jobs = Backoff(cap=_BACKOFF_CAP)
        options.setdefault("job_monitoring_interval", HEARTBEAT_SECONDS)
        options.setdefault("maintenance_interval", MAINTENANCE_SECONDS)
        # What a job calls itself is anyone's text.
        options |= {"log_job_description": False, "serializer": "json", "job_class": Job}
        super().__init__(
            queues or [queue_name(settings.queue)], name, connection=connection, **options
        )

    def listen(self, is_stopped: Callable[[], bool]) -> None:
        """Listens to signals from now on, and knows of one that came before."""
        self._install_signal_handlers()
        if is_stopped():
            self._stop_requested = True

    def work(self, *args: Any, **kwargs: Any) -> bool:
        """Works until told to stop; with `setup.burst` until no message is anywhere."""
        self.listen(lambda: False)
        return super().work(*args, **kwargs)

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Registers this worker with RQ, however long that takes; messages flow meanwhile."""
        backoff = Backoff(cap=_BACKOFF_CAP)
        while not self._stop_requested:
            try:
                super().bootstrap(*args, **kwargs)
            except RedisError as error:
                self._outlive(error, backoff)
                # A birth whose reply was lost would bar its own repetition.
                self.name = uuid4().hex
            else:
                return

    def dequeue_job_and_maintain_ttl(
        self,
        timeout: int | None,  # noqa: ARG002 - RQ's signature; a short one, so that a stop is noticed
        max_idle_time: int | None = None,  # noqa: ARG002 - RQ's signature
    ) -> tuple[RqJob, RqQueue] | None:
        """The next job; sees to it first that a shift waits. None ends the worker."""
        backoff = Backoff(cap=_BACKOFF_CAP)
        self.set_state(WorkerStatus.IDLE)
        while not self._stop_requested and not self._is_drained():
            try:
                self._shifts.see_to_one_waiting()
                found = self._dequeue()
            except RedisError as error:
                self._outlive(error, backoff)
            else:
                backoff.reset()
                self.heartbeat()
                if found is not None:
                    return found
        return None

    def execute_job(self, job: RqJob, queue: RqQueue) -> None:
        """Runs it in a horse. Jobs that end at once, one after the other, must not spin."""
        began = time.monotonic()
        super().execute_job(job, queue)
        if time.monotonic() - began < SHORT_JOB_SECONDS:
            self._pause(self._short_jobs.next())
        else:
            self._short_jobs.reset()

    def _dequeue(self) -> tuple[RqJob, RqQueue] | None:
        try:
            found = self.queue_class.dequeue_any(
                self._ordered_queues,
                DEQUEUE_SECONDS,
                connection=self.connection,
                job_class=self.job_class,
                serializer=self.serializer,
                death_penalty_class=self.death_penalty_class,
            )
        except DequeueTimeout:
            return None
        except RedisError:
            raise
        except Exception:
            # A job's hash is anyone's to write: one that cannot be read stops no worker.
            log.exception("bad_job: a job in RQ's queue cannot be read; it is skipped")
            return None
        if found is not None:
            found[0].redis_server_version = get_version(self.connection)
        return found

    def _is_drained(self) -> bool:
        if not self.setup.burst:
            return False
        try:
            return self.messages_queue.books().waiting == 0
        except PASSING:
            return False

    def _outlive(self, error: RedisError, backoff: Backoff) -> None:
        """Drains without RQ where its node refuses writes, or is away and not the queue's own."""
        is_away = isinstance(error, RedisConnectionError | RedisTimeoutError)
        settings = self.setup.settings
        if backoff.is_to_be_told():
            what = "is away" if is_away else "refuses writes"
            log.warning("rq_away: RQ's node %s: %s", what, error)
        if not is_away or settings.rq_url != settings.redis_url:
            self._drain_without_rq()
        self._pause(backoff.next())

    def _drain_without_rq(self) -> None:
        seconds = min(self.setup.worker.shift, WITHOUT_RQ_SECONDS)
        pid = self.fork_horse(
            lambda: drain(self.setup, worker_name=self.name, link=None, seconds=seconds)
        )
        self.wait_for_horse()
        self.see_off_horse(pid)

    def _pause(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        while not self._stop_requested and time.monotonic() < ends:
            time.sleep(_CHECK_SECONDS)

    # RQ's bookkeeping, none of which ends the worker or its horse.

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
        with self._outlived("suspension"):
            super().check_for_suspension(burst)

    def run_maintenance_tasks(self) -> None:
        try:
            with self._outlived("maintenance"):
                if self._is_clock_right():
                    super().run_maintenance_tasks()  # type: ignore[no-untyped-call]
        except Exception:
            # It reads the jobs that registries name, and those are anyone's to write.
            log.exception("bad_job: a registry of RQ's could not be cleaned; it is left as it is")
        self.last_cleaned_at = now()  # type: ignore[assignment]

    def _is_clock_right(self) -> bool:
        """RQ gives up jobs by the host's clock: a wrong one would take them from live workers."""
        ahead = time.time() - self.connection.time()[0]  # type: ignore[index, unused-ignore]
        if abs(ahead) < CLOCK_TOLERANCE_SECONDS:
            return True
        log.error(
            "clock_skew: this host's clock differs from Redis's by %+.0f s; correct it", ahead
        )
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
