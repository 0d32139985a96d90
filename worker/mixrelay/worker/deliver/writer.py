"""A held batch's moves in the queue, each repeated until Redis has answered it."""

import threading
import time
from dataclasses import replace

from redis.exceptions import ResponseError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import (
    Batch,
    Division,
    Expansion,
    Queue,
    Settled,
    Settlement,
    new_id,
)
from mixrelay.worker.base.in_flight import Held
from mixrelay.worker.base.retry import persist


class LeaseLost(Exception):
    """The batch is someone else's by now; whatever is done with it is theirs to do."""


class Ledger:
    """Writes down what happens to batches.

    Every method raises LeaseLost where the batch is no longer this worker's, and Abandoned
    where Redis stayed away until the worker had to end.
    """

    def __init__(
        self, queue: Queue, *, owner: str, lease_seconds: float, abandon: threading.Event
    ) -> None:
        self._queue = queue
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._abandon = abandon

    def settle(self, held: Held, settlement: Settlement) -> None:
        op = new_id()
        refusals = 0

        def attempt() -> Settled:
            nonlocal refusals
            try:
                told = replace(settlement, refusals=refusals)
                return self._queue.settle(held.batch, told, op=op)
            except (ResponseError, WrongKeyType):
                refusals += 1
                raise

        self._check(held, persist(attempt, what="a settlement", abandon=self._abandon))

    def divide(self, held: Held, division: Division) -> bool:
        """Parts the batch; `held.batch` is what stays. False where that waits, not held any more.

        Only what `division.destination` names a place in an ordered lane may have to wait.
        """
        op = new_id()
        settled = persist(
            lambda: self._queue.divide(held.batch, division, op=op),
            what="a division",
            abandon=self._abandon,
        )
        self._check(held, settled)
        gone = {number for part in division.parts for number in part.numbers}
        stay = tuple(member for member in held.batch.members if member.number not in gone)
        part = held.batch.part or division.strikes
        failures = 0 if division.strikes else held.batch.failures
        held.batch = replace(held.batch, members=stay, part=part, failures=failures)
        return settled is not Settled.WAITS

    def begin(self, held: Held, *, doubtful: int) -> None:
        owned = persist(
            lambda: self._queue.begin(held.batch, doubtful=doubtful),
            what="a request",
            abandon=self._abandon,
        )
        if not owned:
            raise LeaseLost(held.batch.id)

    def secure(self, held: Held, seconds: float) -> None:
        """Makes sure that nobody else can have the batch for that long."""
        while not held.surely_owned_for(seconds):
            asked_at = time.monotonic()
            lost = persist(
                lambda: self._queue.extend([held.batch], self._lease_seconds),
                what="a lease",
                abandon=self._abandon,
            )
            if lost:
                raise LeaseLost(held.batch.id)
            held.until = asked_at + self._lease_seconds

    def expand(self, held: Held, lists: list[Expansion]) -> None:
        """Puts the records of lists in their places; `refresh` shows them."""
        op = new_id()
        self._check(
            held,
            persist(
                lambda: self._queue.expand(held.batch, lists, op=op),
                what="the records of lists",
                abandon=self._abandon,
            ),
        )

    def refresh(self, held: Held) -> None:
        """Reads the batch again."""
        held.batch = persist(
            lambda: self._again(held.batch), what="a batch's records", abandon=self._abandon
        )

    def _again(self, batch: Batch) -> Batch:
        answer = self._queue.again(batch, owner=self._owner, lease_seconds=self._lease_seconds)
        if answer is None:
            raise LeaseLost(batch.id)
        return answer

    def _check(self, held: Held, settled: Settled) -> None:
        if settled is Settled.LOST:
            raise LeaseLost(held.batch.id)
