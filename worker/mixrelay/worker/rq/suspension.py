"""`rq suspend`: RQ's own switch, which stops all workers of RQ's node until `rq resume`.

It is honoured, since those who know RQ expect it, and said: in the log here, and wherever an
operator looks (`status`, `doctor`, alerts, the page, metrics).
"""

import logging
import time

from redis import Redis
from redis.exceptions import RedisError
from rq.suspension import WORKERS_SUSPENDED

log = logging.getLogger(__name__)

TELL_SECONDS = 60.0
HOW_TO_RESUME = "rq resume --url <the address of RQ's node>"


def is_suspended(redis: Redis) -> bool:
    """Ask RQ's node. Raises redis.RedisError where it does not answer."""
    return bool(redis.exists(WORKERS_SUSPENDED))


class Suspension:
    """What this worker knows of it; while RQ's node is away, what it knew before holds."""

    def __init__(self) -> None:
        self._is_on = False
        self._tell_at = 0.0

    def is_on(self, redis: Redis) -> bool:
        """Whether to send nothing now. Logs each change, and once a minute that it lasts."""
        was_on = self._is_on
        try:
            self._is_on = is_suspended(redis)
        except RedisError as error:
            log.debug("rq_away: suspension: %s", error)
        if self._is_on and time.monotonic() >= self._tell_at:
            self._tell_at = time.monotonic() + TELL_SECONDS
            log.warning(
                "suspended: rq suspend stopped the workers of RQ's node; nothing is sent, and "
                "messages wait, until %s",
                HOW_TO_RESUME,
            )
        elif was_on and not self._is_on:
            self._tell_at = 0.0
            log.info("resumed: rq resume let the workers go on")
        return self._is_on
