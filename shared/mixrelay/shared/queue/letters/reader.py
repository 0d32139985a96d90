"""Looks at one partition's dead letters. Nothing here changes one: looking counts as nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, cast

from redis import Redis

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts
from mixrelay.shared.queue.letters.letter import Letter, LetterFilter
from mixrelay.shared.queue.letters.paging import Seen, milliseconds
from mixrelay.shared.queue.messages.batch import Number
from mixrelay.shared.queue.trash.box import TrashBox

_BYTES = 8_388_608
"""Of letters in one answer: far below what a client's buffer takes."""
_GROUPS_READ_AS_ONE = 8
_LATEST = datetime(9999, 12, 1, tzinfo=UTC).timestamp()
"""Anyone may have written a score: no time behind it can be read, or added to."""
"""Each is asked for a whole page: with more, one index and a look at each letter cost less."""


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


@dataclass(frozen=True, slots=True)
class InOrder:
    """Letters of ordered lanes by their places: their numbers, or those of their file."""

    places: Sequence[str]
    letters: Sequence[Letter | None]
    """None for one that was moved at this moment."""
    more: bool


class LetterBox:
    """The letters of one partition."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self.trash = TrashBox(redis, keys, scripts)

    def get_many(self, numbers: Sequence[Number]) -> list[Letter]:
        """Those of the numbers that are letters now, in the order asked for."""
        if not numbers:
            return []
        found = cast("list[bytes | None]", self._redis.hmget(self._keys("letters"), list(numbers)))
        return [Letter.parse(stored) for stored in found if stored is not None]

    def look(
        self,
        wanted: LetterFilter,
        cursor: str = "",
        *,
        size: int,
        newest_first: bool = False,
        whole: bool = False,
        head: int = 0,
        most_bytes: int = _BYTES,
    ) -> Seen:
        """Looks at the next letters that can match, at most `size`, in one call.

        Args:
            wanted: which letters.
            cursor: behind which place, of whichever partition; empty for all.
            size: letters to look at, at most 500.
            newest_first: by burial.
            whole: with their messages, though the filter does without.
            head: in place of whole messages so many bytes of each, at least two.
            most_bytes: of the letters that it looks at, after which it ends; one is always looked
                at.

        Raises:
            ValueError: the cursor is none of ours.
        """
        at, _, number = cursor.partition(":")
        if cursor and not (at.isascii() and at.isdigit() and number):
            raise ValueError(f"{cursor!r} is no place among the letters: start again without it.")
        reply = self._scripts.run(
            "page",
            size,
            int(newest_first),
            *_times(wanted),
            at,
            number,
            1 if whole or wanted.needs_message else head,
            most_bytes,
            *self._indexes(wanted),
        )
        more, told, stored = reply
        return Seen(told, [Letter.parse(one) if one else None for one in stored], bool(more))

    def newest_burial(self) -> datetime | None:
        """When the letter was buried that died last; None where there is none."""
        # Not by desc=True, which redis-py asks by ZREVRANGE: no role has that (docs/redis.md).
        found = self._redis.zrange(self._keys("dead"), -1, -1, withscores=True)
        pairs = cast("list[tuple[bytes, float]]", found)
        return datetime.fromtimestamp(min(pairs[0][1] / 1000, _LATEST), UTC) if pairs else None

    def in_order(
        self, after: str = "", *, size: int, whole: bool = False, most_bytes: int = _BYTES
    ) -> "InOrder | None":
        """The next letters of ordered lanes as a replay sends them; None while that is not known.

        Letters that an older mixrelay buried must be indexed first (`Partition.mend`).

        Args:
            after: behind which place; empty for all.
            size: letters to look at, at most 500.
            whole: with their messages.
            most_bytes: as `look` has it.
        """
        more, *found = self._scripts.run("in_order", size, after, int(whole), most_bytes)
        if more < 0:
            return None
        places, stored = found
        letters = [Letter.parse(one) if one else None for one in stored]
        return InOrder([one.decode() for one in places], letters, bool(more))

    def groups(self, wanted: LetterFilter) -> list[Group]:
        """The letters by reason, status and type; the filter is one that indexes answer."""
        times = _times(wanted)
        replies = self._scripts.run("groups", *times)
        found = (Group.parse(reply, is_bounded=any(times)) for reply in replies)
        return [one for one in found if wanted.means_group(one.reason, one.status, one.type)]

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


def _times(wanted: LetterFilter) -> list[str]:
    moments = (wanted.since, wanted.until)
    return [str(milliseconds(moment)) if moment else "" for moment in moments]


def _moment(milliseconds: bytes) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)
