"""The three clocks of a drain job: Redis's, this host's, and the queue's own, which nobody sets."""

from __future__ import annotations

import logging
import time

from redis.exceptions import RedisError

from mixrelay.shared.queue import Queue
from mixrelay.worker.base.moment import Moment

log = logging.getLogger(__name__)

TOLERANCE_SECONDS = 60.0
"""Apart by more, one of two clocks is wrong, and nobody here knows which."""


class Clocks:
    """Redis's clocks, asked once and counted on by one that no one sets. Of any thread."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._wall: float | None = None
        self._steady: float | None = None

    def now_ms(self) -> Moment:
        """Return the present, for what is judged by a record's time.

        What one of the two clocks calls too old, or ahead, may be right by the other.
        """
        host = time.time()
        if self._wall is None:
            try:
                seconds, micros = self._queue.redis.time()  # type: ignore[misc, unused-ignore]
            except RedisError:
                return Moment(round(host * 1000))
            self._wall = seconds + micros / 1e6 - time.monotonic()
            _say(host - seconds)
        redis = self._wall + time.monotonic()
        if abs(host - redis) < TOLERANCE_SECONDS:
            return Moment(round(redis * 1000))
        return Moment(round(min(host, redis) * 1000), max(0, round((host - redis) * 1000)))

    def steady_ms(self) -> int:
        """Return the time by the queue's own clock, which tells what was sent before evidence."""
        if self._steady is None:
            try:
                self._steady = self._queue.steady_ms() / 1000 - time.monotonic()
            except RedisError:
                return round(time.time() * 1000)
        return round((self._steady + time.monotonic()) * 1000)


def _say(ahead: float) -> None:
    if abs(ahead) >= TOLERANCE_SECONDS:
        log.error(
            "clock_skew: this host's clock is %.0f s %s Redis's; events without a time get "
            "the earlier one's. Let NTP set both",
            abs(ahead),
            "ahead of" if ahead > 0 else "behind",
        )
