"""The counters minute by minute, as far back as the scripts keep them: a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis import Redis

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.keys import Keys

KEPT_MINUTES = 24 * 60
_AT_ONCE = 240
"""Minutes asked for in one go, so that no answer is large."""


@dataclass(frozen=True, slots=True)
class Minute:
    """What was counted within one minute."""

    number: int
    """Since the epoch."""
    counters: Mapping[str, int]
    """By the names of `Books.totals`; what is not there was not counted."""


class History:
    """The past of one partition's counters."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def read(self, numbers: range, fields: Sequence[str] = ()) -> list[Minute]:
        """The minutes of these numbers; of no fields, all counters."""
        found: list[Minute] = []
        for first in range(0, len(numbers), _AT_ONCE):
            found += self._read(numbers[first : first + _AT_ONCE], fields)
        return found

    def _read(self, numbers: Sequence[int], fields: Sequence[str]) -> list[Minute]:
        pipeline = self._redis.pipeline(transaction=False)
        for number in numbers:
            key = self._keys(f"minute:{number}")
            if fields:
                pipeline.hmget(key, list(fields))
            else:
                pipeline.hgetall(key)
        answers = pipeline.execute()
        return [
            Minute(number, _counters(answer, fields))
            for number, answer in zip(numbers, answers, strict=True)
        ]


@reading("counts of a minute")
def _counters(
    answer: Mapping[bytes, bytes] | Sequence[bytes | None], fields: Sequence[str]
) -> dict[str, int]:
    if isinstance(answer, Mapping):
        return {name.decode(): int(count) for name, count in answer.items()}
    return {name: int(count) for name, count in zip(fields, answer, strict=True) if count}
