"""A consumer for Mixpanel's own Python library, which then queues in place of sending.

    from mixpanel import Mixpanel
    from mixrelay.producer.official import QueueConsumer

    mixpanel = Mixpanel("PROJECT_TOKEN", consumer=QueueConsumer())

Written from mixpanel 5.4.1. That library need not be installed to import this.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeAlias, Unpack

import orjson

from mixrelay.producer.construction.checks import check_handler, check_sink
from mixrelay.producer.dispatch.outlet import Outlet, Sink
from mixrelay.producer.dispatch.reporting import ErrorHandler, Handler
from mixrelay.producer.errors import DeliveryError
from mixrelay.producer.push.sink import RedisSink
from mixrelay.shared.tuples import Kind

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.counters import Counters
    from mixrelay.producer.options import QueueOptions

__all__ = ["QueueConsumer"]

Key: TypeAlias = "str | tuple[str | None, str | None] | None"

_KINDS = {
    "events": Kind.EVENT,
    "people": Kind.PROFILE_UPDATE,
    "groups": Kind.GROUP_UPDATE,
    "imports": Kind.IMPORT,
}


class QueueConsumer:
    """Takes what ``mixpanel.Mixpanel`` would send, and pushes it onto the queue.

    The library's records go into the documented tuple word for word, with the ``time`` and
    ``$insert_id`` that it stamped. So do ``NaN``, ``Infinity`` and lone surrogates, which it
    writes although they are no JSON: they become dead letters ``malformed``, where Mixpanel
    itself would have refused them unseen.

    It never raises: a feature flag whose exposure cannot be tracked would fail, or fall back.
    ``alias`` never comes here; the library sends it at once, whatever its consumer.

    Any number of threads may share one, and it may be made before a fork.
    """

    def __init__(
        self,
        redis_url: str | None = None,
        queue: str | None = None,
        error_handler: Handler | str | None = None,
        *,
        sink: Sink[object] | None = None,
        disabled: bool | None = None,
        **options: Unpack[QueueOptions],
    ) -> None:
        """Read the settings, and open nothing.

        Args:
            redis_url: where the queue is; else ``MIXRELAY_REDIS_URL``.
            queue: name of the list; else ``MIXRELAY_QUEUE``.
            error_handler: called with each exception that kept a message out of the queue; else
                it is logged as a warning by the logger ``mixrelay.producer``.
            sink: takes the place of the queue, as a tracker's does.
            disabled: whether calls return True and do nothing; else ``MIXRELAY_DISABLED``.
            options: of the queue, as for a tracker: timeouts, spool and so on.

        Raises:
            ConfigurationError: a setting cannot work.
        """
        handler = check_handler(error_handler) or ErrorHandler()
        beside = {"redis_url": redis_url, "queue": queue, **options}
        chosen = check_sink(sink, beside)
        self._sink = chosen or RedisSink(redis_url, queue, handler, **options)
        self._outlet: Outlet[bool] = Outlet(self._sink, handler, disabled=disabled)

    def send(
        self,
        endpoint: str,
        json_message: str,
        api_key: Key = None,
        api_secret: str | None = None,
    ) -> bool:
        """Queue one message; False after a failure, which the error handler hears of.

        Args:
            endpoint: ``events``, ``people``, ``groups`` or ``imports``.
            json_message: the record, or a list of them.
            api_key: the library's tuple ``(api_key, api_secret)``. As in the library an
                ``api_key`` alone shows nobody's identity and is left out: the worker then
                imports as its service account, or by the record's token.
            api_secret: a project's secret, to import with.
        """
        if self._outlet.is_off:
            self.counters.add("dropped")
            return True
        push = partial(self._push, api_key, api_secret)
        return bool(self._outlet.hand_over(push, endpoint, json_message))

    @property
    def counters(self) -> Counters:
        """What became of the messages of this process."""
        return self._outlet.counters

    def flush(self) -> None:
        """Do nothing, since nothing is held: for code that had a ``BufferedConsumer``."""

    def _push(self, api_key: Key, api_secret: str | None, endpoint: str, json_message: str) -> bool:
        return self._sink(*queued(endpoint, json_message, api_key, api_secret)) is not False


def queued(
    endpoint: str, json_message: str, api_key: Key = None, api_secret: str | None = None
) -> tuple[str, str]:
    """Return the type and message that stand for what the library would send.

    Raises:
        DeliveryError: the library has no such endpoint either.
    """
    kind = _KINDS.get(endpoint)
    if kind is None:
        raise DeliveryError(
            f"No such endpoint {endpoint!r}; a message for {', '.join(_KINDS)} can be queued."
        )
    if isinstance(api_key, tuple):
        _, api_secret = api_key
    secret = f',"api_key":{orjson.dumps(api_secret).decode()}' if api_secret else ""
    # Put together as text: parsed, an integer over 64 bits would become a float.
    return kind.value, f'{{"data":{json_message}{secret}}}'
