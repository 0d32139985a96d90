"""Looks at dead letters. Nothing here changes one: looking counts as nothing."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import cast

import orjson
from redis import Redis

from mixrelay.shared.queue.batch import Number
from mixrelay.shared.queue.keys import Keys
from mixrelay.shared.queue.letters import Letter, LetterFilter
from mixrelay.shared.tuples import MalformedTupleError, read

PAGE = 500
"""Letters fetched at once."""


class LetterBox:
    """The letters of one queue, oldest burial first."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._keys = keys

    def get(self, number: Number) -> Letter | None:
        stored = cast("bytes | None", self._redis.hget(self._keys("letters"), number))
        return Letter.parse(stored) if stored is not None else None

    def get_many(self, numbers: Sequence[Number]) -> list[Letter]:
        """Those of the numbers that are letters now, in the order asked for."""
        if not numbers:
            return []
        found = cast("list[bytes | None]", self._redis.hmget(self._keys("letters"), list(numbers)))
        return [Letter.parse(stored) for stored in found if stored is not None]

    def find(self, wanted: LetterFilter, *, page: int = PAGE) -> Iterator[Letter]:
        """The letters that match, read page by page while the caller goes on.

        Letters that are moved meanwhile may be left out; those buried meanwhile come last.
        """
        start = 0
        while found := self._page(wanted, start, page):
            start += len(found)
            yield from self._matching(found, wanted)

    def take(self, wanted: LetterFilter, *, page: int = PAGE) -> Iterator[list[Number]]:
        """Slices of the letters that match, for a caller that moves each slice away.

        What the caller moves leaves the index, so the place to go on from is counted in letters
        that stayed. Give `wanted.until`, or letters that die again meanwhile come round again.
        """
        stayed = 0
        while found := self._page(wanted, stayed, page):
            chosen = [letter.id for letter in self._matching(found, wanted)]
            if chosen:
                yield chosen
            stayed += self._unmoved(found)

    def count(self, wanted: LetterFilter) -> int:
        return sum(1 for _ in self.find(wanted))

    def _matching(self, found: Mapping[Number, float], wanted: LetterFilter) -> list[Letter]:
        return [letter for letter in self.get_many(list(found)) if matches(letter, wanted)]

    def _unmoved(self, found: Mapping[Number, float]) -> int:
        # One that was replayed and has died again meanwhile lies at the end, not where it lay.
        scores = self._redis.zmscore(self._keys("dead"), list(found))
        return sum(score == at for score, at in zip(scores, found.values(), strict=True))

    def _page(self, wanted: LetterFilter, start: int, count: int) -> dict[Number, float]:
        # By rank, which costs the same at the millionth letter; by score it would count up to it.
        index = self._index(wanted)
        before = 0
        if wanted.since:
            before = self._redis.zcount(index, "-inf", f"({_ms(wanted.since)}")
        first = before + start
        found = cast(
            "list[tuple[bytes, float]]",
            self._redis.zrange(index, first, first + count - 1, withscores=True),
        )
        end = _ms(wanted.until) if wanted.until else None
        return {Number(number.decode()): at for number, at in found if end is None or at < end}

    def _index(self, wanted: LetterFilter) -> str:
        if wanted.reason is not None:
            return self._keys(f"dead:reason:{wanted.reason}")
        if wanted.status is not None:
            return self._keys(f"dead:status:{wanted.status}")
        if wanted.type is not None:
            return self._keys(f"dead:type:{wanted.type}")
        return self._keys("dead")


def matches(letter: Letter, wanted: LetterFilter) -> bool:
    """Whether a letter is meant, its time of burial aside (the index has answered that)."""
    plain = (
        (wanted.reason, letter.reason),
        (wanted.status, letter.status),
        (wanted.type, letter.type),
    )
    if any(want is not None and want != has for want, has in plain):
        return False
    if wanted.event is None and wanted.distinct_id is None:
        return True
    return any(
        wanted.event in (None, event) and wanted.distinct_id in (None, distinct_id)
        for event, distinct_id in subjects(letter.payload)
    )


def subjects(payload: bytes) -> Iterator[tuple[str | None, str | None]]:
    """Each record's event name and whom it is about, as text; nothing where it can't be read."""
    try:
        records = read(payload).records()
    except MalformedTupleError:
        return
    for record, _raw in records:
        if not isinstance(record, dict):
            continue
        properties = record.get("properties")
        inner = properties if isinstance(properties, dict) else {}
        who = inner.get("distinct_id", record.get("$distinct_id", record.get("$group_id")))
        yield _text(record.get("event")), _text(who)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
