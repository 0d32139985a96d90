"""What stands between a tracking call and a Redis that takes nothing: breakers, spool, counts.

Every message ends in one of three ways: Redis has it, the spool has it, or the error handler is
told. One that went out unanswered may be in the queue already. Most are safe to push twice (an
event by its ``$insert_id``, ``$set`` by its nature) and go the spool's way; ``$add`` and
``$append`` follow ``on_ambiguous``.

With several partitions a node of a cluster that is away stops its own lists alone: each list's new
calls queue behind what the spool holds of that list. Lines leave the spool in its order, whatever
list they are for.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING

from mixrelay.producer.dispatch.counters import Counters
from mixrelay.producer.dispatch.endings import ending_in, is_ending
from mixrelay.producer.dispatch.reporting import ErrorHandler, Handler, tell
from mixrelay.producer.errors import DeliveryError, NotDurableError, QueueFullError, SpoolError
from mixrelay.producer.push.breaker import Breaker, recovered
from mixrelay.producer.push.error_texts import answers, retold, troubles
from mixrelay.producer.records.repeatable import is_safe_twice
from mixrelay.producer.spool.drain import Left
from mixrelay.producer.spool.errors import UntrustedFolderError, not_used
from mixrelay.producer.spool.process import ProcessSpool
from mixrelay.shared.errors import WrongKeyType

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from mixrelay.producer.dispatch.attempt import Attempt
    from mixrelay.producer.options import QueueSettings
    from mixrelay.producer.push.targets import Lists, QueueList
    from mixrelay.producer.spool.spool import Spool
    from mixrelay.shared.connection import Given

LOOK_SECONDS = 5.0
"""Between two looks for lines that other processes left in the spool."""
STEP_SECONDS = 0.02
"""That a call waits for another's step; some times what one takes."""


class Guard:
    """Decides for one sink where tuples go; of its methods only ``clear_way`` uses a network.

    A sync or an async sink asks ``ready`` and, where that says no, ``clear_way``. If it may push,
    it tells ``pushed`` or ``rescue`` what came of it; else it gives the tuples to ``hold``.
    """

    def __init__(
        self,
        settings: QueueSettings,
        redis_url: str,
        lists: Lists,
        error_handler: Handler | None = None,
        given: Given | None = None,
    ) -> None:
        """Open nothing.

        Args:
            settings: of the sink.
            redis_url: where the queue is.
            lists: the queue's.
            error_handler: told when the spool comes into use, and of trouble with it; else that
                is logged.
            given: the application's own client, in place of the address.
        """
        self.counters = Counters()
        self.error_handler = error_handler
        self._settings = settings
        self.is_fake = given is not None and given.is_fake
        """Whether the queue is in fakeredis, and so no server's."""
        self._lists = lists
        self._breakers: defaultdict[Hashable, Breaker] = defaultdict(Breaker)
        # Lines of all lists are drained together, wherever these lie.
        self._draining = lists.first.breaker
        self._own = ProcessSpool(
            settings,
            redis_url,
            lists.first.name,
            given=given,
            counters=self.counters,
            tell=self.tell,
        )
        self._look_at = 0.0
        self._untold: DeliveryError | None = None
        self._is_untrusted_told = False
        self._appends = count()

    def ready(self, to: QueueList, place: Hashable) -> bool:
        """Whether to push at once; else ask ``clear_way``.

        Args:
            to: onto which list.
            place: the node of a cluster that has it; None where there is one, or none is known.
        """
        if place is not None:
            to.breaker = self._breakers[place]
        return not (to.own or to.breaker.is_open) and monotonic() < self._look_at

    def clear_way(self, to: QueueList) -> bool:
        """Whether to push now. Moves a slice of what waits in the spool before: it comes first."""
        if not to.breaker.allows():
            return False
        spool = self._spool()
        self._look_at = monotonic() + LOOK_SECONDS
        if spool is None:
            return True
        try:
            return not self._look(spool) or self._drain_some(spool, to)
        except UntrustedFolderError as error:
            self._cannot_use(spool, error)
            return True
        except OSError as error:
            if is_ending(error):
                raise
            self._cannot_drain(spool, f"{error}. Put that right")
            return True

    def pushed(self, to: QueueList, count: int, attempt: Attempt) -> None:
        """Note that Redis took so many tuples."""
        attempt.is_settled = True
        self.counters.add("queued", count)
        to.is_full = False
        if to.breaker.is_open:
            recovered(to.breaker)

    def rescue(
        self, to: QueueList, tuples: Sequence[bytes], error: DeliveryError, attempt: Attempt
    ) -> bool:
        """Keep what a failed push did not deliver; False where it was dropped as told.

        Raises:
            DeliveryError: what is lost, or may have arrived and must not be pushed twice.
        """
        if isinstance(error, NotDurableError):
            attempt.is_settled = True
            raise self.lost(error, len(tuples))
        if isinstance(error, QueueFullError):
            return self._full(to, tuples, error, attempt)
        first = to.breaker.failed()
        return self._keep_safe(to, tuples, error, attempt, first=first)

    def interrupted(self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt) -> None:
        """Keep tuples whose call the application ends; the handler is told of those that are lost.

        What Redis has for certain is counted; what it may have follows ``on_ambiguous``.
        """
        if attempt.is_settled:
            return
        if attempt.is_answered:
            self.pushed(to, len(tuples), attempt)
            return
        why = to.words.interrupted(was_sent=attempt.is_out)
        try:
            if attempt.is_kept:
                self._kept(to, len(tuples), attempt)
            else:
                self._keep_safe(to, tuples, why, attempt, first=False)
        except DeliveryError as error:
            self.tell(error)

    def _keep_safe(
        self,
        to: QueueList,
        tuples: Sequence[bytes],
        error: DeliveryError,
        attempt: Attempt,
        *,
        first: bool,
    ) -> bool:
        """Keep what may be pushed again; raise an error about the rest."""
        safe = list(tuples)
        if error.maybe_delivered:
            self.counters.add("unanswered", len(tuples))
            if self._settings.on_ambiguous == "drop":
                safe = [one for one in tuples if is_safe_twice(one)]
        if safe:
            self._keep(to, safe, error, attempt, first=first)
        attempt.is_settled = True
        if len(safe) < len(tuples):
            raise self.lost(error, len(tuples) - len(safe))
        return True

    def hold(self, to: QueueList, tuples: Sequence[bytes], attempt: Attempt) -> bool:
        """Keep tuples that cannot be pushed now.

        Raises:
            DeliveryError: they are lost.
        """
        why, self._untold = self._untold, None
        left = to.words.not_tried(to.breaker.seconds_left)
        self._keep(to, tuples, why or left, attempt, first=why is not None)
        return True

    def _keep(
        self,
        to: QueueList,
        tuples: Sequence[bytes],
        why: DeliveryError,
        attempt: Attempt,
        *,
        first: bool,
    ) -> None:
        spool = self._spool()
        if spool is None:
            attempt.is_settled = True
            raise self.lost(why, len(tuples))
        try:
            self._append(spool, tuples, attempt)
        except DeliveryError as error:
            attempt.is_settled = True
            self.counters.add("failed", len(tuples))
            raise error from why
        self._kept(to, len(tuples), attempt)
        if first:
            kept = f"Kept in {spool.folder}, as those are that follow, until Redis takes them."
            self.tell(retold(why, f"{why} {kept}"))

    def _append(self, spool: Spool, tuples: Sequence[bytes], attempt: Attempt) -> None:
        try:
            spool.append(tuples, attempt)
        except DeliveryError:
            raise
        except BaseException:
            # An ending of the application's, which comes once.
            if not attempt.is_kept:
                spool.append(tuples, attempt)
            raise

    def _kept(self, to: QueueList, count: int, attempt: Attempt) -> None:
        attempt.is_settled = True
        self.counters.add("spooled", count)
        if attempt.inode is not None:
            older = [file for file in to.own.copy() if file[0] == attempt.inode]
            to.own.add((attempt.inode, next(self._appends)))
            to.own.difference_update(older)

    def _full(
        self, to: QueueList, tuples: Sequence[bytes], error: QueueFullError, attempt: Attempt
    ) -> bool:
        first, to.is_full = not to.is_full, True
        policy = self._settings.when_full
        attempt.is_settled = policy != "spool"
        if policy == "drop":
            self.counters.add("dropped", len(tuples))
            return False
        if policy == "refuse":
            self.counters.add("refused", len(tuples))
            raise self.lost(error, len(tuples))
        self._keep(to, tuples, error, attempt, first=first)
        return True

    def lost(self, error: DeliveryError, count: int) -> DeliveryError:
        """Count messages that are not kept; return what to tell of them."""
        self.counters.add("failed", count)
        error.count = count
        return error

    def _drain_some(self, spool: Spool, to: QueueList) -> bool:
        if self._draining is not to.breaker and not self._draining.allows():
            return not to.own
        failures: tuple[type[Exception], ...] = (*troubles(), WrongKeyType)
        outer = sys.exception()
        try:
            # Who must queue behind the spool waits for a step that is under way: else threads
            # that are quicker than one another's steps would fill it as fast as they empty it.
            left = self._own.drain(spool).step(STEP_SECONDS if to.own else 0.0)
        except failures as error:
            ending = ending_in(error, outer)
            if ending is not None:
                self._own.drain(spool).close()
                raise ending from None
            if isinstance(error, OSError):  # the files', since redis-py wraps those of sockets
                raise
            return self._not_drained(error, spool, to)
        except BaseException:
            self._own.drain(spool).close()  # or the next step would read this one's answer
            raise
        if left is not Left.BUSY:
            recovered(self._draining)
            if to.own:  # its lines may be among those that went
                recovered(to.breaker)
        if self._look(spool):
            self._look_at = 0.0  # the next call moves the next slice
        return not to.own

    def _look(self, spool: Spool) -> set[int]:
        """Return which files wait, and forget those of this process that do no more."""
        # What another thread adds now, is in none of the files seen here.
        own = [(one, one.own.copy()) for one in self._lists.all]
        waiting = spool.inodes()
        for one, files in own:
            one.own.difference_update([file for file in files if file[0] not in waiting])
        return waiting

    def _not_drained(self, error: Exception, spool: Spool, to: QueueList) -> bool:
        word = str(error).partition(" ")[0]
        if word == "QUEUEFULL":
            return not to.own or self._settings.when_full != "spool"
        if type(error).__name__ == "NoPermissionError":
            self._cannot_drain(
                spool, f"{error}. Grant this user EVALSHA, EVAL and the queue's keys"
            )
            return True
        is_told = to.breaker.is_open
        if self._draining.failed() and not is_told:
            words = self._lists.first.words
            refused = isinstance(error, (*answers(), WrongKeyType))
            why = (words.refused if refused else words.unavailable)(error)
            if to.own or to.breaker.is_open:
                self._untold = why  # ``hold`` tells it, and that the message was kept
            else:
                self.tell(why)
        return not (to.own or to.breaker.is_open)

    def _cannot_use(self, spool: Spool, why: UntrustedFolderError) -> None:
        for one in self._lists.all:
            one.own.clear()
        if not self._is_untrusted_told:
            self._is_untrusted_told = True
            self.tell(not_used(spool.folder, why))

    def _cannot_drain(self, spool: Spool, why: str) -> None:
        for one in self._lists.all:
            one.own.clear()
        self.tell(
            SpoolError(f"Messages wait in {spool.folder}: {why}, or push its files.", count=0)
        )

    def tell(self, error: Exception) -> None:
        """Give the error handler what no call returns to."""
        if self.error_handler is None:
            self.error_handler = ErrorHandler()
        tell(self.error_handler, error)

    def _spool(self) -> Spool | None:
        return self._own.spool()

    def close(self) -> None:
        """Close the connection that emptied the spool, if this process opened one."""
        self._own.close()
