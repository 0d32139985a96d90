"""The trash of one partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, cast

import orjson
from redis import Redis

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts
from mixrelay.shared.queue.letters.letter import Letter
from mixrelay.shared.queue.messages.batch import Number


@dataclass(frozen=True, slots=True)
class Trashed:
    """A letter in the trash, and how it came there."""

    letter: Letter
    at: datetime
    who: str
    why: str
    job: str
    """The bulk job that discarded it; empty where none did."""

    @classmethod
    @reading("a letter in the trash")
    def parse(cls, stored: bytes) -> Self:
        told: dict[str, Any] = orjson.loads(stored.split(b"\n", 1)[0])["discarded"]
        at = datetime.fromtimestamp(told["at"] / 1000, UTC)
        job = told.get("job") or ""
        return cls(Letter.parse(stored), at, told["who"], told["why"], job)


class TrashBox:
    """The letters of one partition that were discarded."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts

    def numbers(self, first: int, count: int) -> list[tuple[float, Number]]:
        """When letters were discarded (ms), and their numbers, the oldest first."""
        last = first + count - 1
        found = self._redis.zrange(self._keys("trash:at"), first, last, withscores=True)
        pairs = cast("list[tuple[bytes, float]]", found)
        return [(at, Number(number.decode())) for number, at in pairs]

    def get_many(self, numbers: Sequence[Number]) -> list[Trashed]:
        """Those of the numbers that are there now."""
        if not numbers:
            return []
        found = cast("list[bytes | None]", self._redis.hmget(self._keys("trash"), list(numbers)))
        return [Trashed.parse(stored) for stored in found if stored is not None]

    def size(self) -> tuple[int, int]:
        """Letters, and the bytes that they take."""
        letters = self._redis.zcard(self._keys("trash:at"))
        taken = cast("bytes | None", self._redis.get(self._keys("trash:bytes")))
        return int(letters), int(taken or 0)

    def limits(self) -> tuple[float | None, int | None]:
        """Seconds and bytes as workers noted them last; None before any did."""
        found = self._redis.hmget(self._keys("trash:limits"), ["age", "bytes"])
        age, size = cast("list[bytes | None]", found)
        return (float(age) / 1000 if age else None), (int(size) if size else None)

    def restore(
        self, numbers: Sequence[Number], *, who: str, why: str = "", op: str | None = None
    ) -> int:
        """Makes letters of them again; returns how many still were there.

        Args:
            numbers: at most 500.
            who: is noted in the audit.
            why: likewise.
            op: the move's id: repeat it with the same after a lost reply.
        """
        return int(self._scripts.run("restore", op or new_id(), who, why, *numbers))

    def shrink(self, age_seconds: float, most_bytes: int, most: int) -> int:
        """Drops the oldest that are over the limits, and notes these; returns how many went."""
        age = round(age_seconds * 1000)
        return int(self._scripts.run("trash_empty", age, most_bytes, most, 1, "", ""))

    def empty(self, most: int, *, who: str, why: str = "") -> int:
        """Drops the oldest for good, whatever the limits; returns how many went."""
        return int(self._scripts.run("trash_empty", 0, 0, most, 0, who, why))
