"""Waiting out Redis: a capped, jittered backoff, and moves repeated until they are answered."""

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from mixrelay.shared.connection import shorten_timeouts
from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.shortage import is_shortage, shortage_words

log = logging.getLogger(__name__)

PASSING = (RedisError, WrongKeyType)
"""What a worker outlives: it says so, waits and asks again. A cluster's refusals are among them
(CLUSTERDOWN, TRYAGAIN, MOVED): redis-py has no other base for those."""

SHORT_TRIES = 5
"""Of a move in a row, while this process lacks memory or threads; then its job has to end."""

TELL_EVERY_SECONDS = 30.0

HURRIED_SECONDS = 1.0
"""What one reply may take once the process has to end: little of its time is left."""

AnswerT = TypeVar("AnswerT")


class Abandoned(Exception):
    """The time to repeat a move is over; whether it was carried out is unknown."""


class Until(threading.Event):
    """An event that the clock sets: a timer is a thread, and there may be none left."""

    def __init__(self, moment: float) -> None:
        super().__init__()
        self._moment = moment

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is set, or that many seconds."""
        left = max(0.0, self._moment - time.monotonic())
        super().wait(left if timeout is None else min(left, timeout))
        return time.monotonic() >= self._moment


class Backoff:
    """Seconds to wait after each failure in a row: doubled up to a cap, half of it by chance.

    By chance, so that a fleet does not come back as one.
    """

    def __init__(self, base: float = 0.05, cap: float = 2.0) -> None:
        self._base = base
        self._cap = cap
        self.failures = 0
        self._told_at = 0.0

    def is_to_be_told(self) -> bool:
        """Whether a failure deserves a log line: the first of a row, then one in a while."""
        now = time.monotonic()
        if self.failures and now - self._told_at < TELL_EVERY_SECONDS:
            return False
        self._told_at = now
        return True

    def next(self) -> float:
        delay = min(self._cap, self._base * 2.0 ** min(self.failures, 16))
        self.failures += 1
        # Spread, not secrecy.
        return delay * random.uniform(0.5, 1.0)  # noqa: S311

    def reset(self) -> None:
        self.failures = 0


def is_bug(error: Exception) -> bool:
    """Whether a script itself failed: repeating it would fail for ever."""
    return type(error) is ResponseError and "user_script" in str(error)


def hurry(redis: Redis, seconds: float = HURRIED_SECONDS) -> None:
    """From now on a client waits for no reply longer than that."""
    shorten_timeouts(redis, seconds)


def persist(action: Callable[[], AnswerT], *, what: str, abandon: threading.Event) -> AnswerT:
    """Repeats a move until Redis answers. The action must be one that may be repeated.

    Raises:
        Abandoned: `abandon` was set first.
        redis.ResponseError: the script itself failed.
        MemoryError, RuntimeError: this process stays short of memory or threads.
    """
    backoff = Backoff()
    short = 0
    while True:
        try:
            return action()
        except PASSING as error:
            if is_bug(error):
                raise
            if backoff.is_to_be_told():
                log.warning("redis_away: %s is tried again: %s", what, error)
            if abandon.wait(backoff.next()):
                raise Abandoned(what) from error
        except (MemoryError, RuntimeError) as error:
            # What was sent and is not written down would be sent again.
            short += 1
            if not is_shortage(error) or short >= SHORT_TRIES:
                raise
            log.warning("worker_short: %s is tried again: no %s", what, shortage_words(error))
            if abandon.wait(backoff.next()):
                raise Abandoned(what) from error
