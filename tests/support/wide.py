"""A queue of several partitions, and what its tests do with one of them."""

from contextlib import suppress
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from mixrelay.shared.queue import Batch, Dead, Lane, Nothing, Queue, Settled, Settlement, new_id
from mixrelay.shared.queue.base.keys import partition_name
from tests.support.bench import AT_ONCE, DESTINATION, Bench
from tests.support.fleet import wait_until


class PartitionBench(Bench):
    """One partition by itself: for a look at its keys, and to let time pass there."""

    def _keys(self) -> list[bytes]:
        own = self.queue.name.encode(), self.key("").encode()
        return [key for key in super()._keys() if key == own[0] or key.startswith(own[1])]


class Wide:
    """Partitions on one server or on many, as the client has them."""

    def __init__(self, redis: Redis, partitions: int = 4) -> None:
        self.redis = redis
        self.queue = Queue(redis, partitions=partitions)
        self.benches = [
            PartitionBench(Queue(redis, partition_name(self.queue.name, index)))
            for index in range(partitions)
        ]

    @property
    def home(self) -> Bench:
        """Where the gates stand."""
        return self.benches[0]

    def another(self, redis: Redis | None = None) -> Queue:
        """The queue as another worker has it."""
        return Queue(redis or self.redis, partitions=len(self.benches))

    def push(self, index: int, *tuples: bytes) -> None:
        self.redis.rpush(self.benches[index].queue.name, *tuples)

    def route(self, index: int, *tuples: bytes) -> None:
        self.push(index, *tuples)
        while self.queue.route()[0]:
            pass

    def reserve(
        self, lane: Lane = Lane.EVENT, *, by: Queue | None = None, **options: Any
    ) -> Batch | Nothing:
        settings: dict[str, Any] = {
            "owner": "worker",
            "claim": new_id(),
            "lease_seconds": 60,
            "destination": DESTINATION,
            "limits": AT_ONCE,
        }
        return (by or self.queue).reserve(lane, **settings | options)

    def take(self, lane: Lane = Lane.EVENT, **options: Any) -> Batch:
        batch = self.reserve(lane, **options)
        assert isinstance(batch, Batch), batch
        return batch

    def refused(self, lane: Lane = Lane.EVENT, **options: Any) -> Nothing:
        nothing = self.reserve(lane, **options)
        assert isinstance(nothing, Nothing), nothing
        return nothing

    def insist(self, batch: Batch, settlement: Settlement) -> Settled:
        """Settles as a worker does: repeats what was not answered."""
        op = new_id()
        answers: list[Settled] = []

        def is_settled() -> bool:
            with suppress(RedisError):
                answers.append(self.queue.settle(batch, settlement, op=op))
            return bool(answers)

        wait_until(is_settled, 20, "a settlement")
        return answers[0]

    def deliver(self, batch: Batch, **settlement: Any) -> None:
        settings = {"destination": batch.destination} | settlement
        accepted = Settlement(delivered="all", sent=True, accepted=True, **settings)
        assert self.insist(batch, accepted) is not Settled.LOST

    def park(self, batch: Batch, park: Any, **settlement: Any) -> None:
        settings = {"sent": True, "destination": batch.destination} | settlement
        assert self.queue.settle(batch, Settlement(rest=park, **settings)) is Settled.DONE

    def bury(self, batch: Batch) -> None:
        dead = [Dead(member.number, "invalid", "said so", status=400) for member in batch.members]
        assert self.queue.settle(batch, Settlement(dead=dead, sent=True)) is Settled.DONE

    def pause_over(self, destination: str = DESTINATION) -> None:
        """Lets time pass until a pause is over, and with it the batches that wait for it."""
        self.home.redis.hset(self.home.key(f"pause:{destination}"), "until", 1)
        for bench in self.benches:
            bench.due()

    def lease_over(self, batch: Batch) -> None:
        for bench in (self.home, self.benches[batch.partition]):
            bench.lease_over(batch)
