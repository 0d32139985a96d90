"""What a request handler calls."""

from __future__ import annotations

import base64
import copy
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Self, Unpack, cast, overload

from mixrelay.producer.construction.checks import (
    check_before_send,
    check_default,
    check_handler,
    check_names,
    check_sink,
    masked_token,
    read_token,
    where_it_sends,
)
from mixrelay.producer.construction.copies import Copied
from mixrelay.producer.construction.shown_options import with_options_shown
from mixrelay.producer.consumer import Consumer, base_from_settings
from mixrelay.producer.dispatch.batch import Batch, open_batch
from mixrelay.producer.dispatch.on_invalid import checked_policy
from mixrelay.producer.dispatch.outlet import BeforeSend, Outlet, R, S, Sink
from mixrelay.producer.dispatch.reporting import ErrorHandler, Handler, OnInvalid
from mixrelay.producer.errors import InvalidPropertyError
from mixrelay.producer.groups import Groups
from mixrelay.producer.people import People
from mixrelay.producer.push.sink import RedisSink
from mixrelay.producer.records.encoding import record_text
from mixrelay.producer.records.events import (
    EVENT_NAMES,
    Id,
    Properties,
    checked_mapping,
    event_record,
    foreign_token,
    lib_version,
)
from mixrelay.producer.records.values import Default
from mixrelay.producer.tracking import EventCalls
from mixrelay.shared.variables import DISABLED

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.counters import Counters
    from mixrelay.producer.options import QueueOptions


class Tracker(Copied, EventCalls[R]):
    """Tracks events, and updates of users (``people``) and groups (``groups``).

    A call builds a message and returns what the sink returns. Without ``sink`` that is one
    push onto the Redis list that the workers drain, and True. When the message cannot be
    delivered the call returns False and ``error_handler`` is called with the exception; it never
    raises because Redis or Mixpanel is away. A mistake of the caller's raises
    ``InvalidPropertyError`` with the path to the culprit.

    With ``disabled=True``, or ``MIXRELAY_DISABLED=1`` in the environment when it is made, every
    call returns True and does nothing; ``counters.dropped`` counts them.

    Making one opens no connection, starts no thread, and it may be made before a fork. The
    objects given to it are never changed.
    """

    @overload
    def __init__(
        self: Tracker[bool],
        token: str | None = None,
        sink: None = None,
        error_handler: Handler | str | None = None,
        redis_url: str | None = None,
        queue: str | None = None,
        *,
        region: str | None = None,
        api_host: str | None = None,
        before_send: BeforeSend | str | None = None,
        default: Default | None = None,
        disabled: bool | None = None,
        on_invalid: OnInvalid = "raise",
        redis: Any = None,
        **options: Unpack[QueueOptions],
    ) -> None: ...

    @overload
    def __init__(
        self: Tracker[Awaitable[S | bool]],
        token: str | None = None,
        *,
        sink: Sink[Coroutine[Any, Any, S]],
        error_handler: Handler | str | None = None,
        region: str | None = None,
        api_host: str | None = None,
        before_send: BeforeSend | str | None = None,
        default: Default | None = None,
        disabled: bool | None = None,
        on_invalid: OnInvalid = "raise",
    ) -> None: ...

    @overload
    def __init__(
        self: Tracker[S | bool],
        token: str | None = None,
        *,
        sink: Sink[S],
        error_handler: Handler | str | None = None,
        region: str | None = None,
        api_host: str | None = None,
        before_send: BeforeSend | str | None = None,
        default: Default | None = None,
        disabled: bool | None = None,
        on_invalid: OnInvalid = "raise",
    ) -> None: ...

    @overload
    def __init__(
        self: Tracker[Awaitable[S | bool]],
        token: str | None,
        sink: Sink[Coroutine[Any, Any, S]],
        error_handler: Handler | str | None = None,
        *,
        region: str | None = None,
        api_host: str | None = None,
        before_send: BeforeSend | str | None = None,
        default: Default | None = None,
        disabled: bool | None = None,
        on_invalid: OnInvalid = "raise",
    ) -> None: ...

    @overload
    def __init__(
        self: Tracker[S | bool],
        token: str | None,
        sink: Sink[S],
        error_handler: Handler | str | None = None,
        *,
        region: str | None = None,
        api_host: str | None = None,
        before_send: BeforeSend | str | None = None,
        default: Default | None = None,
        disabled: bool | None = None,
        on_invalid: OnInvalid = "raise",
    ) -> None: ...

    @with_options_shown
    def __init__(
        self,
        token: str | None = None,
        sink: Sink[Any] | None = None,
        error_handler: Handler | str | None = None,
        redis_url: str | None = None,
        queue: str | None = None,
        *,
        region: str | None = None,
        api_host: str | None = None,
        before_send: BeforeSend | str | None = None,
        default: Default | None = None,
        disabled: bool | None = None,
        on_invalid: OnInvalid = "raise",
        redis: Any = None,
        **options: Unpack[QueueOptions],
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
            before_send: called as ``before_send(type, record)`` before a record is sent, with a
                copy that it may change; a text is its dotted path. It returns the record to send,
                or None for none. If it raises, nothing is sent, the call is False, and the error
                handler hears of it.
            default: called with each value of a type that is not known here; returns what is
                written in its place, as for ``json.dumps``. A TypeError refuses the value.
            disabled: whether every call returns True and does nothing, also without a token; else
                ``MIXRELAY_DISABLED``.
            on_invalid: what becomes of a call that is a mistake of the caller's: ``raise`` raises
                ``InvalidPropertyError``; ``log`` counts it (``counters.invalid``), gives the error
                to the error handler and returns False; ``dead-letter`` also queues the record, as
                far as it can be written, to become a dead letter with the reason.
            redis: the application's own client, pool or fakeredis, a function that returns one, or
                the dotted path of either, in place of ``redis_url``: see ``RedisSink``.
            options: of the queue, such as ``timeout`` and ``spool_dir``: see ``QueueSettings``.

        Raises:
            ConfigurationError: there is no token, or a setting cannot work.
        """
        is_off: bool = DISABLED.take(disabled)
        self._token = read_token(token, is_off=is_off)
        check_names(options)
        beside = {"redis_url": redis_url, "queue": queue, "redis": redis, **options}
        sink = check_sink(sink, beside)
        handler: Handler = check_handler(error_handler) or ErrorHandler()
        hook: BeforeSend | None = check_before_send(before_send)
        default = check_default(default)
        self._sink: Sink[Any] = sink or RedisSink(redis_url, queue, redis=redis, **options)
        policy = checked_policy(on_invalid, self._sink)
        lib_version()  # read at start, not inside the first request
        self._base = base_from_settings(region, api_host)
        self._outlet: Outlet[R] = Outlet(
            self._sink, handler, hook, default, policy, disabled=is_off
        )
        self._defaults: dict[str, Any] = {}
        self.people: People[R] = People(self._token, self._outlet)
        self.groups: Groups[R] = Groups(self._token, self._outlet)
        self._consumer: Consumer | None = None
        hooks = {"error_handler": error_handler, "before_send": before_send, "default": default}
        where = {"redis_url": redis_url, "queue": queue, "region": region, "api_host": api_host}
        how = {"sink": sink, "disabled": disabled, "on_invalid": on_invalid}
        self._made_with = {"token": self._token, **how, **hooks, **where, **options}
        if redis is not None:
            self._made_with["redis"] = redis

    def batch(self, *, ip: str | int | None = None) -> Batch[R]:
        """Return a block whose messages are sent together when it ends.

            with tracker.batch():
                ...

        ``async with`` where the sink is awaited. Calls in it return True once their message is
        taken; what fails to be sent at the end, the error handler hears of. It sends early at
        500 messages or 1 MiB.

        Args:
            ip: stands in for the ``ip`` of events and of updates of users in the block that
                have none, as for a request's; those of the outer block's win.
        """
        return Batch(self._outlet, ip)

    def with_properties(self, properties: Properties) -> Self:
        """Return a tracker whose events have these properties unless a call gives its own.

        It shares everything else with this one, also its batches. ``people`` and ``groups`` know
        no defaults.

        Raises:
            InvalidPropertyError: they are no mapping, or have another project's ``token``; where
                ``on_invalid`` does not raise, the tracker has none of them.
        """
        other = copy.copy(self)
        try:
            given = checked_mapping(properties, "properties")
            if given.get("token", self._token) != self._token:
                raise foreign_token('properties["token"]')
        except InvalidPropertyError as error:
            if self._outlet.on_invalid == "raise":
                raise
            self._outlet.invalid(error, "event", None)
            return other
        other._defaults = {**self._defaults, **given}  # noqa: SLF001 - its own copy
        return other

    def flush(self) -> R:
        """Send what the open batch holds by now, as before a long wait; outside of one, nothing.

        There is nothing else to flush: a call outside of a batch has pushed when it returns.
        Returns True, or False if something failed; awaitable where calls are.
        """
        batch = open_batch(self._outlet)
        return self._outlet.taken if batch is None else batch.flush()

    def close(self) -> R:
        """Send what the open batch holds, and close this process's connections.

        Not needed at the end of a process. The next call opens them again. Awaitable where calls
        are; then the connections are those of this event loop.
        """
        sink = self._outlet.sink
        if not self._outlet.is_async:
            flushed = self.flush()
            end = getattr(sink, "close", None)
            if end is not None:
                end()
            return flushed
        return cast("R", _closed(self.flush(), getattr(sink, "aclose", None)))

    @property
    def counters(self) -> Counters:
        """What became of the messages of this process."""
        return self._outlet.counters

    def __repr__(self) -> str:
        """Show where it sends; of the token only its ends."""
        where = "disabled" if self._outlet.is_off else where_it_sends(self._sink)
        return f"{type(self).__name__}({masked_token(self._token)}, {where})"

    def generate_tracking_url(
        self,
        distinct_id: Id,
        event: str,
        properties: Properties | None = None,
        endpoint: str | None = None,
    ) -> str:
        """Return an address that tracks the event when it is fetched, as by an ``<img>``.

        The user is placed by the address of whoever fetches it, and the event dated by when:
        Mixpanel takes the time of arrival where there is none (Event Deduplication). A ``time``
        of the caller's is kept; five days after it Mixpanel drops the event. The project token
        is in the address.

        Args:
            distinct_id: who did it.
            event: what was done.
            properties: the circumstances.
            endpoint: else ``/track/`` of the region.

        Raises:
            InvalidPropertyError: as ``track``.
        """
        record = event_record(self._token, distinct_id, event, properties, None)
        for stamped in ("time", "$insert_id"):
            if stamped not in (properties or ()):
                del record["properties"][stamped]  # each fetch is an event of its own
        text = record_text(record, EVENT_NAMES, self._outlet.default)
        data = base64.urlsafe_b64encode(text).decode()
        return f"{endpoint or f'{self._base}/track/'}?data={data}&ip=1&img=1"

    def _sender(self) -> Consumer:
        """Return the one that sends at once; made when first used, since few ever do."""
        if self._consumer is None:
            self._consumer = Consumer(api_host=self._base)
        return self._consumer


async def _closed(flushed: Any, end: Callable[[], Awaitable[None]] | None) -> Any:
    sent = await flushed
    if end is not None:
        await end()
    return sent
