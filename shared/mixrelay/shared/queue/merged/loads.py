"""Logs of tuples that are shared among partitions, and how far each is in."""

from collections.abc import Collection, Sequence

from mixrelay.shared.partitioning import partition_of_tuple
from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.keys import partition_name
from mixrelay.shared.queue.loads.loads import Loads
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.variables import MOST_PARTITIONS


class MergedLoads:
    """The places up to which logs were loaded (`mixrelay.shared.queue.loads.log_file` has the form).

    Each place says among how many the log is shared, and the first partition's is noted first: of
    two that begin a log with another number, or two logs under one name, one stops. What was a
    partition stays one, so a log may have more of them than this program was told of.
    """

    def __init__(self, partitions: Sequence[Partition]) -> None:
        self._partitions = partitions

    @property
    def partitions(self) -> int:
        """Among how many a log is shared that begins now."""
        return len(self._partitions)

    def places(self, name: str) -> list[str]:
        """How far a log is in each partition that it is shared among; empty where nothing is."""
        noted = [one.loads.place(name) for one in self._partitions]
        known = next(filter(None, noted), "")
        count = _partitions_in(known) if known else len(noted)
        more = (self._of(index).place(name) for index in range(len(noted), count))
        return [*noted[:count], *more]

    def load(
        self,
        name: str,
        tuples: Sequence[bytes],
        *,
        before: str,
        after: str,
        ends: Collection[str] = (),
        most: int | None = None,
    ) -> str:
        """Appends tuples, each to its profile's partition, and notes the new place, in each both.

        Args:
            name: the log's.
            tuples: at most 1,000.
            before: the place that the tuples follow; a partition that is elsewhere is left alone.
            after: the place behind them.
            ends: places further on that were found to be this log's (`Start.ends`): a partition
                that is at one has the tuples. Any other place may be another log's.
            most: messages that may wait in the lists and the lanes, shared evenly; where there
                would be more, the server answers with the error `QUEUEFULL`.

        Returns:
            The place noted now: `after`, also when a lost reply made the caller ask twice, and
            where a partition was there already. Else of one that someone else has moved on.
        """
        count = _partitions_in(after)
        even = most and -(-most // max(count, len(self._partitions)))
        answers = []
        for index, share in enumerate(_shares(tuples, count)):
            # Whatever the limit is, an empty list takes a slice.
            bound = even and max(even, len(share))
            noted = self._of(index).load(name, share, before=before, after=after, most=bound)
            if noted != after and noted not in ends:
                return noted
            answers.append(noted)
        return after if after in answers else answers[0]

    def forget(self, name: str) -> None:
        """Lets a log be loaded anew from its start."""
        for index in reversed(range(len(self.places(name)))):
            self._of(index).forget(name)

    def _of(self, index: int) -> Loads:
        if index < len(self._partitions):
            return self._partitions[index].loads
        first = self._partitions[0]
        name = partition_name(first.name, index)
        return Partition(first.redis, name, partition=index).loads


def _shares(tuples: Sequence[bytes], count: int) -> list[list[bytes]]:
    shares: list[list[bytes]] = [[] for _ in range(count)]
    for one in tuples:
        shares[partition_of_tuple(one, count)].append(one)
    return shares


@reading("a place in a log")
def _partitions_in(place: str) -> int:
    _, *rest = place.split(" ")
    count = int(rest[1]) if len(rest) > 1 else 1
    if not 0 < count <= MOST_PARTITIONS:
        raise ValueError(count)
    return count
