"""Counts the events of each user and group in this process, and adds the large counts up in Redis.

A million ids do not fit: what is kept are the heaviest, by the "Frequent" algorithm (Misra, Gries:
Finding Repeated Elements). Of N counted events no count is too low by more than N / PLACES; in
practice by far less. What is large goes to Redis every half minute (`mixrelay.shared.queue.stats.hot_shards`),
what is small stays here, and at the end of the drain job all but the smallest goes.
"""

from __future__ import annotations

import heapq
import logging
import threading
from collections import Counter
from collections.abc import Iterable
from hashlib import blake2b

from redis.exceptions import RedisError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.mixpanel.answers import printable
from mixrelay.shared.queue import HotShard, Queue, Shard, new_id
from mixrelay.shared.queue.stats.hot_shards import GROUP, SHARDS_AT_MOST
from mixrelay.worker.counting.shards import SAMPLE, Family, GroupKeys, Seen, ShardReader

log = logging.getLogger(__name__)

PLACES = 16_384
"""Ids that are kept when there are twice as many."""
FLUSH_SECONDS = 30.0
LARGE, LARGE_AT_THE_END = 8, 2
"""Events that were looked at, from which on a count goes to Redis."""
ID_BYTES = 160
"""A longer id is cut, and a hash of the whole stands behind it."""
_HASH_BYTES = 8

_Counts = dict[Family, Counter[str]]


class ShardCounts:
    """The counts of one process. Senders count, the main thread flushes."""

    def __init__(self, queue: Queue, reader: ShardReader) -> None:
        """Counts nothing yet.

        Args:
            queue: whose first partition keeps the counts of all processes.
            reader: reads the ids; it learns of group keys that other processes saw.
        """
        self._queue = queue
        self.reader = reader
        self._counts: _Counts = {}
        self._lock = threading.Lock()
        self._pending: tuple[str, dict[Shard, int]] | None = None
        """What Redis has not answered yet, with the move's id."""
        self._is_idle = False
        """Nothing was counted since the last flush; the first asks for group keys all the same."""
        self._told: GroupKeys | None = None
        """The group keys that Redis was told."""

    def count(self, seen: Iterable[Seen]) -> None:
        """Counts events that Mixpanel took."""
        by_family: dict[Family, list[str]] = {}
        for family, ids in seen:
            by_family.setdefault(family, []).extend(ids)
        with self._lock:
            self._is_idle = False
            for family, ids in by_family.items():
                if family not in self._counts:
                    self._counts[family] = Counter()
                self._counts[family].update(ids)
            if sum(map(len, self._counts.values())) > 2 * PLACES:
                self._counts = compacted(self._counts)

    def flush(self, *, at_the_end: bool = False) -> None:
        """Adds the large counts to those in Redis, and logs which shards are hot.

        Raises:
            redis.RedisError: Redis is away, or full. Nothing is lost: the next flush repeats it.
            WrongKeyType: a key there holds a foreign value.
        """
        if self._pending is None:
            if self._has_nothing_to_tell(at_the_end=at_the_end):
                return
            self._pending = new_id(), self._take(LARGE_AT_THE_END if at_the_end else LARGE)
        op, counts = self._pending
        learned = self.reader.learned
        told = self._queue.hot.add(counts, learned, op=op)
        self._pending, self._told = None, learned
        self.reader.know(told.group_keys)
        for shard, level in told.crossed:
            _warn(shard, level)

    def _has_nothing_to_tell(self, *, at_the_end: bool) -> bool:
        has_more = at_the_end and bool(self._counts)
        return self._is_idle and not has_more and self._told == self.reader.learned

    def end(self) -> None:
        """Flushes what is left as far as Redis is there: nothing rests on these counts."""
        try:
            if self._pending:
                self.flush()
            self.flush(at_the_end=True)
        except (RedisError, WrongKeyType) as error:
            log.debug("redis_away: the counts of hot shards: %s", error)

    def _take(self, large: int) -> dict[Shard, int]:
        with self._lock:
            self._is_idle = True
            heavy = [
                (count, family, name)
                for family, counter in self._counts.items()
                for name, count in counter.items()
                if count >= large and name
            ]
            if len(heavy) > SHARDS_AT_MOST:
                heavy = heapq.nlargest(SHARDS_AT_MOST, heavy, key=lambda one: one[0])
            for _, family, name in heavy:
                del self._counts[family][name]
            self._counts = {family: names for family, names in self._counts.items() if names}
        return {Shard(*family, _short(name)): count * SAMPLE for count, family, name in heavy}


def compacted(counts: _Counts) -> _Counts:
    """The heaviest `PLACES` counts, each less by the same amount, as "Frequent" has it."""
    kept = _less(counts, 1)
    if sum(map(len, kept.values())) <= PLACES:
        return kept
    largest = sorted((n for names in counts.values() for n in names.values()), reverse=True)
    return _less(counts, largest[PLACES])


def _less(counts: _Counts, amount: int) -> _Counts:
    kept = {
        family: Counter({name: n - amount for name, n in names.items() if n > amount})
        for family, names in counts.items()
    }
    return {family: names for family, names in kept.items() if names}


def _short(name: str) -> str:
    """An id that Redis can keep: bounded, and without halves of surrogate pairs."""
    raw = name.encode("utf-8", "replace")
    if len(raw) <= ID_BYTES:
        return raw.decode()
    digest = blake2b(raw, digest_size=_HASH_BYTES).hexdigest()
    return f"{raw[:ID_BYTES].decode(errors='ignore')}…{digest}"


def _warn(shard: HotShard, level: int) -> None:
    """Without the id, which is personal data: `mixrelay status` lists it."""
    log.warning(
        "hot_shard: a %s has about %d events of %s (UTC), over %d %% of Mixpanel's limit of %d a "
        "day; above it Mixpanel renames events to $hotshard_events. mixrelay status lists the id",
        f"group by {printable(shard.group_key)}" if shard.kind == GROUP else "distinct_id",
        shard.count,
        shard.day,
        level,
        shard.limit,
        extra={"records": shard.count},
    )
