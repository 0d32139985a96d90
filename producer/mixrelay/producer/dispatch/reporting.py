"""Who hears of messages that were not delivered."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from contextvars import ContextVar
from functools import cache
from time import monotonic
from typing import Literal, TypeAlias

from mixrelay.producer.dispatch.endings import is_ending

Handler: TypeAlias = Callable[[Exception], object]
OnInvalid: TypeAlias = Literal["raise", "log", "dead-letter"]

LINE_SECONDS = 10.0
"""Between two lines of the default handler; in an outage each request would write one."""

logger = logging.getLogger("mixrelay.producer")


class ErrorHandler:
    """Hears of every message that was not delivered; logs it as a warning.

    Make a subclass with a ``handle`` of your own, or give the tracker any callable that takes
    the exception. The messages of these exceptions hold no credentials and no properties.
    """

    # Of the class, since a subclass in the manner of Ruby's calls no __init__ of this one.
    _text = "%s%s"
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
        logger.warning(self._text, error, more)


class _OfHandlers(ErrorHandler):
    """Hears of what an error handler's own calls failed to deliver."""

    _text = "A call that an error handler made failed too: %s%s"


_of_handlers = _OfHandlers()

_running: ContextVar[tuple[Handler, ...]] = ContextVar("mixrelay_handlers", default=())
"""The handlers that this context is in. A task that a handler starts has a copy: what it tracks
and fails to deliver would else start the next one, without an end."""


def tell(handler: Handler, error: Exception) -> None:
    """Call a handler; what it raises itself is logged, since it must not reach a request.

    A handler may track. What such a call fails to deliver is logged, at most once in 10 s, and not
    given to the same handler again, which would track again.
    """
    running = _running.get()
    if any(one is handler for one in running):
        _of_handlers(error)
        return
    entered = _running.set((*running, handler))
    try:
        _check_done(handler(error))
    except Exception as failure:
        if is_ending(failure):
            raise
        logger.exception("The error handler failed on: %s", error)
    finally:
        _running.reset(entered)


def _check_done(returned: object) -> None:
    """Refuse what a handler leaves to be awaited: its call has done nothing.

    Raises:
        TypeError: it is a coroutine.
    """
    if inspect.iscoroutine(returned):
        returned.close()
        raise TypeError(
            "The error handler returned a coroutine, which nothing awaits; start it as a task of "
            "the event loop, or write the handler without async."
        )


@cache
def say_that_secrets_end() -> None:
    """Log, once in a process, that project secrets end (Mixpanel: Project Secret)."""
    logger.warning(
        "An import brings an api_key. Mixpanel retires project secrets on 2027-03-03: leave "
        "api_key out, and give the workers a service account (MIXPANEL_SERVICE_ACCOUNT_USERNAME, "
        "MIXPANEL_SERVICE_ACCOUNT_SECRET, MIXPANEL_PROJECT_ID), or let them import by the token."
    )
