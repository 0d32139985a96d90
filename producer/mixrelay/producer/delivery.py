"""The last step of a tracking call: hand the message to the sink, and failures to the handler."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from mixrelay.producer.encoding import message_text

if TYPE_CHECKING:
    from mixrelay.producer.plain import Names

R = TypeVar("R")
"""What a sink returns, and with it every tracking call."""

S = TypeVar("S")

Sink: TypeAlias = Callable[[str, str], R]
"""The block of Mixpanel's Ruby library: called with a type (``event``, ``import``,
``profile_update``, ``group_update``) and a message, a JSON text as ``{"data": {…}}``."""

Handler: TypeAlias = Callable[[Exception], object]

logger = logging.getLogger("mixrelay.producer")


class ErrorHandler:
    """Hears of every message that was not delivered; logs it as a warning.

    Make a subclass with a ``handle`` of your own, or give the tracker any callable that takes
    the exception. The messages of these exceptions hold no credentials and no properties.
    """

    def __call__(self, error: Exception) -> None:
        """Call ``handle``."""
        self.handle(error)

    def handle(self, error: Exception) -> None:
        """Log it through ``logging.getLogger("mixrelay.producer")``."""
        logger.warning("%s", error)


class Outlet(Generic[R]):
    """A sink and an error handler: what a tracker and its people and groups share."""

    def __init__(self, sink: Sink[R], error_handler: Handler) -> None:
        self._sink = sink
        self._error_handler = error_handler

    def deliver(
        self, kind: str, record: dict[str, Any], names: Names, api_key: str | None = None
    ) -> R | bool:
        """Return what the sink returns; True for None, and False if it failed.

        Raises:
            InvalidPropertyError: the record holds something that is not JSON.
        """
        return self.hand_over(self._sink, kind, message_text(record, names, api_key))

    def hand_over(self, sink: Sink[S], kind: str, message: str) -> S | bool:
        """Call a sink, and keep from the caller whatever it raises."""
        try:
            result = sink(kind, message)
        except Exception as error:  # noqa: BLE001 - no failure to deliver may reach a request
            self._report(error)
            return False
        # A sink that returns nothing has not failed: Ruby's calls return true then.
        return True if result is None else result

    def _report(self, error: Exception) -> None:
        try:
            self._error_handler(error)
        except Exception:
            logger.exception("The error handler failed while it was told: %s", error)
