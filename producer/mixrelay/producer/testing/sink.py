"""The sink of a test."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mixrelay.producer.dispatch.reporting import Handler
from mixrelay.producer.errors import DeliveryError, ServerError
from mixrelay.producer.testing.validity import Validity

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.batch import Messages, Sender


class MemorySink(Validity):
    """A tracker's sink that keeps what it is given; one for each test."""

    error_handler: Handler | None = None
    """Told where a test lets the spool take messages; a tracker gives its own."""

    def __call__(self, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word for it
        """Keep a message and return True; fail where the test asks for it."""
        return self.send_all([(type, message)])

    def send_all(self, messages: Messages) -> bool:
        """Keep the messages of a batch and return True; fail where the test asks for it."""
        self._take_for(self.error_handler, messages)
        return True

    def __repr__(self) -> str:
        """Show what it holds, for pytest's failures."""
        return f"MemorySink(events={self.events!r}, updates={self.updates!r})"

    def _take_for(self, handler: Handler | None, messages: Messages) -> bool:
        """Keep messages of a tracker with this error handler; whether they went to the spool.

        Raises:
            DeliveryError: the test asks for it.
        """
        self._tell_of_spool(handler)
        self._take(messages)
        return self._is_spooling()


class Captured(MemorySink):
    """What stands in for the sinks of a process, and for those that send at once."""

    def __init__(self, is_ours: Callable[[Sender[Any]], bool]) -> None:
        """Make one.

        Args:
            is_ours: whether what an outlet's open batches hold is to come here.
        """
        super().__init__()
        self._is_ours = is_ours

    def queue(self, one: Any, messages: Messages) -> bool:
        """Keep what a sink of the queue's is given, and count it there as that does itself.

        Raises:
            DeliveryError: the test asks for it.
        """
        try:
            is_spooled = self._take_for(one.error_handler, messages)
        except DeliveryError:
            one.counters.add("failed", len(messages))
            raise
        one.counters.add("spooled" if is_spooled else "queued", len(messages))
        return True

    def send_at_once(self, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word for it
        """Keep what is sent past the queue; its caller hears of a refusal.

        Raises:
            ServerError: a record was refused.
            DeliveryError: the test asks for it.
        """
        refused = self._take([(type, message)])
        if refused:
            body = "; ".join(one.why for one in refused)
            raise ServerError(f"Mixpanel answered 400: {body}", status=400, body=body)
        return True
