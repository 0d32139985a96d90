"""What all the middleware have in common: one request's batch, and its user's address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.errors import ConfigurationError
from mixrelay.producer.integrations.addresses import ClientAddress
from mixrelay.producer.tracker import Tracker

TrustedProxies: TypeAlias = "Iterable[str] | None"
"""None: nothing gets an address. Else events and updates of users get the user's, as
``ClientAddress`` finds it."""

LONG = 1.0
"""Seconds after which a response is a stream, whose messages do not wait for its end."""


class Requests:
    """Makes the batch of each request.

    Args:
        tracker: whose messages are gathered.
        trusted_proxies: None leaves geolocation off; else every event that the request tracks,
            and every update of a user's profile, gets the user's address, unless the call gives
            its own ``ip``.
    """

    def __init__(self, tracker: Tracker[Any], trusted_proxies: TrustedProxies = None) -> None:
        self._tracker = tracker
        self._address = None if trusted_proxies is None else ClientAddress(trusted_proxies)

    def batch(self, peer: str | None, forwarded: str | None) -> Batch[Any]:
        """Return a request's batch, not open yet.

        Args:
            peer: the other end of the connection; None or empty for a Unix socket.
            forwarded: the value of ``X-Forwarded-For``.
        """
        # Not the tracker's own method: that of an AsyncTracker makes what only async with begins.
        if self._address is None:
            return Tracker.batch(self._tracker)
        return Tracker.batch(self._tracker, ip=self._address.of(peer, forwarded))

    def batch_of(self, environ: Mapping[str, Any]) -> Batch[Any]:
        """Return the batch of a WSGI request, or of one of Django's ``META``."""
        return self.batch(environ.get("REMOTE_ADDR"), environ.get("HTTP_X_FORWARDED_FOR"))


def check_sync(tracker: Tracker[Any]) -> None:
    """Refuse a tracker whose calls are awaited, where no event loop runs that could send.

    Raises:
        ConfigurationError: it is such a one.
    """
    if tracker._outlet.is_async:  # noqa: SLF001 - middleware is the producer's own
        raise ConfigurationError(
            "This application is answered by threads, and the tracker's calls are awaited: give "
            "it a Tracker without an async sink, or run it by ASGI."
        )
