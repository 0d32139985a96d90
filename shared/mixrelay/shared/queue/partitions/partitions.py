"""The partitions of a queue, asked in turn or all together."""

import logging
import threading
from collections.abc import Callable, Collection, Hashable, Iterator, Sequence
from typing import TypeVar, overload

from redis import Redis
from redis.exceptions import RedisError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue.base.keys import partition_name
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.partitions.turns import Turns

log = logging.getLogger(__name__)

FAILURES = (RedisError, WrongKeyType)
"""What one partition may meet while the others go on."""

AnswerT = TypeVar("AnswerT")


class Partitions(Sequence[Partition]):
    """All of them, by number. Any thread may look while their number grows."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._name = name
        self._all: list[Partition] = []
        self._growing = threading.Lock()
        self._turns = Turns()

    @overload
    def __getitem__(self, index: int) -> Partition: ...
    @overload
    def __getitem__(self, index: slice) -> list[Partition]: ...
    def __getitem__(self, index: int | slice) -> Partition | list[Partition]:
        return self._all[index]

    def __len__(self) -> int:
        return len(self._all)

    def grow(self, count: int) -> None:
        """To so many at least.

        Raises:
            ConfigurationError: the queue's name cannot be one of several partitions.
        """
        with self._growing:
            for index in range(len(self._all), count):
                name = partition_name(self._name, index)
                self._all.append(Partition(self._redis, name, partition=index))
            self._turns.count = len(self._all)

    def each(
        self, what: Hashable, ask: Callable[[Partition], AnswerT]
    ) -> Iterator[tuple[int, AnswerT]]:
        """Answers of the partitions in turn, as long as the caller wants more; of one thread.

        Args:
            what: turns are taken for each of these.
            ask: is asked of those that are not left alone.

        Raises:
            redis.RedisError: none of them answered.
            WrongKeyType: likewise.
        """
        error: Exception | None = None
        answered = False
        self._try_those_away()
        for index in self._turns.round(what):
            try:
                answer = ask(self._all[index])
            except FAILURES as failure:
                error = failure
                self.failed(index, failure)
                continue
            answered = True
            self._turns.answered(index)
            yield index, answer
        if error is not None and not answered:
            raise error

    def _try_those_away(self) -> None:
        """In threads of their own: a node that hangs takes nobody's time but theirs."""
        for index in self._turns.to_be_tried():
            trial = threading.Thread(
                target=self._try, args=[index], name="mixrelay-away", daemon=True
            )
            try:
                trial.start()
            except RuntimeError as failure:  # this process may have no more threads
                self.failed(index, failure)

    def _try(self, index: int) -> None:
        try:
            self._all[index].check()
        except Exception as failure:  # noqa: BLE001 - said, and tried again; else it is never
            self.failed(index, failure)
        else:
            self.answered(index)
            log.info("redis_away: %s is back", self._all[index].name)

    def served(self, what: Hashable, index: int) -> None:
        """It gave something: the others come first now."""
        self._turns.served(what, index)

    def rest(self, what: Hashable, index: int, seconds: float, asked_at: float) -> None:
        """Nothing was there: it is passed over for so long, or until it wakes."""
        self._turns.rest(what, index, seconds, asked_at)

    def rests(self, what: Hashable, index: int) -> bool:
        return self._turns.rests(what, index)

    def wake(self, index: int) -> None:
        """Something may be there now."""
        self._turns.wake(index)

    def all(
        self, ask: Callable[[Partition], AnswerT], among: Collection[int] | None = None
    ) -> list[AnswerT]:
        """The answers of all, in order; one that fails keeps nobody from being asked.

        Raises:
            redis.RedisError: one of them failed; the first one's error.
            WrongKeyType: likewise.
        """
        answers: dict[int, AnswerT] = {}
        error: Exception | None = None
        for index in self._turns.well_first(range(len(self)) if among is None else among):
            try:
                answers[index] = ask(self._all[index])
            except FAILURES as failure:
                error = error or failure
                self.failed(index, failure)
            else:
                self._turns.answered(index)
        if error is not None:
            raise error
        return [answers[index] for index in sorted(answers)]

    def failed(self, index: int, error: Exception) -> None:
        """Leaves a partition alone for a while, and says so."""
        seconds = self._turns.failed(index)
        if seconds and len(self) > 1:
            name = self._all[index].name
            log.warning("redis_away: %s is tried again in %.0f s: %s", name, seconds, error)

    def answered(self, index: int) -> None:
        self._turns.answered(index)

    def is_left_alone(self, index: int) -> bool:
        return self._turns.is_left_alone(index)

    def away_seconds(self, index: int) -> float:
        """Since it first failed, and has not answered since; 0 where all is well."""
        return self._turns.away_seconds(index)
