"""What is about one person or one group, wherever a queue holds it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.letters.letter import Letter, LetterFilter
from mixrelay.shared.queue.merged.letters import MergedLetters
from mixrelay.shared.queue.messages.backlog import Backlog, Store, Where, batches
from mixrelay.shared.queue.messages.batch import Lane, partition_of
from mixrelay.shared.queue.messages.taking_out import Gone, Taking, without
from mixrelay.shared.queue.opt_outs import GROUP, PERSON, Subject, subjects_of
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.stats.hot_shards import DISTINCT_ID
from mixrelay.shared.queue.stats.notices import hot_shard
from mixrelay.shared.tuples import MalformedTupleError, read

_DAY_MS = 86_400_000
_LETTERS = 100


@dataclass(frozen=True, slots=True)
class Erased:
    """A person by their id, or a group by its key and id."""

    distinct_id: str | None = None
    group: tuple[str, str] | None = None

    @property
    def id(self) -> str:
        return self.group[1] if self.group else self.distinct_id or ""

    @property
    def subject(self) -> Subject:
        """As the list of opt-outs names them."""
        return (GROUP, *self.group) if self.group else (PERSON, self.distinct_id or "")

    def is_meant(self, record: object) -> bool:
        """Whether a record is about them."""
        return self.subject in subjects_of(record)

    def judge(self, payload: bytes) -> Gone | None:
        """What goes of a tuple."""
        # Most messages do not hold the id in any spelling, and need not be parsed.
        is_plain = self.id.isascii() and self.id.isalnum() and b"\\u" not in payload
        if is_plain and self.id.encode() not in payload:
            return None
        return without(payload, self.is_meant)

    def judge_letter(self, letter: Letter) -> Gone | None:
        """The same of a letter; an edit may have put another person's message in its place."""
        gone = self.judge(letter.payload)
        if gone is None and letter.original is not None and self.judge(letter.original):
            return Gone(0, 1, letter.payload)
        return gone

    def is_in_text(self, letter: Letter) -> bool:
        """Whether a letter that nobody can read holds the id."""
        if self.id.encode() not in letter.payload:
            return False
        try:
            read(letter.payload)
        except MalformedTupleError:
            return True
        return False


class Erasing:
    """One command's run over all places. Its lanes are held, so that nothing is sent meanwhile."""

    def __init__(
        self, backlog: Backlog, letters: MergedLetters, whom: Erased, *, who: str, why: str
    ) -> None:
        self._backlog = backlog
        self._letters = letters
        self.whom = whom
        self.taking = Taking(backlog, whom.judge, "erased", who, why)
        self.unreadable: list[str] = []
        """Letters that cannot be read and hold the id as text: left for an operator to judge."""

    def in_hand(self) -> set[str]:
        """Numbers of the messages about them that workers hold now."""
        found: set[str] = set()
        for one in self._backlog.partitions:
            for store in batches(one, leased=True):
                found.update(message.number for message, _ in self.taking.preview([store]))
        return found

    def preview(self) -> dict[str, int]:
        """How many records there are, by place; nothing is changed."""
        found = {
            "trash": sum(gone.records for _, gone in self._about_trash()),
            "letters": sum(gone.records for _, gone in self._about_letters()),
        }
        for name, stores in self._places():
            meant = self.taking.preview(stores)
            found[name] = sum(gone.records for _, gone in meant)
        waiting = self.taking.preview(self._backlog.stores(Where.INCOMING))
        found["incoming"] = sum(gone.records for _, gone in waiting)
        return found

    def erase(self) -> dict[str, int]:
        """Takes out all that is about them; how many records, by place.

        The trash comes first, letters next and lanes last: the way that a restore and a replay
        take. Copies come before batches: they may become some.
        """
        found = {
            "trash": self._counted(self._erase_trash),
            "letters": self._counted(self._erase_letters),
        }
        for name, stores in self._places():
            found[name] = self._counted(partial(self._sift, stores, name))
        self._forget_counts()
        return found

    def _counted(self, erase: Callable[[], None]) -> int:
        before = self.taking.taken
        erase()
        return self.taking.taken.records - before.records

    def _sift(self, stores: list[Store], name: str) -> None:
        for store in stores:
            for _looked in self.taking.sift(store, place="kept" if name == "copies" else ""):
                pass

    def _places(self) -> Iterator[tuple[str, list[Store]]]:
        """Each asked for when it comes to it: what moves meanwhile moves to a later one."""
        yield "copies", [store for one in self._backlog.partitions for store in _copies(one)]
        yield "scheduled", self._backlog.stores(Where.SCHEDULED)
        yield "lanes", self._backlog.stores(Where.LANE)

    def _about_letters(self) -> Iterator[tuple[Letter, Gone]]:
        self.unreadable = []
        for letter in self._letters.find(LetterFilter(), page=_LETTERS):
            gone = self.whom.judge_letter(letter)
            if gone is not None:
                yield letter, gone
            elif self.whom.is_in_text(letter):
                self.unreadable.append(letter.id)

    def _about_trash(self) -> Iterator[tuple[Letter, Gone]]:
        for one in self._letters.trash.find():
            gone = self.whom.judge_letter(one.letter)
            # What nobody can read was discarded already: nobody need judge it.
            if gone is None and self.whom.is_in_text(one.letter):
                gone = Gone(1, 1)
            if gone is not None:
                yield one.letter, gone

    def _erase_trash(self) -> None:
        self._take(self._about_trash(), self.taking.take_trash)

    def _erase_letters(self) -> None:
        self._take(self._about_letters(), self.taking.take_letters)

    @staticmethod
    def _take(
        found: Iterator[tuple[Letter, Gone]],
        take: Callable[[int, list[tuple[str, Gone]]], object],
    ) -> None:
        some: dict[int, list[tuple[str, Gone]]] = {}
        for letter, gone in found:
            index = partition_of(letter.id)
            mine = some.setdefault(index, [])
            mine.append((letter.id, gone))
            if len(mine) >= _LETTERS:
                take(index, some.pop(index))
        for index, mine in some.items():
            take(index, mine)

    def _forget_counts(self) -> None:
        """The day's counts of hot shards name people and groups."""
        one = self._backlog.partitions[0]
        keys = Keys.of(one.name)
        day = int(time.time() * 1000) // _DAY_MS
        for back in (-1, 0, 1):
            counts = keys(f"hot:{day - back}")
            scanned: Any = one.redis.zscan_iter(counts)
            if gone := [name for name, _count in scanned if self._names_them(name)]:
                one.redis.zrem(counts, *gone)
        listed: Any = one.redis.hkeys(keys("hot"))
        if gone := [name for name in listed if self._names_them(name)]:
            one.redis.hdel(keys("hot"), *gone)

    def _names_them(self, name: bytes) -> bool:
        shard = hot_shard(name.decode(), 0, 0)
        if self.whom.group is not None:
            return (shard.group_key, shard.id) == self.whom.group
        return shard.kind == DISTINCT_ID and shard.id == self.whom.distinct_id


def _copies(one: Partition) -> Iterator[Store]:
    """Copies of what was delivered, kept until there is evidence for their token."""
    keys = Keys.of(one.name)
    names: Any = one.redis.zrange(keys("kept"), 0, -1)
    for name in map(bytes.decode, names):
        length: Any = one.redis.llen(keys(f"batch:{name}"))
        yield Store(
            Where.SCHEDULED, Lane.EVENT, keys(f"batch:{name}"), int(length), one.index, name
        )
