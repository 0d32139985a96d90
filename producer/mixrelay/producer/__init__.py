"""The producer: what code that must not wait calls to track.

    from mixrelay.producer import Tracker

    tracker = Tracker("PROJECT_TOKEN")
    tracker.track("user-1", "Plan Upgraded", {"New Plan": "Premium"})

``AsyncTracker`` is the same for code that awaits.

Importing it loads orjson and the standard library; making a tracker loads redis-py; requests is
loaded when something is sent at once. No thread, connection or file before the first call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mixrelay.producer.async_calls import AsyncBatch, AsyncGroups, AsyncPeople
from mixrelay.producer.buffered import BufferedConsumer
from mixrelay.producer.consumer import Consumer
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
    "MixrelayError",
    "NotDurableError",
    "People",
    "QueueFullError",
    "QueueOptions",
    "QueueRefusedError",
    "QueueSettings",
    "QueueUnavailableError",
    "RedisSink",
    "ServerError",
    "Sink",
    "SpoolError",
    "Tracker",
]


def __getattr__(name: str) -> type[AsyncTracker]:
    """Import ``AsyncTracker`` where it is asked for: asyncio is not for everybody."""
    if name != "AsyncTracker":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mixrelay.producer.async_tracker import AsyncTracker  # noqa: PLC0415

    return AsyncTracker
