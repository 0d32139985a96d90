"""Looks at a queue's dead letters, in whichever partition they lie."""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mixrelay.shared.queue.letters.letter import Letter, LetterFilter
from mixrelay.shared.queue.letters.paging import Place, Slice
from mixrelay.shared.queue.letters.reader import Group
from mixrelay.shared.queue.messages.batch import Number, partition_of
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.trash.merged import MergedTrash

PAGE = 500
"""Letters fetched at once."""


@dataclass(frozen=True, slots=True)
class Page:
    """What an operator sees at once."""

    letters: list[Letter]
    cursor: str | None
    """Where the next page begins; None where none can follow."""
    looked: int
    """Letters looked at: with a rare match, many for few, or for none yet."""


class MergedLetters:
    """The letters of one queue. What is asked of all partitions fails where one is away."""

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions
        self.trash = MergedTrash(partitions)

    def get(self, number: Number) -> Letter | None:
        return next(iter(self.get_many([number])), None)

    def get_many(self, numbers: Sequence[Number]) -> list[Letter]:
        """Those of the numbers that are letters now, in the order asked for."""
        by_holder: dict[int, list[Number]] = defaultdict(list)
        for number in numbers:
            by_holder[partition_of(number)].append(number)
        found = {
            letter.id: letter
            for index, some in by_holder.items()
            if index < len(self._partitions)
            for letter in self._partitions[index].letters.get_many(some)
        }
        return [found[number] for number in numbers if number in found]

    def find(self, wanted: LetterFilter, *, page: int = PAGE) -> Iterator[Letter]:
        """The letters that match, oldest burial first, read while the caller goes on.

        One that is moved meanwhile may be left out, and no other; those buried meanwhile come
        last, and where there are several partitions, may be left out too.
        """
        share = -(-page // len(self._partitions))
        streams = (_letters(one, wanted, share) for one in self._partitions)
        return heapq.merge(*streams, key=Place.of)

    def take(self, wanted: LetterFilter, *, page: int = PAGE) -> Iterator[list[Number]]:
        """Slices of the letters that match, for a caller that moves each slice away.

        A slice is empty where a page holds none, so that the caller can look at the time. Give
        `wanted.until`, or letters that die again meanwhile come round again.
        """
        for one in self._partitions:
            for found in _slices(one, wanted, page, whole=False):
                yield [letter.id for letter in found.letters]

    def count(self, wanted: LetterFilter) -> int:
        return sum(map(len, self.take(wanted)))

    def page(
        self,
        wanted: LetterFilter,
        cursor: str | None = None,
        *,
        limit: int = 50,
        newest_first: bool = True,
        look_at: int = 5_000,
        head: int = 0,
    ) -> Page:
        """The next letters that match, and where to go on.

        A cursor stays good whatever is moved or buried meanwhile, and for every filter.

        Args:
            wanted: which letters.
            cursor: of the page before; None for the first.
            limit: letters of a page.
            newest_first: by burial.
            look_at: letters after which it answers with what it has: one second's work at most.
            head: in place of whole messages so many bytes of each, where the filter needs no more.

        Raises:
            ValueError: the cursor is none of ours.
        """
        letters: list[Letter] = []
        looked = 0
        while looked < look_at:
            size = min(PAGE, limit) if wanted.is_indexed else PAGE
            found = self.slice(
                wanted,
                cursor or "",
                size=size,
                newest_first=newest_first,
                whole=not head,
                head=head,
            )
            looked += found.looked
            letters += found.letters
            if len(letters) > limit or (len(letters) == limit and found.more):
                return Page(letters[:limit], Place.of(letters[limit - 1]).cursor, looked)
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
        head: int = 0,
    ) -> Slice:
        """Looks at the next letters, at most `size`.

        Args:
            wanted: which letters.
            cursor: behind which place; empty for all.
            size: letters to look at, at most 500.
            newest_first: by burial.
            whole: with their messages, though the filter does without.
            head: without `whole`, so many bytes of each message.

        Raises:
            ValueError: the cursor is none of ours.
        """
        # Of letters that spread evenly, so many of each are about `size` of all.
        share = -(-size // len(self._partitions))
        parts = [
            one.letters.look(
                wanted, cursor, size=share, newest_first=newest_first, whole=whole, head=head
            )
            for one in self._partitions
        ]
        if len(parts) == 1:
            return Slice.of(parts[0], wanted, cursor)
        return Slice.merged(parts, wanted, cursor, size=size, newest_first=newest_first)

    def groups(self, wanted: LetterFilter | None = None) -> list[Group]:
        """The letters by reason, status and type, the most frequent first.

        Args:
            wanted: a filter that indexes answer (`LetterFilter.is_indexed`).
        """
        found: dict[str, Group] = {}
        for one in self._partitions:
            for group in one.letters.groups(wanted or LetterFilter()):
                known = found.get(group.name)
                found[group.name] = _together(known, group) if known else group
        return sorted(found.values(), key=lambda group: -group.letters)


def _letters(one: Partition, wanted: LetterFilter, size: int) -> Iterator[Letter]:
    for found in _slices(one, wanted, size, whole=True):
        yield from found.letters


def _slices(one: Partition, wanted: LetterFilter, size: int, *, whole: bool) -> Iterator[Slice]:
    cursor, more = "", True
    while more:
        seen = one.letters.look(wanted, cursor, size=size, whole=whole)
        found = Slice.of(seen, wanted, cursor)
        yield found
        cursor, more = found.cursor, found.more


def _together(one: Group, other: Group) -> Group:
    """Two partitions' letters of one group."""
    firsts = [moment for moment in (one.first, other.first) if moment]
    latest = max((one, other), key=lambda group: group.last.timestamp() if group.last else 0.0)
    return replace(
        one,
        letters=one.letters + other.letters,
        first=min(firsts, default=None),
        last=latest.last,
        sample=latest.sample,
        is_indexed=one.is_indexed and other.is_indexed,
    )
