"""The trash of a whole queue."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.messages.batch import Number, partition_of
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.trash.box import TrashBox, Trashed

_PAGE = 200


@dataclass(frozen=True, slots=True)
class TrashSize:
    """How much lies there, and the limits that workers noted last."""

    letters: int
    bytes: int
    age_seconds: float | None
    most_bytes: int | None
    """Of each partition."""


class MergedTrash:
    """What an operator discarded, in whichever partitions it lay."""

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions

    def size(self) -> TrashSize:
        sizes = [box.size() for box in self._boxes()]
        age, most = self._partitions[0].letters.trash.limits()
        letters, taken = (sum(column) for column in zip(*sizes, strict=True))
        return TrashSize(letters, taken, age, most)

    def find(self) -> Iterator[Trashed]:
        """All that lies there, of each partition the oldest first."""
        for box in self._boxes():
            # Known before anything is restored: places in the index would move.
            count = box.size()[0]
            numbers = [number for _at, number in box.numbers(0, count)]
            for first in range(0, len(numbers), _PAGE):
                yield from box.get_many(numbers[first : first + _PAGE])

    def newest(self, limit: int) -> list[Trashed]:
        """What was discarded last, the newest first."""
        found = sorted(
            (pair for box in self._boxes() for pair in box.numbers(-limit, limit)), reverse=True
        )
        numbers = [number for _at, number in found[:limit]]
        return sorted(self.get_many(numbers), key=lambda one: one.at, reverse=True)

    def get_many(self, numbers: Sequence[Number]) -> list[Trashed]:
        """Those of the numbers that are there now."""
        return [
            one
            for index, some in self._shares(numbers).items()
            for one in self._partitions[index].letters.trash.get_many(some)
        ]

    def restore(self, numbers: Sequence[Number], *, who: str, why: str = "") -> int:
        """Makes letters of them again; returns how many still were there. At most 500."""
        op = new_id()
        return sum(
            self._partitions[index].letters.trash.restore(some, who=who, why=why, op=op)
            for index, some in self._shares(numbers).items()
        )

    def shrink(self, age_seconds: float, most_bytes: int, most: int) -> int:
        """Drops what is over the limits, some in each call; returns how many letters went."""
        return sum(box.shrink(age_seconds, most_bytes, most) for box in self._boxes())

    def empty(self, most: int = 500, *, who: str, why: str = "") -> int:
        """Drops the oldest for good, some in each call; returns how many letters went."""
        return sum(box.empty(most, who=who, why=why) for box in self._boxes())

    def _boxes(self) -> list[TrashBox]:
        return [one.letters.trash for one in self._partitions]

    def _shares(self, numbers: Sequence[Number]) -> dict[int, list[Number]]:
        found: dict[int, list[Number]] = defaultdict(list)
        for number in numbers:
            index = partition_of(number)
            if index < len(self._partitions):
                found[index].append(number)
        return found
