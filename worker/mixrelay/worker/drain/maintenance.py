"""What a drain job sees to now and then, beside the messages: partitions, limits, indexes.

Each turn is short, and any number of shifts may do it at once. Messages are delivered whatever
becomes of it: of several nodes it may need one that is away.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from redis.exceptions import RedisError, ResponseError

from mixrelay.shared.connection import REFUSALS
from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.opt_outs import OptOuts
from mixrelay.worker.base.mixpanel_clock import TOLERANCE_SECONDS
from mixrelay.worker.base.retry import Backoff
from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.counting.hot_shards import FLUSH_SECONDS, ShardCounts
from mixrelay.worker.opted_out import READ_SECONDS, OptedOutList

log = logging.getLogger(__name__)

PARTITIONS_SECONDS = 5.0
RETENTION_SECONDS = 5.0
GUARD_SECONDS = 5.0
TRASH_SECONDS = 15.0
QUIET_TIMES = 3
"""So much later a turn comes where nothing is in the queue: whoever idles costs little."""
MENDED_SECONDS = 60.0
"""Until letters of an older program are looked for again, where there were none."""
HURRIED_SECONDS = 0.1
"""Until the next turn, where a turn did not come to an end."""
FAILED_SECONDS = 30.0
_AWAY_SECONDS, _AWAY_AT_MOST = 1.0, 16.0
"""Until anything is tried again, where a node was away: one that hangs takes time from messages."""
_AGE_PART = 0.1
"""Of the age at which letters are dropped, what clocks may be apart."""
_SLICE = 500


@dataclass(slots=True)
class _Turn:
    """Something to see to, and when it was."""

    take: Callable[[], float]
    """Returns the seconds until the next time."""
    while_quiet: int = QUIET_TIMES
    seconds: float = 0.0
    ended_at: float = 0.0

    def is_due(self, *, is_quiet: bool) -> bool:
        # What did not come to an end is gone on with at once, however quiet it is.
        times = self.while_quiet if is_quiet and self.seconds > HURRIED_SECONDS else 1
        return time.monotonic() >= self.ended_at + self.seconds * times


class Upkeep:
    """The turns of one shift."""

    def __init__(
        self,
        queue: Queue,
        worker: WorkerSettings,
        shards: ShardCounts | None = None,
        opted_out: OptedOutList | None = None,
    ) -> None:
        self._opted_out = opted_out
        self._queue = queue
        self._worker = worker
        self._shards = shards
        self._told_limits = False
        self._backoff = Backoff(_AWAY_SECONDS, _AWAY_AT_MOST)
        self._away_until = 0.0
        self._next = 0
        self._turns = [
            # Who pushes to a new partition waits for this one.
            _Turn(self._announce, while_quiet=1),
            _Turn(self._expire),
            _Turn(self._empty_trash),
            _Turn(self._mend),
            _Turn(self._guard),
            _Turn(self._count_shards),
        ]
        if opted_out is not None:
            self._turns.append(_Turn(self._read_opt_outs))

    def __call__(self, *, is_quiet: bool = False) -> None:
        """Does what is due; what a node that is away keeps from being done stays due.

        Args:
            is_quiet: nothing is in the queue, no bulk job either; each turn comes later.
        """
        if time.monotonic() < self._away_until:
            return
        try:
            self._do_what_is_due(is_quiet=is_quiet)
        except RedisError as error:
            if self._backoff.is_to_be_told():
                log.warning("redis_away: bulk jobs and limits continue later: %s", error)
            self._away_until = time.monotonic() + self._backoff.next()
        else:
            self._backoff.reset()

    def _do_what_is_due(self, *, is_quiet: bool) -> None:
        """One failure ends it: a node that hangs costs one timeout, and the others are next."""
        for _ in self._turns:
            index, self._next = self._next, (self._next + 1) % len(self._turns)
            turn = self._turns[index]
            if turn.is_due(is_quiet=is_quiet):
                turn.seconds = self._take(turn.take)
                turn.ended_at = time.monotonic()

    def _take(self, turn: Callable[[], float]) -> float:
        try:
            return turn()
        except REFUSALS:
            raise
        except (ResponseError, WrongKeyType) as error:
            log.error("upkeep_failed: %s", error)  # noqa: TRY400 - the server's, not a trace's
        except RedisError:
            raise
        except Exception:
            # Whatever it is: messages are delivered all the same.
            log.exception("upkeep_failed: %s", turn.__name__.strip("_"))
        return FAILED_SECONDS

    def _announce(self) -> float:
        self._queue.announce()
        return PARTITIONS_SECONDS

    def _read_opt_outs(self) -> float:
        if self._opted_out is not None:
            self._opted_out.read(OptOuts(self._queue.redis, self._queue.name))
        return READ_SECONDS

    def _expire(self) -> float:
        age, most = self._worker.dlq_max_age, self._worker.dlq_max_letters
        if age and self._may_be_too_young(age):
            return FAILED_SECONDS
        # Once also without limits, so that those of a former setting are forgotten.
        if not (age or most) and self._told_limits:
            return RETENTION_SECONDS
        dropped = self._queue.retention.expire(timedelta(seconds=age), most, _SLICE)
        self._told_limits = True
        if dropped:
            log.warning(
                "dlq_expired: %d dead letters are over the limits and were dropped",
                dropped,
                extra={"letters": dropped},
            )
        return HURRIED_SECONDS if dropped >= _SLICE else RETENTION_SECONDS

    def _empty_trash(self) -> float:
        age, most = self._worker.trash_max_age, self._worker.trash_bytes
        gone = self._queue.letters.trash.shrink(age, most, _SLICE)
        return HURRIED_SECONDS if gone >= _SLICE else TRASH_SECONDS

    def _may_be_too_young(self, age: float) -> bool:
        """Whether Redis's clock and this host's disagree: letters dropped too early are lost."""
        seconds, micros = self._queue.redis.time()  # type: ignore[misc, unused-ignore]
        apart = abs(time.time() - seconds - micros / 1e6)
        if apart < max(TOLERANCE_SECONDS, age * _AGE_PART):
            return False
        log.error(
            "clock_skew: this host's clock and Redis's are %.0f s apart; no dead letter is dropped "
            "for its age (MIXRELAY_DLQ_MAX_AGE) until NTP has set both",
            apart,
        )
        return True

    def _mend(self) -> float:
        return HURRIED_SECONDS if self._queue.mend(_SLICE) else MENDED_SECONDS

    def _guard(self) -> float:
        for seen in self._queue.guard():
            if seen.keys:
                log.error(
                    "keys_expire: someone set a time to live on %d keys of the queue (%s); it was "
                    "taken off, since messages would be lost when it ends",
                    seen.keys,
                    seen.example,
                )
            if seen.emptied:
                log.error(
                    "queue_emptied: the queue had numbered %d messages, and now %d: it was "
                    "emptied, or set back; what was waiting is lost, or is sent again",
                    seen.was,
                    seen.now,
                )
        return GUARD_SECONDS

    def _count_shards(self) -> float:
        if self._shards:
            self._shards.flush()
        return FLUSH_SECONDS
