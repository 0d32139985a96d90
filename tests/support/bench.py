"""A queue with the moves that its tests make most often, and a look into its keys."""

from collections.abc import Sequence
from typing import Any

import orjson
from redis import Redis

from mixrelay.shared.queue import (
    Batch,
    Dead,
    Division,
    Lane,
    Limits,
    Nothing,
    Number,
    Park,
    Pause,
    PauseKind,
    Queue,
    Settled,
    Settlement,
    new_id,
)

AT_ONCE = Limits(linger_seconds=0)
DESTINATION = "track/1"
READ: dict[bytes, tuple[Any, ...]] = {
    b"string": ("get",),
    b"hash": ("hgetall",),
    b"set": ("smembers",),
    b"list": ("lrange", 0, -1),
    b"zset": ("zrange", 0, -1, False, True),
    b"stream": ("xrange",),
}
"""How a value of each type is read whole."""


def event(name: str) -> bytes:
    return orjson.dumps(["event", orjson.dumps({"data": {"event": name}}).decode()])


def update(profile: str, value: int = 0) -> bytes:
    data = {"$distinct_id": profile, "$set": {"value": value}}
    return orjson.dumps(["profile_update", orjson.dumps({"data": data}).decode()])


def outage(base_ms: int = 60_000, **park: Any) -> Park:
    """What a 503 makes of a batch, with a pause that no test outlives."""
    pause = Pause(PauseKind.OUTAGE, base_ms=base_ms, cap_ms=3_600_000)
    return Park("503 from Mixpanel", status=503, pause=pause, **park)


class Bench:
    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.redis: Redis = queue.redis

    def route(self, *tuples: bytes) -> None:
        self.queue.push(tuples)
        while self.queue.route()[1]:
            pass

    def reserve(self, lane: Lane = Lane.EVENT, **options: Any) -> Batch | Nothing:
        settings: dict[str, Any] = {
            "owner": "worker",
            "claim": new_id(),
            "lease_seconds": 60,
            "destination": DESTINATION,
            "limits": AT_ONCE,
        }
        return self.queue.reserve(lane, **settings | options)

    def take(self, lane: Lane = Lane.EVENT, **options: Any) -> Batch:
        batch = self.reserve(lane, **options)
        assert isinstance(batch, Batch), batch
        return batch

    def reserve_read(
        self, lane: Lane, *, destination: str = DESTINATION, **options: Any
    ) -> Batch | Nothing:
        """As a worker in an ordered lane, who reads where the records go before it sends them."""
        while True:
            reply = self.reserve(lane, destination=destination, **options)
            if isinstance(reply, Nothing) or reply.line:
                return reply
            placed = self.queue.divide(reply, Division([], destination=destination, own=True))
            if placed is Settled.DONE:
                return self.take(lane, claim=reply.claim)
            assert placed is Settled.WAITS

    def take_read(self, lane: Lane, **options: Any) -> Batch:
        batch = self.reserve_read(lane, **options)
        assert isinstance(batch, Batch), batch
        return batch

    def refused(self, lane: Lane = Lane.EVENT, **options: Any) -> Nothing:
        nothing = self.reserve(lane, **options)
        assert isinstance(nothing, Nothing), nothing
        return nothing

    def deliver(self, batch: Batch) -> None:
        settlement = Settlement(
            delivered="all", sent=True, accepted=True, destination=batch.destination
        )
        assert self.queue.settle(batch, settlement) is Settled.DONE

    def park(self, batch: Batch, park: Park, **settlement: Any) -> None:
        settings = {"sent": True, "destination": batch.destination} | settlement
        assert self.queue.settle(batch, Settlement(rest=park, **settings)) is Settled.DONE

    def bury(self, batch: Batch, numbers: Sequence[Number] | None = None, **verdict: Any) -> None:
        settings = {"reason": "invalid", "error": "said so", "status": 400} | verdict
        chosen = numbers or [member.number for member in batch.members]
        dead = [Dead(number, **settings) for number in chosen]
        assert self.queue.settle(batch, Settlement(dead=dead, sent=True)) is Settled.DONE

    def key(self, name: str) -> str:
        return f"{{{self.queue.name}}}:{name}"

    def lane(self, lane: Lane) -> list[bytes]:
        """The payloads that lie in a lane."""
        stored: list[bytes] = self.redis.lrange(self.key(f"lane:{lane}"), 0, -1)
        return [member.split(b" ", 3)[3] for member in stored]

    def state(self, batch_id: str) -> dict[str, Any]:
        stored = self.redis.hget(self.key("batches"), batch_id)
        assert stored is not None, f"no batch {batch_id}"
        state: dict[str, Any] = orjson.loads(stored)
        return state

    def change(self, batch_id: str, **changes: Any) -> None:
        state = self.state(batch_id) | changes
        self.redis.hset(self.key("batches"), batch_id, orjson.dumps(state))

    def pause_over(self, destination: str = DESTINATION) -> None:
        """Lets time pass until a pause is over, and with it the batches that wait for it."""
        self.redis.hset(self.key(f"pause:{destination}"), "until", 1)
        self.due()

    def due(self) -> None:
        """Lets time pass until every parked batch is due."""
        for lane in Lane:
            for batch_id in self.redis.zrange(self.key(f"parked:{lane}"), 0, -1):
                self.redis.zadd(self.key(f"parked:{lane}"), {batch_id: 1})
                self.change(batch_id.decode(), due=1)
            if lane.ordered:
                self.redis.delete(self.key(f"ahead:{lane}"))
                for line in self.redis.zrange(self.key(f"lines:{lane}"), 0, -1):
                    self.redis.zadd(self.key(f"lines:{lane}"), {line: 1})

    def lease_over(self, *batches: Batch) -> None:
        """Lets time pass until the leases have ended."""
        for batch in batches:
            self.redis.zadd(self.key("leases"), {batch.id: 1}, xx=True)
            pause = self.key(f"pause:{batch.destination}")
            if self.redis.hget(pause, "probe") == batch.id.encode():
                self.redis.hset(pause, "probe_until", 1)

    def die(self, batch: Batch) -> None:
        """Its worker dies while it holds nothing else."""
        self.lease_over(batch)
        assert self.queue.reap() == (1, len(batch.members))

    def totals(self, *names: str) -> list[int]:
        totals = self.queue.books().totals
        return [totals.get(name, 0) for name in names]

    def dump(self) -> dict[bytes, Any]:
        """Every key with its value, read in one go."""
        keys = sorted(self._keys())
        kinds = self._pipelined([("type", key) for key in keys])
        reads = [(*READ[kind], key) for kind, key in zip(kinds, keys, strict=True)]
        values = self._pipelined([(read, key, *rest) for read, *rest, key in reads])
        found = dict(zip(keys, values, strict=True))
        for states in (found[key] for key in keys if key.endswith(b":batches")):
            if isinstance(states, dict):  # equal states may be written in another order
                states.update((name, orjson.loads(state)) for name, state in states.items())
        return found

    def _keys(self) -> list[bytes]:
        """Of the whole server, so that nothing is left behind anywhere."""
        found: list[bytes] = self.redis.keys()
        return found

    def _pipelined(self, calls: list[tuple[Any, ...]]) -> list[Any]:
        pipeline = self.redis.pipeline(transaction=False)
        for name, *arguments in calls:
            getattr(pipeline, name)(*arguments)
        return pipeline.execute()


def payloads(batch: Batch) -> list[bytes]:
    return [member.payload for member in batch.members]


def numbers(batch: Batch) -> list[Number]:
    return [member.number for member in batch.members]
