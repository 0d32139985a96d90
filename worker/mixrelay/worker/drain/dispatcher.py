"""The loop of a shift: routes, reserves, hands batches to the senders, reaps.

It runs in the horse's main thread and waits only when nothing is there: for its senders a tick at
a time, else for a push, which Redis tells it of at once (`Arrivals`). Where nothing is in the whole
queue it is silent: it waits, and looks by itself every minute. A Redis that is away is waited
for: nothing is lost by it, and the batches that are held are settled when it is back.
"""

import logging
import random
import time
from collections.abc import Callable

from mixrelay.shared.queue import Batch, Lane, Nothing, Queue
from mixrelay.shared.shortage import is_shortage, shortage_words
from mixrelay.worker.base.in_flight import Held, Holdings
from mixrelay.worker.base.retry import PASSING, Backoff, is_bug
from mixrelay.worker.drain.lanes import Rotation
from mixrelay.worker.drain.reserver import Reserver
from mixrelay.worker.drain.senders import Finished, Senders

log = logging.getLogger(__name__)

TICK_SECONDS = 0.05
REAP_SECONDS = 1.0
QUIET_SECONDS = 5.0
"""The longest wait where nothing is in the queue; what waits in Redis answers after one second."""
LOOK_SECONDS = 60.0
"""Between two looks all the same at a list in which nothing is: a server that became a replica
shows it to those who write."""
SPREAD_SECONDS = 0.1
"""Within which workers that heard of a push and came too late look at the lanes: ten that ask at
once keep the first from sending."""
ROUTED_AT_ONCE = 2_000
"""Messages after which lanes are asked again; Mixpanel takes that many in a request."""
ROUTED_SECONDS = 0.2
"""Likewise: of messages of megabytes each call moves a few, and hundreds of calls take seconds."""
ROUTED_EVERY = 0.2
"""Seconds: so often one call routes while all senders are busy."""
ROUTED_IN_A_RESERVE = 4_000
"""Tuples that a reserve takes out of the list at most, to fill a batch with those of its lane. In a
mixed list half of them may be others'."""
TAKING = (Lane.EVENT, Lane.IMPORT)
"""Lanes of which messages go from the list into a batch at once: of an ordered one a batch is under
way most of the time, and none can be taken meanwhile."""


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
        upkeep: Callable[..., None],
        lease_seconds: float,
    ) -> None:
        self._queue = queue
        self._lease_seconds = lease_seconds
        self._reserver = reserver
        self._senders = senders
        self._holdings = holdings
        self._is_over = is_over
        self._upkeep = upkeep
        self._rotation = Rotation()
        self._backoff = Backoff()
        self._takes = Lane.EVENT
        """The lane of `TAKING` whose reserves take out of the list: who had the most of it last."""
        self._reap_at = 0.0
        self._look_at = 0.0
        self._route_at = 0.0
        self._told_polling = False
        self._came = False
        """Something was pushed: the whole fleet hears of it, and one takes it."""
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
                is_idle = not (worked or self._senders.busy)
                if is_idle and not self._is_over():
                    self._wait_for_arrivals()
            except PASSING as error:
                if is_bug(error):
                    raise
                self._wait_for_redis(error)
            else:
                self._backoff.reset()
                if not is_idle:
                    self._collect(0.0 if worked else self._idle_seconds())

    def finish(self, seconds: float) -> None:
        """Waits that long for the batches that are still in the senders."""
        ends = time.monotonic() + seconds
        while self._senders.busy and (left := ends - time.monotonic()) > 0:
            self._collect(min(left, TICK_SECONDS))

    def _work(self) -> bool:
        now, is_quiet = time.monotonic(), self._queue.arrivals.is_quiet
        self._upkeep(is_quiet=is_quiet)
        if self._is_over():
            # A Redis that hangs took its time: one wait for it is enough once told to stop.
            return False
        if is_quiet and not self._came:
            return self._look_all_the_same(now)
        self._look_at = now + LOOK_SECONDS
        if self._came:
            self._came = False
            if not self._route():
                self._rotation.later(random.uniform(0, SPREAD_SECONDS))  # noqa: S311
        self._reap()
        found = self._reserve()
        return self._route() or found

    def _look_all_the_same(self, now: float) -> bool:
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        self._reap()
        return self._route()

    def _route(self) -> bool:
        # A sender that is free fills its batch out of the list; what waits there behind a full
        # lane may belong to an idle one. While none is free nearly all can wait there as well: some
        # is routed now and then, to come between the records of a long list.
        now, is_busy = time.monotonic(), not self._senders.free
        if is_busy and now < self._route_at:
            return False
        self._route_at = now + ROUTED_EVERY
        moved, more, ends = 0, True, now if is_busy else now + ROUTED_SECONDS
        # Lanes are asked once something is there for a whole batch of one.
        while more and moved < ROUTED_AT_ONCE and (not moved or time.monotonic() < ends):
            some, left = self._queue.route()
            moved, more = moved + some, some > 0 and left > 0
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
            routes = ROUTED_IN_A_RESERVE if lane is self._takes else 0
            answer = self._reserver.ask(lane, alone=alone, routes=routes)
            self._note_routed(answer.batch if isinstance(answer, Held) else answer)
            if isinstance(answer, Held):
                self._rotation.served(lane)
                self._hand(answer)
                return True
            self._rotation.empty(lane, answer)
            if answer.suspects_wait:
                self._suspects_in = lane
        return False

    def _note_routed(self, answer: Batch | Nothing) -> None:
        """Other lanes may have something now, and the next reserve is for who has the most."""
        for lane in answer.routed:
            self._rotation.changed(lane)
        if answer.routed and answer.routed[0] in TAKING:
            self._takes = answer.routed[0]

    def _is_quiet(self) -> bool:
        """Whether to take nothing more: what may kill this worker must take nothing with it."""
        return self._suspects_in is not None or any(
            held.batch.suspect for held in self._holdings.all()
        )

    def _hand(self, held: Held) -> None:
        self.messages += len(held.batch.members)
        self._holdings.add(held)
        self._senders.hand(held)

    def _reap(self) -> None:
        now = time.monotonic()
        if now < self._reap_at:
            return
        self._reap_at = now + REAP_SECONDS
        batches, messages = self._queue.reap(lease_seconds=self._lease_seconds)
        if batches:
            count = {"records": messages}
            log.warning(
                "redelivered: %d messages of a lost worker are sent again", messages, extra=count
            )
            self._rotation.changed()

    def _idle_seconds(self) -> float:
        wait = self._rotation.seconds() if self._senders.free else TICK_SECONDS
        return min(max(wait, 0.001), TICK_SECONDS)

    def _wait_for_arrivals(self) -> None:
        """Nothing is being sent: until something is pushed, or a lane is to be asked again."""
        arrivals = self._queue.arrivals
        if self._rotation.is_bare and not arrivals.is_quiet:
            # Others may have filled them by now, and there is more than lanes.
            arrivals.look()
        is_quiet = self._rotation.is_bare and arrivals.is_quiet
        seconds = QUIET_SECONDS if is_quiet else max(self._rotation.seconds(), 0.001)
        self._came = arrivals.wait(seconds, self._is_over)
        if arrivals.refusal and not self._told_polling:
            self._told_polling = True
            log.warning(
                "idle_polling: Redis does not let this worker wait for a push (%s), so it asks "
                "again and again, also while it is idle. The worker's user needs BLMOVE and "
                "CLIENT REPLY (docs/redis.md)",
                arrivals.refusal,
            )

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
