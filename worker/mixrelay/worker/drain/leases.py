"""The thread that prolongs the leases of every batch this process holds."""

import logging
import threading
import time

from mixrelay.shared.queue import Queue
from mixrelay.shared.shortage import is_shortage, shortage_words
from mixrelay.worker.base.in_flight import Holdings
from mixrelay.worker.base.retry import PASSING, Backoff

log = logging.getLogger(__name__)


class LeaseKeeper:
    """Extends every `extend_every` seconds, and marks what is lost for its sender to see."""

    def __init__(
        self, queue: Queue, holdings: Holdings, *, lease_seconds: float, extend_every: float
    ) -> None:
        self._queue = queue
        self._holdings = holdings
        self._lease_seconds = lease_seconds
        self._extend_every = extend_every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mixrelay-leases", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()

    def _run(self) -> None:
        backoff = Backoff(base=0.2, cap=self._extend_every)
        delay = self._extend_every
        while not self._ended.wait(delay):
            try:
                self._extend()
            except PASSING as error:
                delay = backoff.next()
                log.warning("redis_away: leases cannot be renewed: %s", error)
            except (MemoryError, RuntimeError) as error:
                if not is_shortage(error):
                    raise
                delay = backoff.next()
                log.warning("worker_short: leases cannot be renewed: no %s", shortage_words(error))
            else:
                backoff.reset()
                delay = self._extend_every

    def _extend(self) -> None:
        held = self._holdings.all()
        # Counted from before the asking: the server's own count ends later.
        until = time.monotonic() + self._lease_seconds
        lost = self._queue.extend([one.batch for one in held], self._lease_seconds)
        for one in held:
            # What is lost is as good as over: its sender looks before it sends.
            one.until = 0.0 if one.batch.id in lost else until
