"""The gates of a queue with several partitions: one backoff, one probe, one pace for the fleet.

Pauses, paces and holds stand in the slot of `Q` itself. The other partitions have copies of them,
renewed whenever a batch is to be leased, and tell that slot what their batches found out
(docs/internals.md, Partitions). While its node is away each partition goes on by itself.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
from redis import Redis

from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts
from mixrelay.shared.queue.messages.batch import Batch
from mixrelay.shared.queue.partitions.partitions import FAILURES, Partitions

PATIENCE_SECONDS = 2.0
"""For so long what `Q`'s slot must be told is repeated; then the others go on without it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What one asking of all partitions knows of the gates."""

    gates: bytes = b""
    """JSON; empty where the slot did not answer."""
    leased: Mapping[int, Mapping[str, int]] = field(default_factory=dict)
    """By partition and destination, where there are paces."""

    def gates_for(self, index: int) -> bytes:
        """As `Partition.reserve` takes it: in the first's own slot they stand themselves."""
        return self.gates if index else b""

    def elsewhere(self, index: int) -> bytes:
        """What the others have leased, as `Partition.reserve` takes it."""
        return _summed(counts for other, counts in self.leased.items() if other != index)


class Gates:
    """What stands in the slot of `Q` for all partitions. Any thread may ask."""

    def __init__(self, redis: Redis, name: str, partitions: Partitions) -> None:
        self._redis = redis
        self._keys = Keys.of(name)
        self._scripts = Scripts(redis, self._keys)
        self._partitions = partitions

    def announce(self, partitions: int) -> int:
        """Notes that there are so many; returns how many there ever were."""
        noted = cast("bytes | None", self._redis.get(self._keys("partitions")))
        if partitions <= 1 and noted is None:
            return partitions
        # Nothing is written where it is noted already: workers ask again and again.
        if noted is not None and noted.isdigit() and int(noted) >= partitions:
            return int(noted)
        return int(self._scripts.run("announce", partitions))

    def noted(self) -> int:
        """How many partitions there ever were."""
        return int(self._scripts.run("gates")[0])

    def look(self) -> Look:
        """Reads the gates, and what they count. Without an answer the copies stand as they are."""
        if self._partitions.is_left_alone(0):
            return Look()
        try:
            noted, gates, paced = self._scripts.run("gates")
        except FAILURES as error:
            self._partitions.failed(0, error)
            return Look()
        self._partitions.grow(noted)
        return Look(gates, self._leased(range(len(self._partitions))) if paced else {})

    def of_failure(self, batch: Batch, destination: str) -> dict[str, Any]:
        """What the settlement of a batch that failed needs to know, as `settle.lua` takes it."""
        if batch.partition == 0:
            leased = self._leased(range(1, len(self._partitions)))
            return {"elsewhere": _sum(leased.values())}
        passed = self._passed(destination)
        return {} if passed is None else {"passed": passed}

    def _passed(self, destination: str) -> str | None:
        """When it last accepted something: a mark that only that slot can read."""
        if self._partitions.is_left_alone(0):
            return None
        try:
            mark: bytes | None = self._redis.hget(self._keys("accepted"), destination)  # type: ignore[assignment, unused-ignore]
        except FAILURES as error:
            self._partitions.failed(0, error)
            return None
        return mark.decode() if mark else ""

    def claim(self, batch: Batch, lease_seconds: float) -> float | None:
        """Lets a batch of another partition probe; None where it may.

        Returns:
            Seconds until one may ask again, since another probes or the pause is not over.

        Raises:
            redis.RedisError: no answer came, for the first time in a while: ask again.
        """
        wait = self._insist(lambda: self._probe(batch, lease_seconds))
        return wait / 1000 if wait else None

    def extend(self, batch: Batch, lease_seconds: float) -> None:
        """Lets a probe go on. Where that fails another probes too, and no harm is done."""
        if self._partitions.is_left_alone(0):
            return
        try:
            self._probe(batch, lease_seconds, goes_on=True)
        except FAILURES as error:
            self._partitions.failed(0, error)

    def tell(self, op: str, words: bytes) -> None:
        """Tells what a move found out about destinations; once, however often it is repeated.

        Raises:
            redis.RedisError: no answer came, for the first time in a while: repeat the move.
        """
        if not words:
            return
        failed = any(word["what"] == "failed" for word in orjson.loads(words))
        leased = self._leased(range(1, len(self._partitions))) if failed else {}
        self._insist(lambda: self._scripts.run("report", op, words, _summed(leased.values())))

    def _probe(self, batch: Batch, lease_seconds: float, *, goes_on: bool = False) -> int:
        lease_ms = round(lease_seconds * 1000)
        told = batch.destination or "", batch.id, lease_ms, int(goes_on)
        return int(self._scripts.run("probe", *told))

    def _insist(self, ask: Callable[[], int]) -> int:
        away = self._partitions.away_seconds(0)
        if away > PATIENCE_SECONDS and self._partitions.is_left_alone(0):
            return 0
        try:
            answer = ask()
        except FAILURES as error:
            self._partitions.failed(0, error)
            raise
        self._partitions.answered(0)
        return answer

    def _leased(self, among: Collection[int]) -> dict[int, dict[str, int]]:
        counts = {}
        for index in among:
            if self._partitions.is_left_alone(index):
                continue
            try:
                counts[index] = self._partitions[index].leased()
            except FAILURES as error:
                self._partitions.failed(index, error)
        return counts


def _sum(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for some in counts:
        total.update(some)
    return total


def _summed(counts: Iterable[Mapping[str, int]]) -> bytes:
    return orjson.dumps(_sum(counts))
