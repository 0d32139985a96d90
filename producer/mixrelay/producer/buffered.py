"""Sending many messages in few requests, from a script."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeAlias

import orjson

from mixrelay.producer.consumer import Consumer
from mixrelay.producer.errors import ConfigurationError
from mixrelay.shared.tuples import Kind, read, write

if TYPE_CHECKING:
    from mixrelay.producer.dispatch.outlet import Sink

_Key: TypeAlias = "tuple[Kind, str | None]"

MOST_RECORDS = 2_000
"""Mixpanel: Import Events, records a request."""


class BufferedConsumer:
    """Gathers messages by type and passes them on as lists; for scripts, not for handlers.

    It sends when ``max_size`` records of one type are gathered, and all of them at ``flush``,
    which one must call at the end: until then they are in memory alone. Imports are gathered by
    their ``api_key`` too. What was not accepted stays for the next ``flush``. Threads may share
    one; they wait for each other's requests, so that updates keep their order.
    """

    def __init__(self, sink: Sink[object] | None = None, max_size: int = 50) -> None:
        """Send nothing yet.

        Args:
            sink: who is given the lists, as ``sink(type, message)``; else a ``Consumer`` with
                the environment's settings. Europe: ``Consumer(region="eu").send``.
            max_size: records of one type that make a request, 1 to 2,000.

        Raises:
            ConfigurationError: ``max_size`` is out of these bounds.
        """
        if not 1 <= max_size <= MOST_RECORDS:
            raise ConfigurationError(f"max_size is {max_size}; use 1 to {MOST_RECORDS}.")
        self._sink = sink or Consumer().send
        self._max_size = max_size
        self._waiting: dict[_Key, list[str]] = {}
        # Reentrant: a signal handler may track while this thread does.
        self._lock = threading.RLock()

    def send(self, type: str, message: str) -> bool:  # noqa: A002 - the tuple's word for it
        """Take a message, send what is complete, and return True.

        Raises:
            MalformedTupleError: this is no message (a ValueError); it was not taken.
            DeliveryError: a request failed; its records, with this one, stay.
        """
        taken = read(write(type, message))
        key = taken.kind, taken.api_key
        with self._lock:
            waiting = self._waiting.setdefault(key, [])
            waiting += taken.texts()
            while len(waiting) >= self._max_size:
                self._send_some(key, waiting)
        return True

    def flush(self) -> None:
        """Send all that is gathered, type by type.

        Raises:
            DeliveryError: a request failed; what was not accepted stays.
        """
        with self._lock:
            for key, waiting in [*self._waiting.items()]:
                while waiting:
                    self._send_some(key, waiting)
            self._waiting = {key: waiting for key, waiting in self._waiting.items() if waiting}

    def _send_some(self, key: _Key, waiting: list[str]) -> None:
        kind, api_key = key
        some = waiting[: self._max_size]
        # Taken before they are sent, since a signal handler may send too meanwhile.
        del waiting[: len(some)]
        credentials = f',"api_key":{orjson.dumps(api_key).decode()}' if api_key else ""
        # Texts, put together as they are: parsed, an integer over 64 bits would become a float.
        try:
            self._sink(kind.value, f'{{"data":[{",".join(some)}]{credentials}}}')
        except BaseException:
            waiting[:0] = some
            raise
