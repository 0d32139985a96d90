"""The three clocks of a drain job: Redis's, this host's, and the queue's own, which nobody sets."""

from __future__ import annotations

import logging
import time

from redis.exceptions import RedisError

from mixrelay.shared.mixpanel.endpoints import Credentials
from mixrelay.shared.mixpanel.proving import Ask, ask_import
from mixrelay.shared.queue import Queue
from mixrelay.worker.base.mixpanel_clock import TOLERANCE_SECONDS, MixpanelClock
from mixrelay.worker.base.moment import Moment

log = logging.getLogger(__name__)


class Clocks:
    """Redis's clocks, asked once and counted on by one that no one sets. Of any thread."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self.mixpanel = MixpanelClock()
        self._apart = False
        self._wall: float | None = None
        self._steady: float | None = None

    def compare(self, ask: Ask, base: str, token: str | None) -> None:
        """Ask Mixpanel for the time, where Redis's clock and this host's disagree.

        Before the first batch is taken: what its events' times become is noted then.
        """
        self.now_ms()
        if self._apart:
            self.mixpanel.hear(ask_import(ask, base, Credentials.key(token or "unknown")))

    def host_ms(self) -> int:
        """Return this host's time; Mixpanel's where that shows it to be wrong."""
        return round(self.mixpanel.host() * 1000)

    def now_ms(self) -> Moment:
        """Return the present, for what is judged by a record's time.

        What one of the two clocks calls too old, or ahead, may be right by the other.
        """
        host = self.mixpanel.host()
        if self._wall is None:
            try:
                seconds, micros = self._queue.redis.time()  # type: ignore[misc, unused-ignore]
            except RedisError:
                return Moment(round(host * 1000))
            self._wall = seconds + micros / 1e6 - time.monotonic()
            ahead = time.time() - seconds
            self._apart = abs(ahead) >= TOLERANCE_SECONDS
            if self._apart:
                _say(ahead)
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
    log.error(
        "clock_skew: this host's clock is %.0f s %s Redis's; events without a time get that of the "
        "one that agrees with Mixpanel's answers. Let NTP set both",
        abs(ahead),
        "ahead of" if ahead > 0 else "behind",
    )
