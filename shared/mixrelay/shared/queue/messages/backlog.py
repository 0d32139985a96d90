"""Looks at what waits: the incoming list, the lanes, and batches that are due for another try.

Nothing is changed, and no script runs: each look is a few reads of bounded length, so that
Redis serves workers in between.
"""

import random
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate, islice
from typing import Any

import orjson
from redis import Redis

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.messages.batch import Lane
from mixrelay.shared.queue.messages.members import Member
from mixrelay.shared.queue.partitions.partition import Partition

AT_ONCE = 16
"""Messages of one read: one may have megabytes."""
SCANNED = 200
"""Batches of one read."""


class Where(StrEnum):
    """Where a message waits."""

    INCOMING = "incoming"
    """In the list that producers push to."""
    LANE = "lane"
    SCHEDULED = "scheduled"
    """In a batch that no worker holds, until it is due."""


@dataclass(frozen=True, slots=True)
class Store:
    """A list of Redis in which messages wait."""

    where: Where
    lane: Lane | None
    key: str
    length: int
    partition: int
    batch: str = ""
    due_ms: int = 0
    """Of a batch, by the queue's own clock."""
    error: str = ""
    """Of a batch: why it was not delivered the last time."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One message that waits."""

    store: Store
    payload: bytes
    """The tuple, verbatim. It may hold an `api_key`: views mask it."""
    number: str = ""
    """Empty in the incoming list: routing gives it."""
    received_ms: int | None = None
    replays: int = 0

    @classmethod
    @reading("a message of a lane or a batch")
    def parse(cls, store: Store, stored: bytes) -> "Waiting":
        if store.where is Where.INCOMING:
            return cls(store, stored)
        member = Member.parse(stored)
        return cls(store, member.payload, member.number, member.received_ms, member.replays)


@dataclass(frozen=True, slots=True)
class Sample:
    """Messages chosen evenly from all that wait; all of them where there are few."""

    messages: Sequence[Waiting]
    total: int
    """How many waited when it was begun."""

    @property
    def is_whole(self) -> bool:
        return len(self.messages) >= self.total


class Backlog:
    """What waits in all partitions."""

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self.partitions = partitions

    def stores(self, where: Where | None = None, lane: Lane | None = None) -> list[Store]:
        """The lists that hold something, in the order in which workers come to them.

        Args:
            where: of one kind only.
            lane: of one lane only; the incoming list has none.
        """
        found = [
            store
            for kind in (Where.SCHEDULED, Where.LANE, Where.INCOMING)
            if where in (None, kind)
            for one in self.partitions
            for store in _stores(one, kind)
        ]
        return [one for one in found if one.length and lane in (None, one.lane)]

    def peek(self, stores: Sequence[Store], most: int, *, last: bool = False) -> list[Waiting]:
        """The first messages of some lists, or the last, in their order."""
        if not last:
            return list(islice(self._forward(stores), most))
        return list(islice(self._backward(stores), most))[::-1]

    def sample(self, stores: Sequence[Store], most: int) -> Sample:
        """Messages of some lists, each as likely as any other; all where there are no more."""
        total = sum(one.length for one in stores)
        if total <= most:
            found = list(self._forward(stores))
            return Sample(found, len(found))
        places = sorted(random.sample(range(total), most))
        return Sample(list(self._at(stores, places)), total)

    def _forward(self, stores: Sequence[Store]) -> Iterator[Waiting]:
        for store in stores:
            for at in range(0, store.length, AT_ONCE):
                yield from self.read(store, at, min(AT_ONCE, store.length - at))

    def _backward(self, stores: Sequence[Store]) -> Iterator[Waiting]:
        for store in reversed(stores):
            for end in range(store.length, 0, -AT_ONCE):
                first = max(0, end - AT_ONCE)
                yield from reversed(self.read(store, first, end - first))

    def read(self, store: Store, first: int, count: int) -> list[Waiting]:
        """Messages of a list from a place on."""
        found: Any = self._redis(store).lrange(store.key, first, first + count - 1)
        return [Waiting.parse(store, one) for one in found]

    def _at(self, stores: Sequence[Store], places: Sequence[int]) -> Iterator[Waiting]:
        ends = list(accumulate(one.length for one in stores))
        for first in range(0, len(places), AT_ONCE):
            asked = [(stores[bisect_right(ends, at)], at) for at in places[first : first + AT_ONCE]]
            by_redis: dict[int, list[tuple[Store, int]]] = {}
            for store, at in asked:
                before = ends[bisect_right(ends, at)] - store.length
                by_redis.setdefault(store.partition, []).append((store, at - before))
            for some in by_redis.values():
                yield from self._picked(some)

    def _picked(self, some: Sequence[tuple[Store, int]]) -> Iterator[Waiting]:
        with self._redis(some[0][0]).pipeline(transaction=False) as asking:
            for store, at in some:
                asking.lindex(store.key, at)
            answers = asking.execute()
        for (store, _at), stored in zip(some, answers, strict=True):
            if stored is not None:  # else it was taken meanwhile
                yield Waiting.parse(store, stored)

    def _redis(self, store: Store) -> Redis:
        return self.partitions[store.partition].redis


def _stores(one: Partition, where: Where) -> Iterator[Store]:
    keys = Keys.of(one.name)
    if where is Where.INCOMING:
        yield Store(where, None, one.name, one.waiting(), one.index)
    elif where is Where.LANE:
        for lane in Lane:
            name = keys(f"lane:{lane}")
            length: Any = one.redis.llen(name)
            yield Store(where, lane, name, int(length), one.index)
    else:
        yield from sorted(_batches(one, keys, leased=False), key=lambda store: store.due_ms)


def batches(one: Partition, *, leased: bool) -> list[Store]:
    """The batches of a partition that workers hold, or those that nobody does."""
    return list(_batches(one, Keys.of(one.name), leased=leased))


def _batches(one: Partition, keys: Keys, *, leased: bool) -> Iterator[Store]:
    states: Any = one.redis.hscan_iter(keys("batches"), count=SCANNED)
    found: dict[str, Any] = {}
    with reading("a batch"):
        for name, text in states:
            state = orjson.loads(text)
            if bool(state.get("claim")) is leased:
                found[name.decode()] = state
    names = list(found)
    for first in range(0, len(names), SCANNED):
        some = names[first : first + SCANNED]
        with one.redis.pipeline(transaction=False) as asking:
            for name in some:
                asking.llen(keys(f"batch:{name}"))
            lengths = asking.execute()
        for name, length in zip(some, lengths, strict=True):
            yield _batch(one, keys, name, int(length), found[name])


@reading("a batch")
def _batch(one: Partition, keys: Keys, name: str, length: int, state: Any) -> Store:
    return Store(
        Where.SCHEDULED,
        Lane(state["lane"]),
        keys(f"batch:{name}"),
        length,
        one.index,
        batch=name,
        due_ms=int(state.get("due") or 0),
        error=str(state.get("error") or ""),
    )
