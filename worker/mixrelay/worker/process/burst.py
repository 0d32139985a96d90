"""How `mixrelay worker --burst` ends: always with words, and with 0 only where nothing is left."""

import logging
import time

from mixrelay.worker.rq.suspension import HOW_TO_RESUME

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 30.0
"""How long a burst waits for a Redis that does not answer: as long as a failover may take."""

EXIT_AWAY = 3
"""Redis cannot be reached, as with every command."""
EXIT_SUSPENDED = 75
"""Of a worker process alone (1 is that of a crash); the command ends with 1."""
GAVE_UP = frozenset({EXIT_AWAY, EXIT_SUSPENDED})


class AwayTooLong:
    """Measures how long Redis has not answered, by this process's own steady clock."""

    def __init__(self) -> None:
        self._since: float | None = None

    def answered(self) -> None:
        self._since = None

    def after_failure(self) -> bool:
        """Whether the patience of a burst is over."""
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since >= PATIENCE_SECONDS


class BurstEnd:
    """Decides when one worker's burst is over; `code` is the process's exit code then."""

    def __init__(self) -> None:
        self.code = 0
        self._away = AwayTooLong()

    def is_drained(self, waiting: int, *, suspended: bool) -> bool:
        """Whether nothing is left to do, or nothing can be done."""
        self._away.answered()
        if waiting and suspended:
            log.error(
                "burst_ended: RQ's workers are suspended (rq suspend): %d messages wait, and none "
                "is sent. Run %s, and start the burst again",
                waiting,
                HOW_TO_RESUME,
                extra={"records": waiting},
            )
            self.code = EXIT_SUSPENDED
        return not waiting or suspended

    def is_away(self, error: Exception) -> bool:
        """Whether to wait for Redis no longer."""
        if not self._away.after_failure():
            return False
        tell_away(error)
        self.code = EXIT_AWAY
        return True


def tell_away(error: Exception) -> None:
    """Logs why a burst ends though nobody knows what is left."""
    log.error(
        "burst_ended: Redis has not answered for %.0f s (%s), so nobody knows what waits. Bring it "
        "back, and start the burst again; without --burst a worker waits for it",
        PATIENCE_SECONDS,
        error,
    )
