"""Whether Redis is worth a try, so that not every call pays for its absence."""

from __future__ import annotations

from time import monotonic

from mixrelay.producer.dispatch.reporting import logger

FIRST_WINDOW = 0.25
LONGEST_WINDOW = 4.0
"""Seconds in which nobody tries after a failure; doubled by each failing try."""


class Breaker:
    """Opens at a failure; then one call in each window tries, until one succeeds.

    There is no lock: two threads that meet may both try, which harms nobody, and a fork finds
    nothing held.
    """

    def __init__(self) -> None:
        self._window = 0.0
        self._opened = 0.0
        self._next_try = 0.0

    @property
    def is_open(self) -> bool:
        """Whether the last try failed."""
        return self._window > 0

    @property
    def seconds_left(self) -> float:
        """Until someone may try again."""
        return max(self._next_try - monotonic(), 0.0) if self._window else 0.0

    def allows(self) -> bool:
        """Whether this call may try; if the breaker is open, others then wait one window more."""
        if not self._window:
            return True
        now = monotonic()
        if now < self._next_try:
            return False
        self._next_try = now + self._window
        return True

    def failed(self) -> bool:
        """Note a failure; True where it is the first since a success."""
        now = monotonic()
        if self._window and now < self._opened + self._window:
            # A call that began before the breaker opened tells nothing new.
            return False
        first = not self._window
        self._window = FIRST_WINDOW if first else min(2 * self._window, LONGEST_WINDOW)
        self._opened = now
        self._next_try = now + self._window
        return first

    def succeeded(self) -> bool:
        """Note a success; True where it ends an outage."""
        if not self._window:
            return False
        self._window = 0.0
        return True


def recovered(breaker: Breaker) -> None:
    """Note that Redis took something; log it where it had not for a while."""
    if breaker.succeeded():
        logger.info("Redis takes messages again.")
