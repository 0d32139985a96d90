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

        One that is moved meanwhile may be left out, and no other; those buried meanwhile come last.
        """
        for found in self._pages(wanted, page):
            yield from self._matching(found, wanted)

    def take(self, wanted: LetterFilter, *, page: int = PAGE) -> Iterator[list[Number]]:
        """Slices of the letters that match, for a caller that moves each slice away.

        A slice is empty where a page holds none, so that the caller can look at the time. Give
        `wanted.until`, or letters that die again meanwhile come round again.
        """
        for found in self._pages(wanted, page):
            yield [letter.id for letter in self._matching(found, wanted)]

    def count(self, wanted: LetterFilter) -> int:
        return sum(1 for _ in self.find(wanted))

    def _matching(self, found: Mapping[Number, float], wanted: LetterFilter) -> list[Letter]:
        return [letter for letter in self.get_many(list(found)) if matches(letter, wanted)]

    def _pages(self, wanted: LetterFilter, size: int) -> Iterator[dict[Number, float]]:
        """Pages of an index, each with its letters' times, though others move letters meanwhile."""
        index = self._index(wanted)
        place = self._redis.zcount(index, "-inf", f"({_ms(wanted.since)}") if wanted.since else 0
        seen: set[tuple[Number, float]] = set()
        while page := self._page(index, place, size, wanted):
            yield {number: at for number, at in page.items() if (number, at) not in seen}
            place = self._behind(index, page)
            newest = max(page.values())
            # Only these can come round again, where a place is told by its time.
            seen = {one for one in [*seen, *page.items()] if one[1] == newest}

    def _page(self, index: str, place: int, size: int, wanted: LetterFilter) -> dict[Number, float]:
        # By rank, which costs the same at the millionth letter; by score it would count up to it.
        found = cast(
            "list[tuple[bytes, float]]",
            self._redis.zrange(index, place, place + size - 1, withscores=True),
        )
        end = _ms(wanted.until) if wanted.until else None
        return {Number(number.decode()): at for number, at in found if end is None or at < end}

    def _behind(self, index: str, page: Mapping[Number, float]) -> int:
        """The place behind what is still there of a page; where nothing is, its first's time."""
        scores = self._redis.zmscore(index, list(page))
        for (number, at), score in reversed(list(zip(page.items(), scores, strict=True))):
            # One that was replayed and has died again meanwhile lies at the end.
            if score == at and (place := self._place(index, number, at)) is not None:
                return place + 1
        return int(self._redis.zcount(index, "-inf", f"({min(page.values()):.0f}"))

    def _place(self, index: str, number: Number, at: float) -> int | None:
        with self._redis.pipeline(transaction=True) as both:
            both.zscore(index, number)
            both.zrank(index, number)
            score, rank = both.execute()
        return rank if score == at else None

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
