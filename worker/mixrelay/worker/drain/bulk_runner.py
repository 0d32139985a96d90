"""Bulk jobs, done in a thread beside the delivery of messages: they never take its turn.

What a job is to do and how far it is stands in its record (`mixrelay.shared.queue.jobs.jobs`), so
nothing rests on this thread or on RQ: a job whose runner is gone is found by the next that looks,
and two that run the same do no harm.
"""

import logging
import threading
import time
from collections import deque

from redis.exceptions import RedisError

from mixrelay.shared.errors import ConfigurationError, WrongKeyType
from mixrelay.shared.queue import Job, JobKind, Queue
from mixrelay.shared.shortage import is_shortage, shortage_words
from mixrelay.worker.base.retry import Backoff, is_bug

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""Between two looks for jobs that nobody runs; one with a rate goes on at each."""
TURN_SECONDS = 0.25
"""Of one job, where several are in hand."""
TELL_SECONDS = 5.0
REFRESH_SECONDS = 5.0
END_SECONDS = 2.0
"""For the step that is under way when the drain job ends."""
_UNSETTLED_AT_MOST = 20
_AWAY_SECONDS, _AWAY_AT_MOST = 1.0, 16.0


class BulkRunner:
    """Does bulk jobs, in turns where there are several, until it is stopped."""

    def __init__(self, queue: Queue) -> None:
        """Takes a queue object of its own: `queue.jobs` is of one thread. Opens nothing."""
        self._queue = queue
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._in_hand: deque[str] = deque()
        self._unsettled: set[str] = set()
        """Jobs done here whose letters are not all delivered or failed again."""
        self._look_at = self._refresh_at = self._tell_at = self._settled_at = 0.0

    def start(self) -> None:
        """Without a thread to spare bulk jobs are left to other workers, and messages go on."""
        thread = threading.Thread(target=self._run, name="mixrelay-bulk", daemon=True)
        try:
            thread.start()
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            log.warning("worker_short: no %s for bulk jobs; they wait", shortage_words(error))
        else:
            self._thread = thread

    def stop(self) -> None:
        """Leaves the jobs in hand to whoever looks next."""
        self._ended.set()
        if self._thread:
            self._thread.join(END_SECONDS)

    def _run(self) -> None:
        backoff = Backoff(_AWAY_SECONDS, _AWAY_AT_MOST)
        while not self._ended.is_set():
            delay = 0.0
            try:
                self._look()
                self._tell_outcomes()
                if self._in_hand:
                    self._turn()
                else:
                    delay = LOOK_SECONDS
            except WrongKeyType as error:
                if backoff.is_to_be_told():
                    log.error("upkeep_failed: bulk jobs wait: %s", error)  # noqa: TRY400
                delay = backoff.next()
            except RedisError as error:
                if backoff.is_to_be_told():
                    log.warning("redis_away: bulk jobs wait: %s", error)
                delay = backoff.next()
            except Exception:
                # Whatever it is, messages are delivered; and no loop without a pause.
                log.exception("upkeep_failed: bulk jobs")
                delay = backoff.next()
            else:
                backoff.reset()
            self._ended.wait(delay)
        self._leave()

    def _look(self) -> None:
        now = time.monotonic()
        if now >= self._refresh_at:
            self._refresh_at = now + REFRESH_SECONDS
            self._queue.refresh()
        if now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        for job_id in self._queue.jobs.stalled():
            if job_id not in self._in_hand:
                self._in_hand.append(job_id)

    def _turn(self) -> None:
        """Goes on with the job that has waited longest; keeps it in hand if there is more."""
        job_id = self._in_hand[0]
        try:
            goes_on = self._go_on(job_id)
        except ConfigurationError as error:
            # A newer program's, and for its workers to run.
            log.warning("bulk: job %s is left alone: %s", job_id, error, extra={"job": job_id})
            goes_on = False
        except Exception as error:
            if isinstance(error, RedisError) and not is_bug(error):
                raise
            goes_on = False
            self._fail(job_id, error)
        self._in_hand.popleft()
        if goes_on:
            self._in_hand.append(job_id)

    def _go_on(self, job_id: str) -> bool:
        """Some steps of it; whether more can be done at once."""
        job = self._queue.jobs.get(job_id)
        ends = time.monotonic() + TURN_SECONDS
        while job is not None and not job.state.is_over:
            if self._ended.is_set() or time.monotonic() >= ends:
                self._tell(job)
                return True
            step = self._queue.jobs.step(job)
            if step.wait_seconds:
                return False
            job = step.job
        if job is not None:
            self._tell(job, is_over=True)
            if job.kind != JobKind.DISCARD and len(self._unsettled) < _UNSETTLED_AT_MOST:
                self._unsettled.add(job_id)
        return False

    def _fail(self, job_id: str, error: Exception) -> None:
        """A job that cannot be done ends, and says why: it would fail again and again."""
        log.error("upkeep_failed: job %s cannot be done", job_id, exc_info=error)
        self._queue.jobs.fail(job_id, f"It cannot be done: {type(error).__name__}: {error}")

    def _tell_outcomes(self) -> None:
        """Log what became of jobs that were done here, once all of it is known."""
        now = time.monotonic()
        if not self._unsettled or now < self._settled_at:
            return
        self._settled_at = now + TELL_SECONDS
        for job_id in tuple(self._unsettled):
            job = self._queue.jobs.get(job_id)
            if job is None or job.is_settled:
                self._unsettled.discard(job_id)
            if job is not None and job.is_settled:
                self._tell_settled(job)

    @staticmethod
    def _tell_settled(job: Job) -> None:
        found = job.outcome
        fields = {
            "job": job.id,
            "requeued": job.requeued,
            "delivered": found.delivered,
            "failed_again": found.failed_again,
            "same_error": found.same_error,
        }
        log.info(
            "bulk: %s %s is settled: %d re-queued, %d delivered, %d failed again (%d same error)",
            job.kind,
            *fields.values(),
            extra=fields,
        )

    def _tell(self, job: Job, *, is_over: bool = False) -> None:
        now = time.monotonic()
        if not is_over and now < self._tell_at:
            return
        self._tell_at = now + TELL_SECONDS
        fields = {"job": job.id, "letters": job.moved}
        log.info("bulk: %s %s: %d letters so far", job.kind, *fields.values(), extra=fields)

    def _leave(self) -> None:
        """Another worker may go on with them at once; else it would wait for a sign of life."""
        for job_id in self._in_hand:
            try:
                self._queue.jobs.leave(job_id)
            except Exception as error:  # noqa: BLE001 - they are found all the same, a little later
                log.debug("redis_away: a bulk job is left as it is: %s", error)
                return
