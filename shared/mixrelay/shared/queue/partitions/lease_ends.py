"""The end of leases, in all partitions."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress

from mixrelay.shared.queue.base.clock import Watch
from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.messages.batch import Lane
from mixrelay.shared.queue.messages.settlement import Reaped
from mixrelay.shared.queue.partitions.gates import Gates
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.partitions.partitions import FAILURES, Partitions

log = logging.getLogger(__name__)


class LeaseEnds:
    """Those whose time is up, and those of a process that is gone."""

    def __init__(self, partitions: Partitions, gates: Gates) -> None:
        self._partitions = partitions
        self._gates = gates
        self._watches: defaultdict[int, Watch] = defaultdict(Watch)
        self._beside: dict[int, int] = {}
        """What each partition's clock had beside its server's, when it was seen last."""

    def overdue(self, most: int, lease_seconds: float | None) -> tuple[int, int]:
        """As `Queue.reap`: at most so many in each partition."""
        silent = set(range(1, len(self._partitions)))
        waiting: set[str] = set()

        def end(one: Partition) -> Reaped:
            if not one.index:
                # Nobody knows what waits behind a pause in a partition that did not answer.
                return self._reap(one, most, set(Lane) if silent else waiting, lease_seconds)
            reaped = self._reap(one, most, (), lease_seconds)
            silent.discard(one.index)
            waiting.update(reaped.waiting)
            return reaped

        # The first one's turn is the last: it must know of the others.
        self._partitions.served("reap", 0)
        return self._brought_back(reaped for _, reaped in self._partitions.each("reap", end))

    def _reap(
        self, one: Partition, most: int, waiting: Collection[str], lease_seconds: float | None
    ) -> Reaped:
        if lease_seconds is None:
            return one.reap(most, waiting)
        watch = self._watches[one.index]
        latest, began = watch.begin()
        reaped = one.reap(most, waiting, latest)
        ahead = watch.end(began, reaped.steady_ms)
        if ahead and one.clock.make_up(ahead, reaped.beside_ms, round(lease_seconds * 1000)):
            _say_step("ahead", ahead.by_ms, one)
        back_ms = reaped.beside_ms - self._beside.get(one.index, reaped.beside_ms)
        self._beside[one.index] = reaped.beside_ms
        if back_ms > 0:
            _say_step("back", back_ms, one)
        return reaped

    def of_owner(self, owner: str, *, died: bool) -> tuple[int, int]:
        """As `Queue.end_leases`."""
        # More may have been announced since this process began.
        self._gates.look()
        return self._brought_back(
            self._partitions.all(lambda one: one.end_leases(owner, died=died))
        )

    def _brought_back(self, reaped: Iterable[Reaped]) -> tuple[int, int]:
        batches = messages = 0
        for one in reaped:
            if one.batches:
                self._partitions.wake(one.partition)
            batches, messages = batches + one.batches, messages + one.messages
            # Where a probe was among them and that is lost, its time is over with its lease.
            with suppress(*FAILURES):
                self._gates.tell(new_id(), one.words)
        return batches, messages


def _say_step(where: str, by_ms: int, one: Partition) -> None:
    log.error(
        "clock_step: Redis's clock was set %s by %.0f s, or another node took over; "
        "leases and waits of %s go on as before. Let NTP slew the clock",
        where,
        by_ms / 1000,
        one.name,
    )
