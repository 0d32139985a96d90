"""Limits of age and count for dead letters: what they drop, and what they will drop soon."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from redis import Redis

from mixrelay.shared.queue.keys import Keys
from mixrelay.shared.queue.scripts import Scripts

_NEAR = 0.8
"""Of the most letters: from here on one is warned."""
_AHEAD = timedelta(days=1)


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
    """The limits of one queue."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts

    def expire(self, max_age: timedelta | None, max_letters: int | None, most: int = 500) -> int:
        """Drops the letters over the limits, buried first; returns how many it dropped.

        They are counted as `discarded:expired`, and told to the audit every ten minutes.

        Args:
            max_age: since the burial.
            max_letters: that may lie there.
            most: to drop in this call.
        """
        age = round(max_age.total_seconds() * 1000) if max_age else 0
        return int(self._scripts.run("expire", age, max_letters or 0, most))

    def outlook(self) -> Outlook | None:
        """What the limits mean now; None where no worker has any."""
        flat = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys("retention")))
        told = {name.decode(): int(value) for name, value in flat.items()}
        if not (told.get("max_age") or told.get("max_letters")):
            return None
        age = timedelta(milliseconds=told["max_age"]) if told["max_age"] else None
        letters = int(self._redis.zcard(self._keys("dead")))
        soon = self._older_than(age - _AHEAD) if age else 0
        return Outlook(age, told["max_letters"] or None, letters, soon)

    def _older_than(self, age: timedelta) -> int:
        seconds, micros = self._redis.time()
        before = datetime.fromtimestamp(seconds + micros / 1e6, UTC) - age
        limit = f"({before.timestamp() * 1000:.0f}"
        return int(self._redis.zcount(self._keys("dead"), "-inf", limit))
