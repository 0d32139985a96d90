"""The producer: what code that must not wait calls to track.

    from mixrelay.producer import Tracker

    tracker = Tracker("PROJECT_TOKEN")
    tracker.track("user-1", "Plan Upgraded", {"New Plan": "Premium"})

Importing it loads orjson and the standard library; making a tracker loads redis-py; requests is
loaded when something is sent at once. No thread, connection or file before the first call.
"""

from mixrelay.producer.buffered import BufferedConsumer
from mixrelay.producer.consumer import Consumer
from mixrelay.producer.delivery import ErrorHandler, Sink
from mixrelay.producer.errors import (
    ConfigurationError,
    ConnectionFailedError,
    DeliveryError,
    InvalidPropertyError,
    MixrelayError,
    QueueRefusedError,
    QueueUnavailableError,
    ServerError,
)
from mixrelay.producer.groups import Groups
from mixrelay.producer.people import People
from mixrelay.producer.redis_sink import RedisSink
from mixrelay.producer.tracker import Tracker
from mixrelay.shared.mixpanel.endpoints import Credentials

__all__ = [
    "BufferedConsumer",
    "ConfigurationError",
    "ConnectionFailedError",
    "Consumer",
    "Credentials",
    "DeliveryError",
    "ErrorHandler",
    "Groups",
    "InvalidPropertyError",
    "MixrelayError",
    "People",
    "QueueRefusedError",
    "QueueUnavailableError",
    "RedisSink",
    "ServerError",
    "Sink",
    "Tracker",
]
