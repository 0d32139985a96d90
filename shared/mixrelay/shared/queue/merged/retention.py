"""Limits of age and count for the dead letters of all partitions together."""

import heapq
from datetime import timedelta
from itertools import islice

from mixrelay.shared.queue.letters.retention import AHEAD, Buried, Outlook
from mixrelay.shared.queue.partitions.partitions import Partitions


class MergedRetention:
    """The limits of one queue."""

    def __init__(self, partitions: Partitions) -> None:
        self._partitions = partitions

    def expire(self, max_age: timedelta | None, max_letters: int | None, most: int = 500) -> int:
        """Drops the letters over the limits, buried first; returns how many it dropped.

        They are counted as `discarded:expired`, and told to the audit every ten minutes.

        Args:
            max_age: since the burial.
            max_letters: that may lie there.
            most: to drop in this call, of each partition.
        """
        if len(self._partitions) == 1:
            return self._partitions[0].retention.expire(max_age, max_letters, most)
        last = self._last_over(max_letters, most) if max_letters else {}
        return sum(
            self._partitions.all(
                lambda one: one.retention.expire(
                    max_age, max_letters, most, up_to=last.get(one.index, ())
                )
            )
        )

    def outlook(self) -> Outlook | None:
        """What the limits mean now; None where no worker has any."""
        age, most = self._partitions[0].retention.limits()
        if not (age or most):
            return None
        letters = sum(one.retention.letters() for one in self._partitions)
        ahead = age - AHEAD if age else None
        soon = [one.retention.older_than(ahead) for one in self._partitions if ahead is not None]
        return Outlook(age, most, letters, sum(soon))

    def _last_over(self, max_letters: int, most: int) -> dict[int, Buried]:
        """By partition the last of the letters over the limit, of at most so many.

        The letters are read before they are counted, and the script drops up to a letter and not
        so many: whoever else drops some meanwhile, none goes that has no `max_letters` after it. A
        letter that was buried anew meanwhile is another place, and nothing is dropped up to it.
        """
        kept = [one.retention for one in self._partitions]
        over = min(sum(one.letters() for one in kept) - max_letters, most)
        if over <= 0:
            return {}
        oldest = [
            [(at, number, one.index) for at, number in one.retention.oldest(over)]
            for one in self._partitions
        ]
        over = min(over, sum(one.letters() for one in kept) - max_letters)
        dropped = islice(heapq.merge(*oldest), max(over, 0))
        return {index: (at, number) for at, number, index in dropped}
