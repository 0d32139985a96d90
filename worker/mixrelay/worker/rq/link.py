"""What a shift and RQ tell each other, in a thread: RQ's node may be away, the queue not."""

import logging
import threading
import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError
from rq.worker import Worker as RqWorker

from mixrelay.shared.connection import connect
from mixrelay.worker.base.retry import Backoff
from mixrelay.worker.base.signals import Stop
from mixrelay.worker.drain.session import REDIS_TIMEOUT, Setup
from mixrelay.worker.rq.job import Job
from mixrelay.worker.rq.queue import Shifts
from mixrelay.worker.rq.suspension import is_suspended

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
PROGRESS_SECONDS = 5.0
AWAY_SECONDS = 5.0
"""The longest time between two tries while RQ's node is away."""
NOT_BEFORE_SECONDS = 60.0
"""A shift makes room for RQ's other jobs after this long: those of older versions."""


class RqLink:
    """Sees to a next shift, watches for other work and a warm shutdown, reports progress.

    It has a connection of its own: RQ raises the timeout of its pool to minutes. Whatever of
    this fails ends nothing.
    """

    def __init__(self, setup: Setup, *, job_id: str, worker_name: str) -> None:
        self._setup = setup
        self._job_id = job_id
        self._worker_name = worker_name
        self.is_wanted_elsewhere = False
        self._ended = threading.Event()

    def start(self, stop: Stop, progress: Callable[[], int]) -> None:
        threading.Thread(
            target=self._run, args=(stop, progress), name="mixrelay-rq", daemon=True
        ).start()

    def end(self) -> None:
        self._ended.set()

    def _run(self, stop: Stop, progress: Callable[[], int]) -> None:
        redis = connect(self._setup.settings.rq_url, timeout=REDIS_TIMEOUT)
        shifts = Shifts(
            redis, self._setup.settings.queue, job_timeout=self._setup.worker.job_timeout
        )
        began = time.monotonic()
        seen_to_next = self._setup.burst
        reported_at, reported = 0.0, -1
        backoff = Backoff(base=CHECK_SECONDS, cap=AWAY_SECONDS)
        while True:
            delay = CHECK_SECONDS
            try:
                if not seen_to_next:
                    shifts.see_to_one_waiting()
                    seen_to_next = True
                self._watch(redis, shifts, stop, began)
                if time.monotonic() - reported_at > PROGRESS_SECONDS and progress() != reported:
                    reported_at, reported = time.monotonic(), progress()
                    self._report(redis, reported)
            except RedisError as error:
                delay = backoff.next()
                log.debug("redis_away: RQ's node: %s", error)
            except Exception:
                # Whatever RQ holds: this thread goes on, and does not spin.
                if backoff.is_to_be_told():
                    log.exception("bug: RQ cannot be watched; draining goes on")
                delay = backoff.next()
            else:
                backoff.reset()
            if self._ended.wait(delay):
                return

    def _watch(self, redis: Redis, shifts: Shifts, stop: Stop, began: float) -> None:
        # A stock worker writes this on SIGTERM and tells its horse nothing.
        worker_key = RqWorker.redis_worker_namespace_prefix + self._worker_name
        if redis.hexists(worker_key, "shutdown_requested_date"):
            stop.requested = True
        # RQ's switch: this drain job ends, and the worker waits until it is let go on.
        if is_suspended(redis):
            self.is_wanted_elsewhere = True
        elif time.monotonic() - began > NOT_BEFORE_SECONDS:
            self.is_wanted_elsewhere = shifts.is_other_work_waiting()

    def _report(self, redis: Redis, messages: int) -> None:
        job = Job(self._job_id, connection=redis)
        job.meta = {"messages": messages}
        job.save_meta()  # type: ignore[no-untyped-call]
