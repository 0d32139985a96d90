"""Of whom nothing is sent: the list as this process knows it, read again every second."""

import logging

from mixrelay.shared.queue.opt_outs import NOBODY, OptOuts

log = logging.getLogger(__name__)

READ_SECONDS = 1.0


class OptedOutList:
    """Read by one thread, and looked at by all: what is known is replaced as a whole."""

    def __init__(self) -> None:
        """Knows nobody yet."""
        self.known = NOBODY

    def read(self, opt_outs: OptOuts) -> None:
        """Asks Redis whether it has changed.

        Raises:
            redis.RedisError: Redis is away; what was known goes on to hold.
        """
        self.known = opt_outs.read(self.known)


def log_opted_out(count: int, lane: str) -> None:
    """Says that records are not sent."""
    if count:
        log.info(
            "opted_out: %d records of %s are about people or groups that opted out; discarded",
            count,
            lane,
            extra={"records": count},
        )
