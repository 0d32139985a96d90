"""Who hears of messages that were not delivered."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from time import monotonic
from typing import TypeAlias

from mixrelay.producer.endings import is_ending

Handler: TypeAlias = Callable[[Exception], object]

LINE_SECONDS = 10.0
"""Between two lines of the default handler; in an outage each request would write one."""

logger = logging.getLogger("mixrelay.producer")


class ErrorHandler:
    """Hears of every message that was not delivered; logs it as a warning.

    Make a subclass with a ``handle`` of your own, or give the tracker any callable that takes
    the exception. The messages of these exceptions hold no credentials and no properties.
    """

    # Of the class, since a subclass in the manner of Ruby's calls no __init__ of this one.
    _silent_until = 0.0
    _unsaid = 0

    def __call__(self, error: Exception) -> None:
        """Call ``handle``."""
        self.handle(error)

    def handle(self, error: Exception) -> None:
        """Log it through ``logging.getLogger("mixrelay.producer")``, at most once in 10 s."""
        now = monotonic()
        if now < self._silent_until:
            self._unsaid += 1
            return
        more = f" ({self._unsaid} more since the last line)" if self._unsaid else ""
        self._silent_until, self._unsaid = now + LINE_SECONDS, 0
        logger.warning("%s%s", error, more)


def tell(handler: Handler, error: Exception) -> None:
    """Call a handler; what it raises itself is logged, since it must not reach a request."""
    try:
        handler(error)
    except Exception as failure:
        if is_ending(failure):
            raise
        logger.exception("The error handler raised while it handled: %s", error)


@cache
def say_that_secrets_end() -> None:
    """Log, once in a process, that project secrets end (Mixpanel: Project Secret)."""
    logger.warning(
        "An import brings an api_key. Mixpanel retires project secrets on 2027-03-03: leave "
        "api_key out, and give the workers a service account (MIXPANEL_SERVICE_ACCOUNT_USERNAME, "
        "MIXPANEL_SERVICE_ACCOUNT_SECRET, MIXPANEL_PROJECT_ID), or let them import by the token."
    )
