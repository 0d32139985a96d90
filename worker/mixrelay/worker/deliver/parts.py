"""What a delivery is given: something that sends, and what reads each queue's messages."""

import threading
from collections.abc import Callable
from typing import Protocol

from mixrelay.shared.mixpanel.endpoints import Destination
from mixrelay.shared.mixpanel.failures import Failure
from mixrelay.shared.mixpanel.transport import Answer
from mixrelay.worker.deliver.prepare import Preparation


class Sending(Protocol):
    """What delivers a body: `Transport`, or what a test puts in its place."""

    def post(self, destination: Destination, body: bytes) -> Answer | Failure: ...

    def close(self) -> None: ...


class Preparations:
    """The preparation of the queue whose batches come; a queue that was wiped has a new id."""

    def __init__(self, make: Callable[[str], Preparation]) -> None:
        self._make = make
        self._made: dict[str, Preparation] = {}
        self._lock = threading.Lock()

    def __call__(self, queue_id: str) -> Preparation:
        with self._lock:
            if queue_id not in self._made:
                self._made = {queue_id: self._make(queue_id)}
            return self._made[queue_id]
