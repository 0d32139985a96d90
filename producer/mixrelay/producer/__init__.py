"""The producer: what code that must not wait calls to track.

    from mixrelay.producer import Tracker

    tracker = Tracker("PROJECT_TOKEN")
    tracker.track("user-1", "Plan Upgraded", {"New Plan": "Premium"})

``AsyncTracker`` is the same for code that awaits.

Importing it loads orjson and the standard library; making a tracker loads redis-py; requests is
loaded when something is sent at once. No thread, connection or file before the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mixrelay.producer.async_calls import AsyncBatch, AsyncGroups, AsyncPeople
from mixrelay.producer.buffered import BufferedConsumer
from mixrelay.producer.consumer import Consumer
from mixrelay.producer.context.current import current_request
from mixrelay.producer.dispatch.batch import Batch
from mixrelay.producer.dispatch.counters import Counters
from mixrelay.producer.dispatch.outlet import BeforeSend, Sink
from mixrelay.producer.dispatch.reporting import ErrorHandler
from mixrelay.producer.errors import (
    BeforeSendError,
    ConfigurationError,
    ConnectionFailedError,
    DeliveryError,
    InvalidPropertyError,
    MixrelayError,
    NotDurableError,
    QueueFullError,
    QueueRefusedError,
    QueueUnavailableError,
    RequestContextError,
    ServerError,
    SpoolError,
)
from mixrelay.producer.groups import Groups
from mixrelay.producer.options import QueueOptions, QueueSettings
from mixrelay.producer.people import People
from mixrelay.producer.push.sink import RedisSink
from mixrelay.producer.tracker import Tracker
from mixrelay.shared.mixpanel.endpoints import Credentials

if TYPE_CHECKING:
    from mixrelay.producer.async_tracker import AsyncTracker
    from mixrelay.producer.context.known import KnownRequest
    from mixrelay.producer.context.options import RequestContext
    from mixrelay.producer.context.web_request import WebRequest
    from mixrelay.producer.integrations.outside import request_context

_LATER = {
    "AsyncTracker": "mixrelay.producer.async_tracker",
    "KnownRequest": "mixrelay.producer.context.known",
    "RequestContext": "mixrelay.producer.context.options",
    "WebRequest": "mixrelay.producer.context.web_request",
    "request_context": "mixrelay.producer.integrations.outside",
}
"""Imported where they are asked for: asyncio and addresses are not for everybody."""

__all__ = [
    "AsyncBatch",
    "AsyncGroups",
    "AsyncPeople",
    "AsyncTracker",
    "Batch",
    "BeforeSend",
    "BeforeSendError",
    "BufferedConsumer",
    "ConfigurationError",
    "ConnectionFailedError",
    "Consumer",
    "Counters",
    "Credentials",
    "DeliveryError",
    "ErrorHandler",
    "Groups",
    "InvalidPropertyError",
    "KnownRequest",
    "MixrelayError",
    "NotDurableError",
    "People",
    "QueueFullError",
    "QueueOptions",
    "QueueRefusedError",
    "QueueSettings",
    "QueueUnavailableError",
    "RedisSink",
    "RequestContext",
    "RequestContextError",
    "ServerError",
    "Sink",
    "SpoolError",
    "Tracker",
    "WebRequest",
    "current_request",
    "request_context",
]


def __getattr__(name: str) -> Any:
    """Import what is not for everybody where it is asked for."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_LATER[name]), name)
