"""What a request handler calls."""

from __future__ import annotations

import base64
import os
from typing import Any, Generic, overload

from mixrelay.producer.consumer import Consumer, base_from_settings
from mixrelay.producer.delivery import ErrorHandler, Handler, Outlet, R, Sink
from mixrelay.producer.encoding import message_text, record_text
from mixrelay.producer.errors import ConfigurationError
from mixrelay.producer.events import (
    EVENT_NAMES,
    Id,
    Properties,
    event_record,
    identity_record,
    lib_version,
)
from mixrelay.producer.groups import Groups
from mixrelay.producer.people import People
from mixrelay.producer.redis_sink import DEFAULT_TIMEOUT, RedisSink


class Tracker(Generic[R]):
    """Tracks events, and updates of users (``people``) and groups (``groups``).

    A call builds a message and returns what the sink returns. Without ``sink`` that is one
    push onto the Redis list that the workers drain, and True. When the message cannot be
    delivered the call returns False and ``error_handler`` is called with the exception; it never
    raises because Redis or Mixpanel is away. A mistake of the caller's raises
    ``InvalidPropertyError`` with the path to the culprit.

    Making one opens no connection, starts no thread, and it may be made before a fork. The
    objects given to it are never changed.
    """

    @overload
    def __init__(
        self: Tracker[bool],
        token: str | None = None,
        sink: None = None,
        error_handler: Handler | None = None,
        redis_url: str | None = None,
        queue: str | None = None,
        *,
        region: str | None = None,
        api_host: str | None = None,
        connect_timeout: float = DEFAULT_TIMEOUT,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None: ...

    @overload
    def __init__(
        self,
        token: str | None = None,
        *,
        sink: Sink[R],
        error_handler: Handler | None = None,
        region: str | None = None,
        api_host: str | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self,
        token: str | None,
        sink: Sink[R],
        error_handler: Handler | None = None,
        *,
        region: str | None = None,
        api_host: str | None = None,
    ) -> None: ...

    def __init__(
        self,
        token: str | None = None,
        sink: Sink[Any] | None = None,
        error_handler: Handler | None = None,
        redis_url: str | None = None,
        queue: str | None = None,
        *,
        region: str | None = None,
        api_host: str | None = None,
        connect_timeout: float = DEFAULT_TIMEOUT,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> None:
        """Read the settings; what is not given comes from the environment.

        Args:
            token: the project's; else ``MIXPANEL_TOKEN``.
            sink: the block of Mixpanel's Ruby library, called ``sink(type, message)`` with the
                message as a JSON text; in place of the queue.
            error_handler: called with each exception that kept a message from being delivered;
                else it is logged as a warning by the logger ``mixrelay.producer``.
            redis_url: where the queue is; else ``MIXRELAY_REDIS_URL``.
            queue: name of the list; else ``MIXRELAY_QUEUE``.
            region: ``us``, ``eu`` or ``in``, for ``alias``, which is sent at once, and for
                tracking URLs; else ``MIXPANEL_REGION``.
            api_host: base address in place of a region's; else ``MIXPANEL_API_HOST``.
            connect_timeout: seconds to connect to Redis.
            timeout: seconds to wait for Redis's reply.

        Raises:
            ConfigurationError: there is no token, or a setting cannot work.
        """
        self._token = token or os.environ.get("MIXPANEL_TOKEN", "")
        if not self._token:
            raise ConfigurationError(
                "There is no project token: give Tracker one, or set MIXPANEL_TOKEN."
            )
        chosen: Sink[Any] = sink or RedisSink(
            redis_url, queue, connect_timeout=connect_timeout, timeout=timeout
        )
        lib_version()  # read at start, not inside the first request
        self._base = base_from_settings(region, api_host)
        self._outlet: Outlet[R] = Outlet(chosen, error_handler or ErrorHandler())
        self.people: People[R] = People(self._token, self._outlet)
        self.groups: Groups[R] = Groups(self._token, self._outlet)
        self._consumer: Consumer | None = None

    def track(
        self,
        distinct_id: Id,
        event: str,
        properties: Properties | None = None,
        ip: str | int | None = None,
    ) -> R | bool:
        """Track an event of a user.

        ``time`` (milliseconds) and ``$insert_id`` are stamped here. A ``time`` of the caller's,
        a datetime or a number, wins, as every property does over its default.

        Args:
            distinct_id: who did it.
            event: what was done.
            properties: the circumstances.
            ip: an address to place the user by; 0 for none. Without it Mixpanel places nobody.
        """
        record = event_record(self._token, distinct_id, event, properties, ip)
        return self._outlet.deliver("event", record, EVENT_NAMES)

    def import_event(
        self,
        distinct_id: Id,
        event: str,
        properties: Properties | None = None,
        api_key: str | None = None,
        ip: str | int | None = None,
    ) -> R | bool:
        """Track an event of the past, whose ``time`` is among the properties.

        Args:
            distinct_id: who did it.
            event: what was done.
            properties: the circumstances.
            api_key: a secret to import with, written into the message; without it the worker
                uses its service account, or the token (Mixpanel: Import Events).
            ip: as for ``track``.
        """
        record = event_record(self._token, distinct_id, event, properties, ip)
        return self._outlet.deliver("import", record, EVENT_NAMES, api_key)

    def identify(self, identified_id: Id, anonymous_id: Id) -> R | bool:
        """Connect what somebody did before signing in with who it is (Mixpanel: Identities)."""
        properties = {
            "$identified_id": identified_id,
            "$anon_id": anonymous_id,
            "token": self._token,
        }
        return self._outlet.deliver("event", identity_record("$identify", properties), EVENT_NAMES)

    def merge(self, id1: Id, id2: Id) -> R | bool:
        """Make two users one (Mixpanel: Identities, Merge); goes through ``/import``."""
        properties = {"$distinct_ids": [id1, id2], "token": self._token}
        return self._outlet.deliver("import", identity_record("$merge", properties), EVENT_NAMES)

    def alias(self, alias_id: Id, distinct_id: Id) -> bool:
        """Make a second id of a user known, at once.

        Always a request of its own that is answered before this returns, past the queue and any
        sink: events that use the alias may follow (Mixpanel: Ruby library, Alias). Up to 10
        seconds; False after a failure, which the error handler hears of.
        """
        properties = {"distinct_id": distinct_id, "alias": alias_id, "token": self._token}
        record = identity_record("$create_alias", properties)
        message = message_text(record, EVENT_NAMES)
        return self._outlet.hand_over(self._sender().send, "event", message)

    def generate_tracking_url(
        self,
        distinct_id: Id,
        event: str,
        properties: Properties | None = None,
        endpoint: str | None = None,
    ) -> str:
        """Return an address that tracks the event when it is fetched, as by an ``<img>``.

        The user is placed by the address of whoever fetches it. The project token is in it.

        Args:
            distinct_id: who did it.
            event: what was done.
            properties: the circumstances.
            endpoint: else ``/track/`` of the region.
        """
        record = event_record(self._token, distinct_id, event, properties, None)
        if "$insert_id" not in (properties or ()):
            del record["properties"]["$insert_id"]  # each fetch is an event of its own
        data = base64.urlsafe_b64encode(record_text(record, EVENT_NAMES)).decode()
        return f"{endpoint or f'{self._base}/track/'}?data={data}&ip=1&img=1"

    def _sender(self) -> Consumer:
        """Return the one that sends at once; made when first used, since few ever do."""
        if self._consumer is None:
            self._consumer = Consumer(api_host=self._base)
        return self._consumer
