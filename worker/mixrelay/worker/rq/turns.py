"""When delivery had its turn last: other jobs of RQ's, good or bad, never keep it waiting."""

import logging
import time

from mixrelay.worker.base.retry import Backoff

log = logging.getLogger(__name__)

OTHERS_SECONDS = 2.0
"""The longest that a worker goes without draining while RQ gives it other jobs, or none."""
OTHERS_AGAIN_SECONDS = 1.0
"""The same after a drain without RQ: it did not give one the last time either."""
SHORT_SECONDS = 0.5
"""A drain that ends sooner has not had its turn, and another must not follow at once."""
_BACKOFF_CAP = 5.0


class Turns:
    """Of one worker process. Seconds are of its own steady clock."""

    def __init__(self) -> None:
        self._since = time.monotonic()
        self._through_rq = True
        self._short = Backoff(cap=_BACKOFF_CAP)
        self._tell = Backoff()

    @property
    def seconds_left(self) -> float:
        """Until delivery has to have its turn."""
        limit = OTHERS_SECONDS if self._through_rq else OTHERS_AGAIN_SECONDS
        return self._since + limit - time.monotonic()

    @property
    def is_overdue(self) -> bool:
        return self.seconds_left <= 0

    def is_to_be_told(self) -> bool:
        """Whether a drain without RQ deserves a log line: the first, then one in a while."""
        told = self._tell.is_to_be_told()
        self._tell.next()
        return told

    def begin(self) -> None:
        """From now on delivery waits: the worker was not at work before, or suspended."""
        self._since = time.monotonic()

    def after_job(self, seconds: float, *, was_drain: bool) -> float:
        """Notes a job of RQ's that is over; answers how long to pause before the next.

        Jobs that end at once, one after the other, must not spin, nor hold delivery up.
        """
        if was_drain and seconds >= SHORT_SECONDS:
            self._since, self._through_rq = time.monotonic(), True
            self._short.reset()
            self._tell.reset()
            return 0.0
        return max(0.0, min(self._short.next(), self.seconds_left))

    def after_drain(self, seconds: float) -> float:
        """Notes a drain without RQ; answers how long to pause before anything else."""
        self._since, self._through_rq = time.monotonic(), False
        if seconds >= SHORT_SECONDS:
            self._short.reset()
            return 0.0
        pause = self._short.next()
        self._since += pause
        return pause
