"""The threads that handle batches, one each at a time."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

from mixrelay.shared.shortage import is_shortage, shortage_words
from mixrelay.worker.base.in_flight import Held

log = logging.getLogger(__name__)


class Finished(NamedTuple):
    held: Held
    error: BaseException | None
    """A bug, or what this process lacks: what handles a batch raises nothing else."""


class Senders:
    """A fixed number of threads. All methods are for the one thread that hands out batches."""

    def __init__(self, count: int, handle: Callable[[Held], None]) -> None:
        self._count = count
        self._handle = handle
        self._todo: queue.SimpleQueue[Held] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Finished] = queue.SimpleQueue()
        self.busy = 0

    def start(self) -> None:
        """Starts as many threads as the process may have.

        Raises:
            MemoryError, RuntimeError: not one can be started.
        """
        for index in range(self._count):
            # Daemons: a horse that has to end does not wait for one that hangs.
            thread = threading.Thread(
                target=self._run, name=f"mixrelay-sender-{index + 1}", daemon=True
            )
            try:
                thread.start()
            except (MemoryError, RuntimeError) as error:
                if not index or not is_shortage(error):
                    raise
                log.error(  # noqa: TRY400 - no bug, so no traceback
                    "worker_short: %d of %d sender threads could be started: no %s; raise the "
                    "process's limits, or lower MIXRELAY_CONCURRENCY",
                    index,
                    self._count,
                    shortage_words(error),
                )
                self._count = index
                return

    @property
    def free(self) -> int:
        return self._count - self.busy

    def hand(self, held: Held) -> None:
        self.busy += 1
        self._todo.put(held)

    def finished(self, seconds: float) -> Finished | None:
        """The next batch that is done with, awaited for that long."""
        try:
            done = self._done.get(timeout=seconds) if seconds > 0 else self._done.get_nowait()
        except queue.Empty:
            return None
        self.busy -= 1
        return done

    def _run(self) -> None:
        while True:
            held = self._todo.get()
            error: BaseException | None = None
            try:
                self._handle(held)
            except BaseException as raised:  # noqa: BLE001 - handed on, not swallowed
                error = raised
            self._done.put(Finished(held, error))
            # Until the next one comes, which may take hours, nothing of this one is kept.
            del held, error
