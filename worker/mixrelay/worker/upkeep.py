"""What a shift sees to now and then, beside the messages: partitions, bulk jobs, limits, indexes.

Each turn is short, and any number of shifts may do it at once. Messages are delivered whatever
becomes of it: of several nodes it may need one that is away.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta

from redis.exceptions import RedisError, ResponseError

from mixrelay.shared.connection import REFUSALS, connect
from mixrelay.shared.errors import ConfigurationError, WrongKeyType
from mixrelay.shared.queue import Queue
from mixrelay.shared.settings import Settings
from mixrelay.worker.hot_shards import FLUSH_SECONDS, ShardCounts
from mixrelay.worker.patience import Backoff
from mixrelay.worker.rq_job import BULK
from mixrelay.worker.rq_queue import enqueue_bulk
from mixrelay.worker.settings import WorkerSettings

log = logging.getLogger(__name__)

PARTITIONS_SECONDS = 5.0
JOBS_SECONDS = 1.0
RETENTION_SECONDS = 5.0
MEND_SECONDS = 5.0
HURRIED_SECONDS = 0.1
"""Until the next turn, where a turn did not come to an end."""
FAILED_SECONDS = 30.0
_AWAY_SECONDS, _AWAY_AT_MOST = 1.0, 16.0
"""Until anything is tried again, where a node was away: one that hangs takes time from messages."""
_TURN_SECONDS = 0.5
"""That the letters of jobs with a rate may take of the time for messages."""
_RQ_TIMEOUT = 1.0
_SLICE = 500


class Upkeep:
    """The turns of one shift."""

    def __init__(
        self,
        queue: Queue,
        settings: Settings,
        worker: WorkerSettings,
        shards: ShardCounts | None = None,
    ) -> None:
        self._queue = queue
        self._settings = settings
        self._worker = worker
        self._shards = shards
        self._told_limits = False
        self._backoff = Backoff(_AWAY_SECONDS, _AWAY_AT_MOST)
        self._away_until = 0.0
        self._next = 0
        self._turns: list[tuple[Callable[[], float], float]] = [
            (self._announce, 0.0),
            (self._jobs, 0.0),
            (self._expire, 0.0),
            (self._mend, 0.0),
            (self._count_shards, 0.0),
        ]

    def __call__(self) -> None:
        """Does what is due; what a node that is away keeps from being done stays due."""
        if time.monotonic() < self._away_until:
            return
        try:
            self._do_what_is_due()
        except RedisError as error:
            if self._backoff.is_to_be_told():
                log.warning("redis_away: bulk jobs and limits continue later: %s", error)
            self._away_until = time.monotonic() + self._backoff.next()
        else:
            self._backoff.reset()

    def _do_what_is_due(self) -> None:
        """One failure ends it: a node that hangs costs one timeout, and the others are next."""
        for _ in self._turns:
            index, self._next = self._next, (self._next + 1) % len(self._turns)
            turn, due = self._turns[index]
            if time.monotonic() >= due:
                self._turns[index] = turn, time.monotonic() + self._take(turn)

    def _take(self, turn: Callable[[], float]) -> float:
        try:
            return turn()
        except REFUSALS:
            raise
        except (ResponseError, WrongKeyType) as error:
            log.error("upkeep_failed: %s", error)  # noqa: TRY400 - the server's, not a trace's
            return FAILED_SECONDS

    def _announce(self) -> float:
        self._queue.announce()
        return PARTITIONS_SECONDS

    def _expire(self) -> float:
        age, most = self._worker.dlq_max_age, self._worker.dlq_max_letters
        # Once also without limits, so that those of a former setting are forgotten.
        if not (age or most) and self._told_limits:
            return RETENTION_SECONDS
        dropped = self._queue.retention.expire(timedelta(seconds=age), most, _SLICE)
        self._told_limits = True
        if dropped:
            log.warning(
                "dlq_expired: %d dead letters are over the limits and were dropped",
                dropped,
                extra={"letters": dropped},
            )
        return HURRIED_SECONDS if dropped >= _SLICE else RETENTION_SECONDS

    def _mend(self) -> float:
        return HURRIED_SECONDS if self._queue.mend(_SLICE) else MEND_SECONDS

    def _count_shards(self) -> float:
        if self._shards:
            self._shards.flush()
        return FLUSH_SECONDS

    def _jobs(self) -> float:
        for job_id in self._queue.jobs.stalled():
            try:
                self._go_on(job_id)
            except ConfigurationError as error:
                # A newer program's, and for its workers to run.
                about = {"job": job_id}
                log.warning("bulk: job %s is skipped: %s", job_id, error, extra=about)
        return JOBS_SECONDS

    def _go_on(self, job_id: str) -> None:
        job = self._queue.jobs.get(job_id)
        if job is None:
            return
        if job.rate is None:
            self._hand_over(job_id)
            return
        ends = time.monotonic() + _TURN_SECONDS
        while job is not None and not job.state.is_over and time.monotonic() < ends:
            step = self._queue.jobs.step(job)
            if step.wait_seconds:
                return
            job = step.job

    def _hand_over(self, job_id: str) -> None:
        name = self._settings.queue
        try:
            with connect(self._settings.rq_url, timeout=_RQ_TIMEOUT) as rq:
                enqueue_bulk(rq, BULK, name, args=(name, job_id))
        except RedisError as error:
            log.debug("redis_away: RQ's node: %s", error)
