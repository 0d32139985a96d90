"""The counters of all partitions, minute by minute."""

from collections import Counter
from collections.abc import Sequence

from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.stats.history import KEPT_MINUTES, Minute


class MergedHistory:
    """The past of one queue's counters."""

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions

    def minutes(self, last: int, fields: Sequence[str] = ()) -> list[Minute]:
        """The newest so many minutes, oldest first; the last one is not over yet.

        Args:
            last: at most KEPT_MINUTES.
            fields: counters to read; none reads all.
        """
        seconds, _ = self._partitions[0].redis.time()
        newest = seconds // 60
        numbers = range(newest - min(last, KEPT_MINUTES) + 1, newest + 1)
        pasts = [one.history.read(numbers, fields) for one in self._partitions]
        return pasts[0] if len(pasts) == 1 else list(map(_sum, zip(*pasts, strict=True)))


def _sum(parts: Sequence[Minute]) -> Minute:
    counters: Counter[str] = Counter()
    for part in parts:
        counters.update(part.counters)
    return Minute(parts[0].number, counters)
