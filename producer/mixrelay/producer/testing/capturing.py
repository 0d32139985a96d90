"""Keeping in memory what a process would queue or send."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from mixrelay.producer.dispatch.outlet import Outlet
from mixrelay.producer.errors import DeliveryError
from mixrelay.producer.official import Key, queued
from mixrelay.producer.testing.sink import Captured, MemorySink

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.batch import Messages

NEVER_OFF = property(lambda _: False, lambda outlet, value: vars(outlet).update(is_off=value))


@contextmanager
def capture() -> Iterator[MemorySink]:
    """Keep in memory what this process would queue or send, until the block ends.

    Whatever a tracker or a ``QueueConsumer`` would push to Redis, and what ``Consumer``,
    ``alias`` and the ``Consumer`` of Mixpanel's own library would send to Mixpanel at once, is in
    the ``MemorySink`` instead: also of trackers that were made before, and of async ones. A tracker
    with a sink of its own keeps using it.
    """
    from mixrelay.producer.consumer import Consumer  # noqa: PLC0415
    from mixrelay.producer.push.async_sink import AsyncRedisSink  # noqa: PLC0415 - loads asyncio
    from mixrelay.producer.push.sink import RedisSink  # noqa: PLC0415

    caught = RedisSink | AsyncRedisSink | Consumer
    sink = Captured(lambda outlet: isinstance(_owner(outlet.sink), caught))

    def take(one: Any, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word for it
        return take_all(one, [(type, message)])

    def take_all(one: Any, messages: Messages) -> bool:
        return sink.queue(one, messages)

    async def take_async(one: Any, type: str, message: str) -> bool:  # noqa: A002
        return take_all(one, [(type, message)])

    async def take_all_async(one: Any, messages: Messages) -> bool:
        return take_all(one, messages)

    def take_at_once(_: object, type: str, message: str) -> bool:  # noqa: A002
        return sink.send_at_once(type, message)

    with ExitStack() as doors:
        doors.enter_context(patch.object(RedisSink, "__call__", take))
        doors.enter_context(patch.object(RedisSink, "send_all", take_all))
        doors.enter_context(patch.object(AsyncRedisSink, "__call__", take_async))
        doors.enter_context(patch.object(AsyncRedisSink, "send_all", take_all_async))
        doors.enter_context(patch.object(Consumer, "send", take_at_once))
        # MIXRELAY_DISABLED, which many set for their tests, must not hide what they look at.
        doors.enter_context(patch.object(Outlet, "is_off", NEVER_OFF, create=True))
        _official(doors, sink)
        yield sink


def _official(doors: ExitStack, sink: Captured) -> None:
    """Keep what Mixpanel's own library would send at once, where it is installed."""
    library = sys.modules.get("mixpanel")
    if library is None:
        if find_spec("mixpanel") is None:
            return
        library = import_module("mixpanel")
    consumer = getattr(library, "Consumer", None)
    failure = getattr(library, "MixpanelException", None)
    if consumer is None or failure is None:
        return  # another module of that name

    def send(
        _: object,
        endpoint: str,
        json_message: str,
        api_key: Key = None,
        api_secret: str | None = None,
    ) -> bool:
        try:
            return sink.send_at_once(*queued(endpoint, json_message, api_key, api_secret))
        except DeliveryError as error:
            raise failure(str(error)) from error

    doors.enter_context(patch.object(consumer, "send", send))


def _owner(sink: Any) -> Any:
    """Return the object whose method a sink is, or the sink."""
    return getattr(sink, "__self__", sink)
