"""Limits of age and count for dead letters: what they drop, and what they will drop soon."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, cast

from redis import Redis

from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts

_NEAR = 0.8
"""Of the most letters: from here on one is warned."""
AHEAD = timedelta(days=1)
"""How far the outlook goes."""
Buried: TypeAlias = tuple[float, bytes]
"""A letter: when it was buried (ms), and its number."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """The limits that workers were told last, and how near they are."""

    max_age: timedelta | None
    max_letters: int | None
    letters: int
    expire_within_a_day: int

    def warnings(self) -> list[str]:
        """What an operator should know before letters go."""
        said = []
        if self.expire_within_a_day:
            noun = "letter" if self.expire_within_a_day == 1 else "letters"
            said.append(
                f"{self.expire_within_a_day:,} dead {noun} will expire within a day "
                "(MIXRELAY_DLQ_MAX_AGE): replay, export or discard them"
            )
        if self.max_letters and self.letters >= _NEAR * self.max_letters:
            said.append(
                f"{self.letters:,} dead letters are {self.letters / self.max_letters:.0%} of "
                f"MIXRELAY_DLQ_MAX_LETTERS ({self.max_letters:,}): beyond it the oldest are dropped"
            )
        return said


class Retention:
    """The limits, as one partition's script holds them."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts

    def expire(
        self,
        max_age: timedelta | None,
        max_letters: int | None,
        most: int,
        *,
        up_to: Buried | tuple[()] | None = None,
    ) -> int:
        """As `MergedRetention.expire`, of this partition.

        Args:
            max_age: since the burial.
            max_letters: that may lie in the queue.
            most: to drop in this call.
            up_to: the last letter here that is over `max_letters`, empty for none; None has them
                counted here, where this partition is the queue.
        """
        age = round(max_age.total_seconds() * 1000) if max_age else 0
        counted = int(up_to is None)
        return int(
            self._scripts.run("expire", age, max_letters or 0, most, counted, *(up_to or ()))
        )

    def limits(self) -> tuple[timedelta | None, int | None]:
        """The age and the number of letters that workers were told last."""
        flat = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys("retention")))
        told = {name.decode(): int(value) for name, value in flat.items()}
        age = timedelta(milliseconds=told["max_age"]) if told.get("max_age") else None
        return age, told.get("max_letters") or None

    def letters(self) -> int:
        return int(self._redis.zcard(self._keys("dead")))

    def oldest(self, count: int) -> list[Buried]:
        """The letters buried first."""
        found = self._redis.zrange(self._keys("dead"), 0, count - 1, withscores=True)
        return [(at, number) for number, at in cast("list[tuple[bytes, float]]", found)]

    def older_than(self, age: timedelta) -> int:
        seconds, micros = self._redis.time()
        before = datetime.fromtimestamp(seconds + micros / 1e6, UTC) - age
        limit = f"({before.timestamp() * 1000:.0f}"
        return int(self._redis.zcount(self._keys("dead"), "-inf", limit))
