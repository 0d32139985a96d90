"""The queue: what every other part uses. It alone knows how many partitions there are.

Every move is one atomic script on one partition. A node that is away stops only its own.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from redis import Redis

from mixrelay.shared.partitioning import partition_of_tuple
from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.base.limits import Limits
from mixrelay.shared.queue.harm import Guarded
from mixrelay.shared.queue.letters.edited import Edited
from mixrelay.shared.queue.letters.importing import Returned
from mixrelay.shared.queue.letters.letter import Letter
from mixrelay.shared.queue.merged.audit import MergedAudit
from mixrelay.shared.queue.merged.corrections import MergedCorrections
from mixrelay.shared.queue.merged.history import MergedHistory
from mixrelay.shared.queue.merged.jobs import MergedJobs
from mixrelay.shared.queue.merged.letters import MergedLetters
from mixrelay.shared.queue.merged.loads import MergedLoads
from mixrelay.shared.queue.merged.retention import MergedRetention
from mixrelay.shared.queue.messages.arrivals import Arrivals
from mixrelay.shared.queue.messages.backlog import Backlog
from mixrelay.shared.queue.messages.batch import Batch, Lane, Nothing, Number, partition_of
from mixrelay.shared.queue.messages.settlement import Division, Expansion, Park, Settled, Settlement
from mixrelay.shared.queue.partitions.gates import Gates
from mixrelay.shared.queue.partitions.lease_ends import LeaseEnds
from mixrelay.shared.queue.partitions.partition import ROUTED_AT_MOST, Partition
from mixrelay.shared.queue.partitions.partitions import Partitions
from mixrelay.shared.queue.partitions.reserves import REST_SECONDS, Reserves
from mixrelay.shared.queue.stats.snapshot import Books
from mixrelay.shared.queue.tokens.tokens import Tokens


class Queue:
    """One queue, in one partition or several."""

    def __init__(self, redis: Redis, name: str = "mixpanel_queue", *, partitions: int = 1) -> None:
        """Opens nothing: the first move connects.

        Args:
            redis: a client with `decode_responses` off, timeouts of seconds and retries off
                (`mixrelay.shared.connection.connect`).
            name: the name of the list, and of the first partition.
            partitions: at least so many.

        Raises:
            ConfigurationError: the name cannot be a queue's, or not one of several partitions.
        """
        self.name = name
        self.redis = redis
        self._partitions = Partitions(redis, name)
        self._partitions.grow(partitions)
        self._gates = Gates(redis, name, self._partitions)
        self._reserves = Reserves(self._partitions, self._gates)
        self._ends = LeaseEnds(self._partitions, self._gates)
        self.arrivals = Arrivals(redis, self._partitions)
        self.tokens = Tokens(redis, name, self._partitions)
        self.letters = MergedLetters(self._partitions)
        self.jobs = MergedJobs(self._partitions, self.letters)
        self.audit = MergedAudit(self._partitions)
        self.corrections = MergedCorrections(self._partitions)
        self.backlog = Backlog(self._partitions)
        self.history = MergedHistory(self._partitions)
        self.retention = MergedRetention(self._partitions)
        self.loads = MergedLoads(self._partitions)
        self.alerts = self._partitions[0].alerts
        self.letter_loads = self._partitions[0].letter_loads
        self.hot = self._partitions[0].hot

    def announce(self) -> int:
        """Notes how many partitions there are, for everyone; returns how many there ever were.

        Workers do it at the start and now and then. All of them are drained from then on.

        Raises:
            redis.RedisError: the node of the first partition is away.
        """
        self._partitions.grow(self._gates.announce(len(self._partitions)))
        return len(self._partitions)

    def refresh(self) -> int:
        """Takes notice of partitions that others announced; returns how many there are.

        Raises:
            redis.RedisError: the node of the first partition is away.
        """
        self._partitions.grow(self._gates.noted())
        return len(self._partitions)

    @property
    def lists(self) -> list[str]:
        """The names of the lists that producers push to."""
        return [one.name for one in self._partitions]

    def push(self, tuples: Sequence[bytes]) -> int:
        """Appends tuples, verbatim, each to its profile's partition. Not safe to repeat unseen.

        Returns:
            The length of the lists that it appended to.
        """
        count = len(self._partitions)
        shares: dict[int, list[bytes]] = defaultdict(list)
        for one in tuples:
            shares[partition_of_tuple(one, count)].append(one)
        return sum(self._partitions.all(lambda one: one.push(shares[one.index]), shares))

    def route(self, most: int = ROUTED_AT_MOST) -> tuple[int, int]:
        """Moves tuples of one list to its lanes, each list in its turn.

        Returns:
            How many were moved, and how many are left in the lists looked at.
        """
        left = 0
        for index, (moved, behind) in self._partitions.each(
            "route", lambda one: self._routed(one, most)
        ):
            left += behind
            if moved:
                self._partitions.served("route", index)
                return moved, left
        return 0, left

    def _routed(self, one: Partition, most: int) -> tuple[int, int]:
        """Of several lists those that were empty are asked for their length first.

        Not for ever, since routing notes when a list was empty.
        """
        if self._partitions.rests("list", one.index) and not one.waiting():
            return 0, 0
        asked_at = time.monotonic()
        moved, left = one.route(most)
        if moved:
            self._partitions.wake(one.index)
        elif not left and len(self._partitions) > 1:
            self._partitions.rest("list", one.index, REST_SECONDS, asked_at)
        return moved, left

    def reserve(
        self,
        lane: Lane,
        *,
        owner: str,
        claim: str,
        lease_seconds: float,
        destination: str | None = None,
        limits: Limits | None = None,
        fresh_while_paused: int = 0,
        alone: bool = False,
        routes: int = 0,
        host_ms: int | None = None,
    ) -> Batch | Nothing:
        """Leases one batch of a lane, from the partitions in turn; arguments as `Partition`'s."""
        return self._reserves.batch(
            lane,
            claim,
            lease_seconds,
            owner=owner,
            destination=destination,
            limits=limits,
            fresh_while_paused=fresh_while_paused,
            alone=alone,
            routes=routes,
            host_ms=host_ms,
        )

    def again(self, batch: Batch, *, owner: str, lease_seconds: float) -> Batch | None:
        """Reads a batch that this worker holds as it is now; None where it no longer does."""
        partition = self._of(batch)
        answer = partition.reserve(
            batch.lane, owner=owner, claim=batch.claim, lease_seconds=lease_seconds
        )
        if isinstance(answer, Batch) and answer.id != batch.id:
            # The lease had ended, so this was a first asking.
            partition.settle(answer, Settlement(rest="back"))
            return None
        return answer if isinstance(answer, Batch) else None

    def extend(self, batches: Sequence[Batch], lease_seconds: float) -> frozenset[str]:
        """Prolongs the leases; returns the ids of batches that are no longer this worker's.

        Raises:
            redis.RedisError: a node is away; the leases on the others were prolonged, and those
                of their probes.
        """
        held: dict[int, list[Batch]] = defaultdict(list)
        for batch in batches:
            held[batch.partition].append(batch)
        kept: list[Batch] = []

        def prolong(one: Partition) -> frozenset[str]:
            lost = one.extend(held[one.index], lease_seconds)
            kept.extend(batch for batch in held[one.index] if batch.id not in lost)
            return lost

        try:
            return frozenset[str]().union(*self._partitions.all(prolong, held))
        finally:
            for batch in kept:
                if batch.probe and batch.partition:
                    self._gates.extend(batch, lease_seconds)

    def begin(self, batch: Batch, *, doubtful: int = 0) -> bool:
        """As `Partition.begin`."""
        return self._of(batch).begin(batch, doubtful=doubtful)

    def settle(self, batch: Batch, settlement: Settlement, *, op: str | None = None) -> Settled:
        """As `Partition.settle`.

        Raises:
            redis.RedisError: whether it was carried out, and is known to all partitions, is
                unknown: repeat it with the same `op`.
        """
        op = op or new_id()
        fleet = self._fleet(batch, settlement)
        ended = self._of(batch).settle(batch, settlement, op=op, fleet=fleet)
        self._partitions.wake(batch.partition)
        self._gates.tell(op, ended.words)
        return ended.settled

    def _fleet(self, batch: Batch, settlement: Settlement) -> dict[str, Any]:
        """What a failure needs to know, so that one batch's is told from an outage of all."""
        destination = settlement.destination or batch.destination
        pauses = isinstance(settlement.rest, Park) and settlement.rest.pause
        if not (pauses and destination and len(self._partitions) > 1):
            return {}
        return self._gates.of_failure(batch, destination)

    def divide(self, batch: Batch, division: Division, *, op: str | None = None) -> Settled:
        """As `Partition.divide`. Raises as `settle`."""
        op = op or new_id()
        ended = self._of(batch).divide(batch, division, op=op)
        self._partitions.wake(batch.partition)
        self._gates.tell(op, ended.words)
        return ended.settled

    def expand(self, batch: Batch, lists: Sequence[Expansion], *, op: str | None = None) -> Settled:
        """As `Partition.expand`."""
        return self._of(batch).expand(batch, lists, op=op)

    def reap(self, most: int = 20, *, lease_seconds: float | None = None) -> tuple[int, int]:
        """Ends leases whose time is up; returns how many batches and messages come back.

        Args:
            most: in each partition.
            lease_seconds: that a lease lasts at most. With it, of one thread that comes back each
                second: its own clock must agree that a lease is over, so that none ends because
                Redis's was set ahead. The first two seconds end nothing.
        """
        return self._ends.overdue(most, lease_seconds)

    def steady_ms(self) -> int:
        """The time by the first partition's own clock, which nobody sets.

        Raises:
            redis.RedisError: its node is away.
        """
        return round(self._partitions[0].clock.seconds() * 1000)

    def end_leases(self, owner: str, *, died: bool) -> tuple[int, int]:
        """Ends all leases of one owner at once; `died` counts as a death of each batch.

        Raises:
            redis.RedisError: a node is away; the leases on the others are ended.
        """
        return self._ends.of_owner(owner, died=died)

    def replay(
        self, numbers: Sequence[Number], *, who: str = "", why: str = "", op: str | None = None
    ) -> int:
        """As `Partition.replay`; the letters may be of several partitions."""
        op = op or new_id()
        return self._move(numbers, lambda one, some: one.replay(some, who=who, why=why, op=op))

    def discard(
        self, numbers: Sequence[Number], *, who: str = "", why: str = "", op: str | None = None
    ) -> int:
        """As `Partition.discard`; the letters may be of several partitions."""
        op = op or new_id()
        return self._move(numbers, lambda one, some: one.discard(some, who=who, why=why, op=op))

    def edit(
        self, letter: Letter, payload: bytes, *, who: str = "", why: str = "", op: str | None = None
    ) -> Edited:
        """As `Partition.edit`."""
        return self._holder(letter.id).edit(letter, payload, who=who, why=why, op=op)

    def import_letters(
        self, name: str, letters: Sequence[Returned], *, before: str, after: str, who: str, why: str
    ) -> str:
        """As `Partition.import_letters`; all go to the first partition."""
        return self._partitions[0].import_letters(
            name, letters, before=before, after=after, who=who, why=why
        )

    def pause(self, lane: Lane, *, who: str, why: str, op: str | None = None) -> bool:
        """As `Partition.pause`, for the whole queue."""
        return self._partitions[0].pause(lane, who=who, why=why, op=op)

    def resume(self, lane: Lane, *, who: str, why: str = "", op: str | None = None) -> bool:
        """As `Partition.resume`, for the whole queue."""
        return self._partitions[0].resume(lane, who=who, why=why, op=op)

    def mend(self, most: int = 500) -> int:
        """As `Partition.mend`."""
        return sum(self._partitions.all(lambda one: one.mend(most)))

    def guard(self) -> list[Guarded]:
        """As `Guard.look`, of each partition."""
        return self._partitions.all(lambda one: one.guard.look())

    def books(self) -> Books:
        """Every figure: of each partition at one instant, and added up.

        Raises:
            redis.RedisError: a node is away, so the sums would not be true.
        """
        self.refresh()
        return Books.total(self._partitions.all(lambda one: one.books()))

    def _of(self, batch: Batch) -> Partition:
        return self._partitions[batch.partition]

    def _holder(self, number: Number) -> Partition:
        """Who may have a letter; of a partition that never was, nobody has."""
        index = partition_of(number)
        return self._partitions[index if index < len(self._partitions) else 0]

    def _move(
        self, numbers: Sequence[Number], move: Callable[[Partition, list[Number]], int]
    ) -> int:
        some: dict[int, list[Number]] = defaultdict(list)
        for number in numbers:
            some[self._holder(number).index].append(number)
        for index in some:
            self._partitions.wake(index)
        return sum(self._partitions.all(lambda one: move(one, some[one.index]), some))
