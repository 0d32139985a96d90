"""RQ's worker, made to outlive Redis's moods and to end well.

RQ's own exits on a refused write or a late reply and leaves its work-horse running; on a full
Redis it cannot even boot. Here a failure of RQ's bookkeeping ends nothing: it is logged, and
where RQ's writes are refused a shift runs in a child without RQ until they succeed.
"""

import logging
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq.exceptions import DequeueTimeout
from rq.job import Job as RqJob
from rq.queue import Queue as RqQueue
from rq.utils import get_version
from rq.worker import WorkerStatus

from mixrelay.shared.connection import connect
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import Queue
from mixrelay.worker.base.retry import PASSING, Backoff
from mixrelay.worker.drain.session import REDIS_TIMEOUT, Setup
from mixrelay.worker.process.burst import BurstEnd
from mixrelay.worker.pulse import Pulse
from mixrelay.worker.rq.bookkeeping import BookKeeper
from mixrelay.worker.rq.job import Job
from mixrelay.worker.rq.leftovers import drop_unreadable
from mixrelay.worker.rq.queue import Shifts, queue_name
from mixrelay.worker.rq.suspension import Suspension
from mixrelay.worker.rq.turns import Turns
from mixrelay.worker.shift import drain

log = logging.getLogger(__name__)

DEQUEUE_SECONDS = 1
WITHOUT_RQ_SECONDS = 30.0
STARVED_SECONDS = 10.0
"""The same where RQ's node answers and gives no drain job."""
HEARTBEAT_SECONDS = 10
MAINTENANCE_SECONDS = 60
"""How often RQ looks for jobs whose worker was lost; its own 600 s are long for bulk work."""
SUSPENDED_SECONDS = 1.0
"""Between two looks whether `rq suspend` still holds."""
_BACKOFF_CAP = 5.0
_CHECK_SECONDS = 0.05


class Worker(BookKeeper):
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
        self.pulse = Pulse(self.setup.worker.health_file)
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
            self.pulse.beat()
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
            log.exception("bad_job: a job in RQ's queue cannot be read; it is skipped")
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
            self.pulse.beat()
            time.sleep(_CHECK_SECONDS)
