"""A queue of several partitions, and what its tests put into each of them."""

import random
from typing import Any

from redis import Redis

from mixrelay.shared.queue import Batch, Lane, Letter, Number, Queue
from mixrelay.shared.queue.base.keys import partition_name
from tests.support.bench import Bench, event, update

NAME = "mixpanel_queue"


class Partitioned:
    """The queue, with looks into the keys of each partition."""

    def __init__(self, redis: Redis, count: int = 3) -> None:
        self.redis = redis
        self.queue = Queue(redis, partitions=count)
        self.lists = [partition_name(NAME, index) for index in range(count)]
        self._bench = Bench(self.queue)

    def key(self, partition: int, name: str) -> str:
        return f"{{{self.lists[partition]}}}:{name}"

    def bury(self, partition: int, *tuples: bytes, **verdict: Any) -> None:
        """Has messages of one partition die, those of each lane together."""
        self.redis.rpush(self.lists[partition], *tuples)
        self._bench.route()
        for lane in Lane:
            while isinstance(batch := self._bench.reserve(lane), Batch):
                self._bench.bury(batch, **verdict)

    def bury_some(self, rng: random.Random, times: int = 12) -> None:
        """Letters of several groups, here and there, many of them at the same millisecond."""
        for _ in range(times):
            reason, status = rng.choice(["invalid", "rejected"]), rng.choice([0, 400])
            tuples = [event(rng.choice("ab")) for _ in range(rng.randrange(1, 9))]
            tuples += [update("u")] * rng.randrange(3)
            self.bury(rng.randrange(len(self.lists)), *tuples, reason=reason, status=status)

    def letters(self) -> list[Letter]:
        """All of them, by burial and then by number as Redis orders these."""
        numbers = [
            Number(number.decode())
            for index in range(len(self.lists))
            for number in self.redis.zrange(self.key(index, "dead"), 0, -1)
        ]
        found = self.queue.letters.get_many(numbers)
        assert len(found) == len(numbers)
        return sorted(found, key=lambda letter: (letter.dead_since, letter.id.encode()))
