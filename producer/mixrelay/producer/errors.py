"""What a producer can say went wrong, as one tree.

MixrelayError (mixrelay.shared.errors)
 ├─ ConfigurationError       a setting that cannot work; raised when a tracker is made
 ├─ InvalidPropertyError     the caller's mistake; raised by the tracking call (a ValueError)
 └─ DeliveryError            a message was not delivered; handed to the error handler
     ├─ QueueUnavailableError    Redis is away, hung or cut the connection
     ├─ QueueRefusedError        Redis answered with an error: full, read-only, not a list …
     ├─ ConnectionFailedError    no whole answer came from Mixpanel
     └─ ServerError              Mixpanel answered, and did not accept
"""

from __future__ import annotations

from mixrelay.shared.errors import ConfigurationError, MixrelayError

__all__ = [
    "ConfigurationError",
    "ConnectionFailedError",
    "DeliveryError",
    "InvalidPropertyError",
    "MixrelayError",
    "QueueRefusedError",
    "QueueUnavailableError",
    "ServerError",
]


class InvalidPropertyError(MixrelayError, ValueError):
    """An argument cannot become JSON that Mixpanel takes; nothing was pushed.

    Attributes:
        path: where it is, such as ``properties["cart"]["items"][2]["price"]``.
        reason: what is wrong there and what to send instead.
    """

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[type[InvalidPropertyError], tuple[str, str]]:
        """Survive pickling, which would call the class with the message alone."""
        return type(self), (self.path, self.reason)


class DeliveryError(MixrelayError):
    """A message was not delivered, or nobody knows.

    Attributes:
        maybe_delivered: the message went out and no answer came, so it may have arrived.
            Events are safe to send again (their ``$insert_id`` makes them one); an increment
            or a charge would count twice.
    """

    def __init__(self, text: str, *, maybe_delivered: bool = False) -> None:
        super().__init__(text)
        self.maybe_delivered = maybe_delivered


class QueueUnavailableError(DeliveryError):
    """Redis did not take the message: no connection, or no answer in time."""


class QueueRefusedError(DeliveryError):
    """Redis answered with an error; the message is not in the queue."""


class ConnectionFailedError(DeliveryError):
    """No whole answer came from Mixpanel."""


class ServerError(DeliveryError):
    """Mixpanel answered, and did not accept the message.

    Attributes:
        status: HTTP status of the answer; 200 too, with a body that says no.
        body: the answer's text, credentials masked.
    """

    def __init__(self, text: str, *, status: int, body: str) -> None:
        super().__init__(text)
        self.status = status
        self.body = body
