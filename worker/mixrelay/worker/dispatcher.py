"""The loop of a shift: routes, reserves, hands batches to the senders, reaps.

It runs in the horse's main thread and sleeps only when nothing is there, a tick at a time, so
that a lone message leaves within the linger, or a tick where that is longer. A Redis that is away
is waited for: nothing is lost by it, and the batches that are held are settled when it is back.
"""

import logging
import time
from collections.abc import Callable

from mixrelay.shared.queue import Lane, Queue
from mixrelay.shared.shortage import is_shortage, shortage_words
from mixrelay.worker.holdings import Held, Holdings
from mixrelay.worker.patience import PASSING, Backoff, is_bug
from mixrelay.worker.reserving import Reserver
from mixrelay.worker.rotation import Rotation
from mixrelay.worker.senders import Finished, Senders

log = logging.getLogger(__name__)

TICK_SECONDS = 0.05
REAP_SECONDS = 1.0
ROUTED_AT_ONCE = 2_000
"""Messages after which lanes are asked again; Mixpanel takes that many in a request."""
ROUTED_AHEAD = 20_000
"""Messages that this process routes beyond what it reserved, while its senders are busy."""


class Dispatcher:
    """One run of the loop."""

    def __init__(
        self,
        *,
        queue: Queue,
        reserver: Reserver,
        senders: Senders,
        holdings: Holdings,
        is_over: Callable[[], bool],
        upkeep: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._reserver = reserver
        self._senders = senders
        self._holdings = holdings
        self._is_over = is_over
        self._upkeep = upkeep
        self._rotation = Rotation()
        self._backoff = Backoff()
        self._ahead = 0
        self._reap_at = 0.0
        self._suspects_in: Lane | None = None
        """A batch that killed workers waits there for one that holds nothing."""
        self.messages = 0
        self.crash: BaseException | None = None
        self.is_short = False
        """This process lacks memory or threads: its job ends, and no batch is the worse for it."""

    def run(self) -> None:
        """Until `is_over` says so or a sender met a bug; batches in the senders go on.

        A process that lacks memory or threads ends its job, as `is_short` says.
        """
        try:
            self._run()
        except (MemoryError, RuntimeError, OSError) as error:
            if not is_shortage(error):
                raise
            self._end_short(error)

    def _run(self) -> None:
        while not self._is_over() and self.crash is None and not self.is_short:
            try:
                worked = self._work()
            except PASSING as error:
                if is_bug(error):
                    raise
                self._wait_for_redis(error)
            else:
                self._backoff.reset()
                self._collect(0.0 if worked else self._idle_seconds())

    def finish(self, seconds: float) -> None:
        """Waits that long for the batches that are still in the senders."""
        ends = time.monotonic() + seconds
        while self._senders.busy and (left := ends - time.monotonic()) > 0:
            self._collect(min(left, TICK_SECONDS))

    def _work(self) -> bool:
        self._reap()
        self._upkeep()
        found = self._reserve()
        return self._route() or found

    def _route(self) -> bool:
        # What waits in the list behind a full lane may belong to an idle one.
        if self._ahead > ROUTED_AHEAD and not self._senders.free:
            return False
        moved, more = 0, True
        # Lanes are asked once something is there for a whole batch of one.
        while more and moved < ROUTED_AT_ONCE:
            some, left = self._queue.route()
            moved, more = moved + some, some > 0 and left > 0
        self._ahead += moved
        if moved:
            self._rotation.changed()
        return bool(moved)

    def _reserve(self) -> bool:
        found = False
        while self._senders.free and self._reserve_one():
            found = True
        return found

    def _reserve_one(self) -> bool:
        alone = not self._holdings
        if self._is_quiet() and not alone:
            return False
        lanes = [self._suspects_in] if self._suspects_in else self._rotation.due()
        self._suspects_in = None
        for lane in lanes:
            answer = self._reserver.ask(lane, alone=alone)
            if isinstance(answer, Held):
                self._rotation.served(lane)
                self._hand(answer)
                return True
            self._rotation.empty(lane, answer)
            if answer.suspects_wait:
                self._suspects_in = lane
        return False

    def _is_quiet(self) -> bool:
        """Whether to take nothing more: what may kill this worker must take nothing with it."""
        return self._suspects_in is not None or any(
            held.batch.suspect for held in self._holdings.all()
        )

    def _hand(self, held: Held) -> None:
        self._ahead = max(0, self._ahead - len(held.batch.members))
        self.messages += len(held.batch.members)
        self._holdings.add(held)
        self._senders.hand(held)

    def _reap(self) -> None:
        now = time.monotonic()
        if now < self._reap_at:
            return
        self._reap_at = now + REAP_SECONDS
        batches, messages = self._queue.reap()
        if batches:
            count = {"records": messages}
            log.warning(
                "redelivered: %d messages of a lost worker are sent again", messages, extra=count
            )
            self._rotation.changed()

    def _idle_seconds(self) -> float:
        wait = self._rotation.seconds() if self._senders.free else TICK_SECONDS
        return min(max(wait, 0.001), TICK_SECONDS)

    def _collect(self, seconds: float) -> None:
        """Takes back what the senders are done with; waits that long for the first."""
        done = self._senders.finished(seconds)
        while done:
            self._take_back(done)
            done = self._senders.finished(0.0)

    def _take_back(self, done: Finished) -> None:
        self._holdings.remove(done.held)
        self._rotation.changed(done.held.batch.lane)
        if done.error is not None and is_shortage(done.error):
            self._end_short(done.error)
        elif done.error is not None:
            log.error(
                "bug: batch %s of %s",
                done.held.batch.id,
                done.held.batch.lane,
                exc_info=done.error,
                extra={"batch_id": done.held.batch.id, "lane": done.held.batch.lane.value},
            )
            self.crash = done.error

    def _end_short(self, error: BaseException) -> None:
        self.is_short = True
        log.error(
            "worker_short: no %s; this drain job gives back its batches and ends, and the next "
            "one begins in a fresh process",
            shortage_words(error),
        )

    def _wait_for_redis(self, error: Exception) -> None:
        if self._backoff.is_to_be_told():
            log.warning("redis_away: %s", error)
        ends = time.monotonic() + self._backoff.next()
        while (left := ends - time.monotonic()) > 0 and not self._is_over():
            self._collect(min(left, TICK_SECONDS))
