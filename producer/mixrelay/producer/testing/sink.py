"""The sink of a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixrelay.producer.dispatch.reporting import Handler
from mixrelay.producer.errors import ServerError
from mixrelay.producer.testing.validity import Validity

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.batch import Messages


class MemorySink(Validity):
    """A tracker's sink that keeps what it is given; one for each test."""

    error_handler: Handler | None = None
    """Told where a test lets the spool take messages; a tracker gives its own."""

    def __call__(self, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word for it
        """Keep a message and return True; fail where the test asks for it."""
        return self.send_all([(type, message)])

    def send_all(self, messages: Messages) -> bool:
        """Keep the messages of a batch and return True; fail where the test asks for it."""
        self.take_for(self.error_handler, messages)
        return True

    def take_for(self, handler: Handler | None, messages: Messages) -> None:
        """Keep messages of a tracker with this error handler.

        Raises:
            DeliveryError: the test asks for it.
        """
        self._tell_of_spool(handler)
        self._take(messages)

    def send_at_once(self, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word for it
        """Keep what is sent past the queue; its caller hears of a refusal.

        Raises:
            ServerError: a record was refused.
        """
        refused = self._take([(type, message)])
        if refused:
            body = "; ".join(one.why for one in refused)
            raise ServerError(f"Mixpanel answered 400: {body}", status=400, body=body)
        return True

    def __repr__(self) -> str:
        """Show what it holds, for pytest's failures."""
        return f"MemorySink(events={self.events!r}, updates={self.updates!r})"
