"""The batches that this process holds, and until when they surely are its own."""

import threading
import time
from dataclasses import dataclass

from mixrelay.shared.queue import Batch


@dataclass(slots=True, eq=False)
class Held:
    """One batch in this process. `until` is of `time.monotonic`, counted from before the asking."""

    batch: Batch
    until: float
    sending: bool = False
    """A request with it is under way, or was."""

    def surely_owned_for(self, seconds: float) -> bool:
        """Whether nobody else can have the batch before that time is over."""
        return time.monotonic() + seconds < self.until


class Holdings:
    """All of them; any thread may look."""

    def __init__(self) -> None:
        self._held: dict[str, Held] = {}
        self._lock = threading.Lock()

    def add(self, held: Held) -> None:
        with self._lock:
            self._held[held.batch.id] = held

    def remove(self, held: Held) -> None:
        with self._lock:
            self._held.pop(held.batch.id, None)

    def all(self) -> list[Held]:
        with self._lock:
            return list(self._held.values())

    def __len__(self) -> int:
        return len(self._held)
