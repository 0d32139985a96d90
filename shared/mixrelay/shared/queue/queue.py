"""The queue: what every other part uses. It knows how many partitions there are, and no one else.

Every move is one atomic script on one partition (`partition.py`); with a single partition this
adds nothing to it. A node that is away stops only the partitions that lie on it.
"""

import logging
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from redis import Redis
from redis.exceptions import RedisError

from mixrelay.shared.queue.batch import Batch, Lane, Nothing, Number, partition_of
from mixrelay.shared.queue.books import Books
from mixrelay.shared.queue.ids import new_id
from mixrelay.shared.queue.importing import Returned
from mixrelay.shared.queue.keys import partition_name
from mixrelay.shared.queue.letters import Letter
from mixrelay.shared.queue.partition import ROUTED_AT_MOST, Edited, Limits, Partition
from mixrelay.shared.queue.settlement import Division, Expansion, Settled, Settlement
from mixrelay.shared.queue.turns import Turns

log = logging.getLogger(__name__)

AnswerT = TypeVar("AnswerT")


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
        self._partitions: list[Partition] = []
        self._turns = Turns()
        self._unanswered: dict[tuple[Lane, int], str] = {}
        """Claims to which no answer came: repeated, they answer with what they may have leased."""
        self._add(partitions)
        first = self._partitions[0]
        self.letters = first.letters
        self.jobs = first.jobs
        self.audit = first.audit
        self.alerts = first.alerts
        self.history = first.history
        self.retention = first.retention
        self.loads = first.loads
        self.letter_loads = first.letter_loads

    def _add(self, partitions: int) -> None:
        for index in range(len(self._partitions), partitions):
            name = partition_name(self.name, index)
            self._partitions.append(Partition(self.redis, name, partition=index))
        self._turns.count = len(self._partitions)

    def push(self, tuples: Sequence[bytes]) -> int:
        """Appends tuples, verbatim; returns the list's length. Not safe to repeat unseen."""
        return self._partitions[0].push(tuples)

    def route(self, most: int = ROUTED_AT_MOST) -> tuple[int, int]:
        """Moves tuples of one list to its lanes, each list in its turn.

        Returns:
            How many were moved, and how many are left in the lists looked at.
        """
        left = 0
        for index, (moved, behind) in self._each("route", lambda one: one.route(most)):
            left += behind
            if moved:
                self._turns.served("route", index)
                return moved, left
        return 0, left

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
    ) -> Batch | Nothing:
        """Leases one batch of a lane, from the partitions in turn.

        Args:
            lane: where to look.
            owner: names the process, so that its parent can end its leases.
            claim: chosen by the worker; asked again with it, the same batch is answered.
            lease_seconds: until someone else may have the batch.
            destination: where this worker's own records of the lane go.
            limits: of a fresh batch.
            fresh_while_paused: parked batches up to which a lane whose records have several
                destinations hands out fresh ones although `destination` is paused.
            alone: the worker holds nothing else, so it may have a batch that killed others.
        """

        def ask(partition: Partition) -> Batch | Nothing:
            asked = self._unanswered.setdefault((lane, partition.index), claim)
            answer = partition.reserve(
                lane,
                owner=owner,
                claim=asked,
                lease_seconds=lease_seconds,
                destination=destination,
                limits=limits,
                fresh_while_paused=fresh_while_paused,
                alone=alone,
            )
            if isinstance(answer, Batch) and asked != claim:
                # Leased some time ago: for the worker its time begins now.
                partition.extend([answer], lease_seconds)
            del self._unanswered[lane, partition.index]
            return answer

        waits: list[float] = []
        suspects = False
        for index, answer in self._each(lane, ask):
            if isinstance(answer, Batch):
                self._turns.served(lane, index)
                return answer
            suspects |= answer.suspects_wait
            if answer.wait_seconds is not None:
                waits.append(answer.wait_seconds)
        return Nothing(min(waits, default=None), suspects)

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
            redis.RedisError: a node is away; the leases on the others were prolonged.
        """
        held: dict[int, list[Batch]] = defaultdict(list)
        for batch in batches:
            held[batch.partition].append(batch)
        lost = self._all(lambda one: one.extend(held[one.index], lease_seconds), among=sorted(held))
        return frozenset().union(*lost)

    def begin(self, batch: Batch, *, doubtful: int = 0) -> bool:
        """As `Partition.begin`."""
        return self._of(batch).begin(batch, doubtful=doubtful)

    def settle(self, batch: Batch, settlement: Settlement, *, op: str | None = None) -> Settled:
        """As `Partition.settle`."""
        return self._of(batch).settle(batch, settlement, op=op)

    def divide(self, batch: Batch, division: Division, *, op: str | None = None) -> Settled:
        """As `Partition.divide`."""
        return self._of(batch).divide(batch, division, op=op)

    def expand(self, batch: Batch, lists: Sequence[Expansion], *, op: str | None = None) -> Settled:
        """As `Partition.expand`."""
        return self._of(batch).expand(batch, lists, op=op)

    def reap(self, most: int = 20) -> tuple[int, int]:
        """Ends leases whose time is up; returns how many batches and messages come back."""
        return _sums(reaped for _, reaped in self._each("reap", lambda one: one.reap(most)))

    def end_leases(self, owner: str, *, died: bool) -> tuple[int, int]:
        """Ends all leases of one owner at once; `died` counts as a death of each batch.

        Raises:
            redis.RedisError: a node is away; the leases on the others are ended.
        """
        return _sums(self._all(lambda one: one.end_leases(owner, died=died)))

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
        return sum(self._all(lambda one: one.mend(most)))

    def books(self) -> Books:
        """Every figure: of each partition at one instant, and added up.

        Raises:
            redis.RedisError: a node is away, so the sums would not be true.
        """
        return Books.total(self._all(lambda one: one.books()))

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
        return sum(self._all(lambda one: move(one, some[one.index]), among=sorted(some)))

    def _each(
        self, what: Hashable, ask: Callable[[Partition], AnswerT]
    ) -> Iterator[tuple[int, AnswerT]]:
        """Answers of the partitions in turn, as long as the caller wants more.

        Raises:
            redis.RedisError: none of them answered.
        """
        error: RedisError | None = None
        answered = False
        for index in self._turns.round(what):
            try:
                answer = ask(self._partitions[index])
            except RedisError as failure:
                error = failure
                self._leave_alone(index, failure)
                continue
            answered = True
            self._turns.answered(index)
            yield index, answer
        if error is not None and not answered:
            raise error

    def _leave_alone(self, index: int, error: RedisError) -> None:
        seconds = self._turns.failed(index)
        if len(self._partitions) > 1:
            name = self._partitions[index].name
            log.warning("redis_away: %s is left alone for %.0f s: %s", name, seconds, error)

    def _all(
        self, ask: Callable[[Partition], AnswerT], among: Sequence[int] | None = None
    ) -> list[AnswerT]:
        """The answers of all; one that fails keeps nobody from being asked.

        Raises:
            redis.RedisError: one of them failed; the first one's error.
        """
        answers: list[AnswerT] = []
        error: RedisError | None = None
        for index in range(len(self._partitions)) if among is None else among:
            try:
                answers.append(ask(self._partitions[index]))
            except RedisError as failure:
                error = error or failure
        if error is not None:
            raise error
        return answers


def _sums(pairs: Iterable[tuple[int, int]]) -> tuple[int, int]:
    batches = messages = 0
    for some, more in pairs:
        batches, messages = batches + some, messages + more
    return batches, messages
