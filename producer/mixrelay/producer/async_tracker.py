"""What a coroutine calls: ``Tracker``, each of whose calls is awaited.

tracker = AsyncTracker("PROJECT_TOKEN")
await tracker.track("user-1", "Plan Upgraded")
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack

from mixrelay.producer.async_calls import (
    AsyncBatch,
    AsyncGroups,
    AsyncPeople,
    Pending,
    coroutine_functions,
)
from mixrelay.producer.construction.checks import check_names, check_sink
from mixrelay.producer.construction.shown_options import with_options_shown
from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.errors import ConfigurationError
from mixrelay.producer.push.async_sink import AsyncRedisSink
from mixrelay.producer.tracker import Tracker
from mixrelay.producer.tracking import EventCalls

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from mixrelay.producer.dispatch.outlet import BeforeSend, Sink
    from mixrelay.producer.dispatch.reporting import Handler, OnInvalid
    from mixrelay.producer.options import QueueOptions
    from mixrelay.producer.records.values import Default


@coroutine_functions(EventCalls, also=(Tracker.flush, Tracker.close))
class AsyncTracker(Tracker[Pending]):
    """Tracks events, and updates of users (``people``) and groups (``groups``), on an event loop.

    Its calls are coroutine functions with the arguments of ``Tracker``'s. A call does nothing
    before it is awaited, or made a task; then it returns True once Redis or the spool has the
    message, else False, and ``error_handler`` is called. It never raises because Redis is away,
    and takes at most ``connect_timeout`` and ``timeout`` together. A task that is cancelled in
    the middle of it loses nothing: the push goes on, or the message is kept, or the handler is
    called, also where the event loop is closed meanwhile.

    One serves any number of event loops, one after the other or at once. Each has connections of
    its own, which close as the loop ends.
    """

    people: AsyncPeople
    groups: AsyncGroups

    @with_options_shown
    def __init__(
        self,
        token: str | None = None,
        sink: Sink[Coroutine[Any, Any, bool | None]] | None = None,
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
        """Read the settings, and open nothing; what is not given comes from the environment.

        Args:
            token: as for ``Tracker``, like all that is not named here.
            sink: a coroutine function in place of the queue.
            error_handler: called on the event loop.
            redis_url: where the queue is; else ``MIXRELAY_REDIS_URL``.
            queue: name of the list; else ``MIXRELAY_QUEUE``.
            region: ``us``, ``eu`` or ``in``.
            api_host: base address in place of a region's.
            before_send: a function, not a coroutine function.
            default: converts values of types that are not known here.
            disabled: whether calls return True and do nothing; else ``MIXRELAY_DISABLED``.
            on_invalid: what becomes of mistakes of the caller's.
            redis: the application's own client, pool or fakeredis, sync or async.
            options: of the queue: see ``QueueSettings``.

        Raises:
            ConfigurationError: there is no token, a setting cannot work, the address of Redis
                cannot be read, or the sink is not awaited.
        """
        check_names(options)
        beside = {"redis_url": redis_url, "queue": queue, "redis": redis, **options}
        sink = check_sink(sink, beside)
        make: Any = Tracker.__init__  # whose overloads are of other sinks
        make(
            self,
            token,
            sink or AsyncRedisSink(redis_url, queue, redis=redis, **options),
            error_handler,
            region=region,
            api_host=api_host,
            before_send=before_send,
            default=default,
            disabled=disabled,
            on_invalid=on_invalid,
        )
        if not self._outlet.is_async:
            raise ConfigurationError(
                "The sink of an AsyncTracker must be a coroutine function (async def), since the "
                "event loop would wait for any other; give a Tracker this one."
            )
        self.people = AsyncPeople(self._token, self._outlet)
        self.groups = AsyncGroups(self._token, self._outlet)

    def batch(self, *, ip: str | int | None = None) -> AsyncBatch:  # type: ignore[override] # no "with"
        """Return a block whose messages are sent together when it ends.

            async with tracker.batch():
                ...

        As ``Tracker.batch``. A ``with`` block raises a TypeError.
        """
        return AsyncBatch(Batch(self._outlet, ip))

    async def aclose(self) -> None:
        """Close this event loop's connections, which its end does too; a call opens one again."""
        close = getattr(self._outlet.sink, "aclose", None)
        if close is not None:
            await close()
