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
from rq.registry import clean_registries
from rq.utils import get_version, now
from rq.worker import WorkerStatus

from mixrelay.shared.connection import connect
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import Queue
from mixrelay.worker.burst import BurstEnd
from mixrelay.worker.draining import REDIS_TIMEOUT, Setup
from mixrelay.worker.patience import PASSING, Backoff, hurry
from mixrelay.worker.rq_horse import HorseKeeper
from mixrelay.worker.rq_job import Job
from mixrelay.worker.rq_leftovers import drop_lost, drop_unreadable
from mixrelay.worker.rq_queue import Shifts, queue_name
from mixrelay.worker.rq_suspension import Suspension
from mixrelay.worker.rq_turns import Turns
from mixrelay.worker.shift import drain

log = logging.getLogger(__name__)

DEQUEUE_SECONDS = 1
WITHOUT_RQ_SECONDS = 30.0
STARVED_SECONDS = 10.0
"""The same where RQ's node answers and gives no drain job."""
HEARTBEAT_SECONDS = 10
MAINTENANCE_SECONDS = 60
"""How often RQ looks for jobs whose worker was lost; its own 600 s are long for bulk work."""
CLOCK_TOLERANCE_SECONDS = 30
SUSPENDED_SECONDS = 1.0
"""Between two looks whether `rq suspend` still holds."""
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
        if connection.connection_pool.connection_kwargs.get("decode_responses"):
            raise ConfigurationError(
                "RQ's connection has decode_responses on, and ids are read as bytes: leave "
                "decode_responses out of the --url that rq worker was given."
            )
        self._shifts = Shifts(connection, settings.queue, job_timeout=self.setup.worker.job_timeout)
        self.messages_queue = Queue(
            connect(settings.redis_url, timeout=REDIS_TIMEOUT),
            settings.queue,
            partitions=settings.partitions,
        )
        self._turns = Turns()
        self._suspension = Suspension()
        self._burst_end = BurstEnd()
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

    @property
    def burst_code(self) -> int:
        """The exit code of a burst that is over: 0 where nothing is left."""
        return self._burst_end.code

    def bootstrap(self, *args: Any, **kwargs: Any) -> None:
        """Registers this worker with RQ, however long that takes; messages flow meanwhile."""
        backoff = Backoff(cap=_BACKOFF_CAP)
        while not self._stop_requested and not self._is_finished():
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
        """The next job; sees to it first that a shift waits. None ends the worker.

        Whatever RQ holds, or does not give, this worker drains: where no drain job comes of it in
        time, it drains without RQ.
        """
        backoff = Backoff(cap=_BACKOFF_CAP)
        self.set_state(WorkerStatus.IDLE)
        while not self._stop_requested and not self._is_finished():
            if self._suspension.is_on(self.connection):
                self._wait_for_resume()
            elif self._turns.is_overdue:
                self._drain_starved()
            else:
                found = self._next_of_rq(backoff)
                if found is not None:
                    return found
        return None

    def _next_of_rq(self, backoff: Backoff) -> tuple[RqJob, RqQueue] | None:
        try:
            if self.should_run_maintenance_tasks:
                self.run_maintenance_tasks()
            self._shifts.see_to_one_waiting()
            found = self._dequeue()
        except RedisError as error:
            self._outlive(error, backoff)
            return None
        except Exception:
            # A bug, ours or RQ's: it must neither end this worker nor spin, nor stop delivery.
            if backoff.is_to_be_told():
                log.exception("bug: RQ gives no job; draining goes on without it")
            self._pause(min(backoff.next(), max(0.0, self._turns.seconds_left)))
            return None
        backoff.reset()
        self.heartbeat()
        return found

    def execute_job(self, job: RqJob, queue: RqQueue) -> None:
        """Runs it in a horse."""
        began = time.monotonic()
        super().execute_job(job, queue)
        seconds, was_drain = time.monotonic() - began, isinstance(job, Job) and job.is_drain
        self._pause(self._turns.after_job(seconds, was_drain=was_drain))

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
            log.exception("bad_job: a job in RQ's queue could not be read; it is left out")
            drop_unreadable(self.queues[0])
            self._pause(self._turns.after_job(0.0, was_drain=False))
            return None
        if found is not None:
            found[0].redis_server_version = get_version(self.connection)
        return found

    def _is_finished(self) -> bool:
        """Whether a burst is over; `burst_code` says how."""
        if not self.setup.burst:
            return False
        try:
            waiting = self.messages_queue.books().waiting
        except PASSING as error:
            return self._burst_end.is_away(error)
        return self._burst_end.is_drained(
            waiting, suspended=self._suspension.is_on(self.connection)
        )

    def _wait_for_resume(self) -> None:
        """A look at a time while `rq suspend` holds."""
        if self.get_state() != WorkerStatus.SUSPENDED:
            self.set_state(WorkerStatus.SUSPENDED)
        self.heartbeat()
        self._pause(SUSPENDED_SECONDS)
        self._turns.begin()
        if not self._suspension.is_on(self.connection):
            self.set_state(WorkerStatus.IDLE)

    def _drain_starved(self) -> None:
        if self._turns.is_to_be_told():
            log.warning("rq_starved: no drain job came from RQ in time; draining without it")
        self._drain_without_rq(STARVED_SECONDS)

    def _outlive(self, error: RedisError, backoff: Backoff) -> None:
        """Drains without RQ where its node refuses writes, or is away and not the queue's own."""
        is_away = isinstance(error, RedisConnectionError | RedisTimeoutError)
        settings = self.setup.settings
        if backoff.is_to_be_told():
            what = "is away" if is_away else "refuses writes"
            log.warning("rq_away: RQ's node %s: %s", what, error)
        if not is_away or settings.rq_url != settings.redis_url:
            self._drain_without_rq()
        else:
            # Nobody can drain: no turn is missed.
            self._turns.begin()
        self._pause(backoff.next())

    def _drain_without_rq(self, seconds: float = WITHOUT_RQ_SECONDS) -> None:
        if self._suspension.is_on(self.connection):
            return
        began = time.monotonic()
        seconds = min(self.setup.worker.shift, seconds)
        pid = self.fork_horse(
            lambda: drain(self.setup, worker_name=self.name, link=None, seconds=seconds)
        )
        self.wait_for_horse()
        self.see_off_horse(pid)
        self._pause(self._turns.after_drain(time.monotonic() - began))

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
            queue.release_maintenance_lock()

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
