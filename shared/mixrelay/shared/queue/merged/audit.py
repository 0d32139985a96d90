"""The audit trails of all partitions as one."""

import heapq
from collections.abc import Sequence
from dataclasses import replace

from mixrelay.shared.queue.letters.audit import Entry
from mixrelay.shared.queue.partitions.partition import Partition


class MergedAudit:
    """The trail of one queue.

    Two partitions may have an entry of the same id: that of a partition but the first has its
    index behind it, `<ms>-<n>-<partition>`, and comes behind those before it.
    """

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions

    def newest(self, limit: int = 50, *, before: str = "") -> list[Entry]:
        """Entries, the newest first.

        Args:
            limit: how many.
            before: the id of an entry; only older ones are answered.
        """
        milliseconds, place, holder = [*before.split("-"), "", ""][:3]
        last = f"{milliseconds}-{place}" if place else before
        trails = [
            one.audit.newest(limit, before=last, or_at=bool(holder) and one.index < int(holder))
            for one in self._partitions
        ]
        if len(trails) == 1:
            return trails[0]
        named = [
            [(_order(entry, index), _named(entry, index)) for entry in trail]
            for index, trail in enumerate(trails)
        ]
        merged = heapq.merge(*named, key=lambda pair: pair[0], reverse=True)
        return [entry for _, entry in merged][:limit]


def _order(entry: Entry, partition: int) -> tuple[int, int, int]:
    milliseconds, place = entry.id.split("-")
    return int(milliseconds), int(place), partition


def _named(entry: Entry, partition: int) -> Entry:
    return replace(entry, id=f"{entry.id}-{partition}") if partition else entry
