"""What a producer can say went wrong, as one tree.

MixrelayError (mixrelay.shared.errors)
 ├─ ConfigurationError       a setting that cannot work; raised when a tracker is made
 ├─ InvalidPropertyError     the caller's mistake; raised by the tracking call (a ValueError)
 ├─ RequestContextError      a part of a request could not be read; handed to the error handler
 └─ DeliveryError            a message was not delivered; handed to the error handler
     ├─ QueueUnavailableError    Redis is away, hung or cut the connection
     ├─ QueueRefusedError        Redis answered with an error: full, read-only, not a list …
     │   └─ QueueFullError           more messages wait than max_queue allows
     ├─ NotDurableError          it is queued, but neither replica nor disk has it for certain
     ├─ SpoolError               Redis did not take it, and it could not be kept locally either
     ├─ BeforeSendError          the before_send hook failed, so nothing was sent
     ├─ ConnectionFailedError    no whole answer came from Mixpanel
     └─ ServerError              Mixpanel answered, and did not accept
"""

from __future__ import annotations

from mixrelay.shared.errors import ConfigurationError, MixrelayError

__all__ = [
    "BeforeSendError",
    "ConfigurationError",
    "ConnectionFailedError",
    "DeliveryError",
    "InvalidPropertyError",
    "MixrelayError",
    "NotDurableError",
    "QueueFullError",
    "QueueRefusedError",
    "QueueUnavailableError",
    "RequestContextError",
    "ServerError",
    "SpoolError",
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


class RequestContextError(MixrelayError):
    """A part of a request's context could not be read; its events are queued without it."""


class DeliveryError(MixrelayError):
    """Messages were not delivered, or nobody knows; or a first one had to be kept locally.

    Attributes:
        count: how many messages it is about.
        spooled: the message is safe: it was kept in a local file, and will be pushed from there,
            as those will that follow. The call returned True, and this is told once an outage.
        maybe_delivered: the message went out and no answer came, so it may have arrived.
            Events are safe to send again (their ``$insert_id`` makes them one); an increment
            or a charge would count twice.
    """

    def __init__(
        self,
        text: str,
        *,
        maybe_delivered: bool = False,
        spooled: bool = False,
        count: int = 1,
    ) -> None:
        super().__init__(text)
        self.maybe_delivered = maybe_delivered
        self.spooled = spooled
        self.count = count


class QueueUnavailableError(DeliveryError):
    """Redis did not take the message: no connection, or no answer in time."""


class QueueRefusedError(DeliveryError):
    """Redis answered with an error; the message is not in the queue."""


class QueueFullError(QueueRefusedError):
    """More messages wait than ``max_queue`` allows; the message is not in the queue."""


class NotDurableError(DeliveryError):
    """Redis has the message, but ``durability`` was not acknowledged; it is not pushed again."""


class SpoolError(DeliveryError):
    """Redis did not take the message, and it could not be kept in the spool; it is lost."""


class BeforeSendError(DeliveryError):
    """The hook ``before_send`` raised or returned no record; the message was not sent."""


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
