"""Looks at dead letters. Nothing here changes one: looking counts as nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, cast

from redis import Redis

from mixrelay.shared.queue.batch import Number
from mixrelay.shared.queue.foreign import reading
from mixrelay.shared.queue.keys import Keys
from mixrelay.shared.queue.letters import Letter, LetterFilter
from mixrelay.shared.queue.scripts import Scripts

PAGE = 500
"""Letters fetched at once."""
_GROUPS_READ_AS_ONE = 8
"""Each is asked for a whole page: with more, one index and a look at each letter cost less."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Letters looked at together, and those of them that match."""

    letters: list[Letter]
    """Without their messages, unless these were asked for."""
    cursor: str
    """The place behind the last that was looked at."""
    looked: int
    more: bool

    @staticmethod
    def place(letter: Letter) -> str:
        """The cursor behind a letter."""
        return f"{_ms(letter.dead_since)}:{letter.id}"


@dataclass(frozen=True, slots=True)
class Page:
    """What an operator sees at once."""

    letters: list[Letter]
    cursor: str | None
    """Where the next page begins; None where none can follow."""
    looked: int
    """Letters looked at: with a rare match, many for few, or for none yet."""


@dataclass(frozen=True, slots=True)
class Group:
    """The letters of one reason, status and type, within the time asked for."""

    reason: str
    status: int
    type: str
    letters: int
    first: datetime | None
    last: datetime | None
    """Burials; None where no letter lies within the time."""
    sample: Letter | None
    """The last of them, without its message."""
    is_indexed: bool
    """False while letters of an older mixrelay are still put into the index (`Queue.mend`):
    then the times, and the number within a time, are not all."""

    @property
    def name(self) -> str:
        return f"{self.reason}|{self.status}|{self.type}"

    @classmethod
    @reading("a group of letters")
    def parse(cls, reply: Sequence[Any], *, is_bounded: bool) -> Self:
        name, counted, indexed, within, first, last, sample = reply
        reason, status, kind = name.decode().split("|")
        return cls(
            reason=reason,
            status=int(status),
            type=kind,
            letters=int(within) if is_bounded else int(counted),
            first=_moment(first) if first else None,
            last=_moment(last) if last else None,
            sample=Letter.parse(sample) if sample else None,
            is_indexed=int(counted) == int(indexed),
        )


class LetterBox:
    """The letters of one queue."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts

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
        """The letters that match, oldest burial first, read while the caller goes on.

        One that is moved meanwhile may be left out, and no other; those buried meanwhile come last.
        """
        for found in self._slices(wanted, page, whole=True):
            yield from found.letters

    def take(self, wanted: LetterFilter, *, page: int = PAGE) -> Iterator[list[Number]]:
        """Slices of the letters that match, for a caller that moves each slice away.

        A slice is empty where a page holds none, so that the caller can look at the time. Give
        `wanted.until`, or letters that die again meanwhile come round again.
        """
        for found in self._slices(wanted, page, whole=False):
            yield [letter.id for letter in found.letters]

    def count(self, wanted: LetterFilter) -> int:
        return sum(len(found.letters) for found in self._slices(wanted, PAGE, whole=False))

    def page(
        self,
        wanted: LetterFilter,
        cursor: str | None = None,
        *,
        limit: int = 50,
        newest_first: bool = True,
        look_at: int = 5_000,
    ) -> Page:
        """The next letters that match, and where to go on.

        A cursor stays good whatever is moved or buried meanwhile, and for every filter.

        Args:
            wanted: which letters.
            cursor: of the page before; None for the first.
            limit: letters of a page.
            newest_first: by burial.
            look_at: letters after which it answers with what it has: one second's work at most.

        Raises:
            ValueError: the cursor is none of ours.
        """
        letters: list[Letter] = []
        looked = 0
        while looked < look_at:
            size = min(PAGE, limit) if wanted.is_indexed else PAGE
            found = self.slice(wanted, cursor or "", size=size, newest_first=newest_first)
            looked += found.looked
            letters += found.letters
            if len(letters) > limit or (len(letters) == limit and found.more):
                return Page(letters[:limit], Slice.place(letters[limit - 1]), looked)
            if not found.more:
                return Page(letters, None, looked)
            cursor = found.cursor
        return Page(letters, cursor, looked)

    def slice(
        self,
        wanted: LetterFilter,
        cursor: str = "",
        *,
        size: int = PAGE,
        newest_first: bool = False,
        whole: bool = True,
    ) -> Slice:
        """Looks at the next letters, at most `size`, in one call.

        Args:
            wanted: which letters.
            cursor: behind which place; empty for all.
            size: letters to look at, at most 500.
            newest_first: by burial.
            whole: with their messages, though the filter does without.

        Raises:
            ValueError: the cursor is none of ours.
        """
        at, _, number = cursor.partition(":")
        if cursor and not (at.isdigit() and number):
            raise ValueError(f"{cursor!r} is no place among the letters: start again without it.")
        times = [str(_ms(moment)) if moment else "" for moment in (wanted.since, wanted.until)]
        reply = self._scripts.run(
            "page",
            size,
            int(newest_first),
            *times,
            at,
            number,
            int(whole or wanted.needs_message),
            *self._indexes(wanted),
        )
        more, places, stored = reply
        letters = [Letter.parse(one) for one in stored if one]
        with reading("an index of letters"):
            behind = f"{int(places[-1])}:{places[-2].decode()}" if places else cursor
        matching = [letter for letter in letters if wanted.matches(letter)]
        return Slice(matching, behind, len(stored), bool(more))

    def groups(self, wanted: LetterFilter | None = None) -> list[Group]:
        """The letters by reason, status and type, the most frequent first.

        Args:
            wanted: a filter that indexes answer (`LetterFilter.is_indexed`).
        """
        wanted = wanted or LetterFilter()
        times = [str(_ms(moment)) if moment else "" for moment in (wanted.since, wanted.until)]
        replies = self._scripts.run("groups", *times)
        found = (Group.parse(reply, is_bounded=any(times)) for reply in replies)
        meant = (one for one in found if wanted.means_group(one.reason, one.status, one.type))
        return sorted(meant, key=lambda group: -group.letters)

    def _slices(self, wanted: LetterFilter, size: int, *, whole: bool) -> Iterator[Slice]:
        cursor, more = "", True
        while more:
            found = self.slice(wanted, cursor, size=size, whole=whole)
            yield found
            cursor, more = found.cursor, found.more

    def _indexes(self, wanted: LetterFilter) -> list[str]:
        """The indexes that hold all that match, and as little else as can be."""
        parts = {"reason": wanted.reason, "status": wanted.status, "type": wanted.type}
        single = [f"dead:{name}:{value}" for name, value in parts.items() if value is not None]
        if len(single) < 2:  # noqa: PLR2004 - one index answers one question
            return single or ["dead"]
        groups = self.groups(wanted)
        if len(groups) <= _GROUPS_READ_AS_ONE and all(group.is_indexed for group in groups):
            return [f"dead:group:{group.name}" for group in groups]
        with self._redis.pipeline(transaction=False) as sizes:
            for index in single:
                sizes.zcard(self._keys(index))
            smallest = min(zip(sizes.execute(), single, strict=True))
        return [smallest[1]]


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _moment(milliseconds: bytes) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
