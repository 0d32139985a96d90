"""Asking lanes for batches, so that a lost reply loses no batch."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mixrelay.shared.queue import Batch, Lane, Limits, Nothing, Queue, new_id
from mixrelay.worker.base.in_flight import Held

FRESH_WHILE_PAUSED = 32
"""Parked batches of a lane up to which it is looked through at once for what goes elsewhere, while
a destination is closed; with more it is looked through a little slower."""

_REPEATED_WITHIN = 0.8
"""Of a lease: a claim is not repeated once its lease may be over."""


@dataclass(frozen=True, slots=True)
class _Claim:
    id: str = field(default_factory=new_id)
    asked_at: float = field(default_factory=time.monotonic)


class Reserver:
    """Asks for batches under claims; one that was not answered is repeated first."""

    def __init__(
        self,
        queue: Queue,
        *,
        owner: str,
        lease_seconds: float,
        limits: Callable[[Lane], Limits],
        destinations: dict[Lane, str],
        host_ms: Callable[[], int],
    ) -> None:
        self._queue = queue
        self._owner = owner
        self._lease_seconds = lease_seconds
        self._limits = limits
        self._destinations = destinations
        self._host_ms = host_ms
        self._unanswered: dict[Lane, _Claim] = {}

    def ask(self, lane: Lane, *, alone: bool, routes: int = 0) -> Held | Nothing:
        """One batch of a lane, or when to ask again; arguments as `Queue.reserve`.

        Raises:
            redis.RedisError: no answer came; asked again soon, the same batch is answered.
        """
        claim = self._claim(lane)
        self._unanswered[lane] = claim
        answer = self._queue.reserve(
            lane,
            owner=self._owner,
            claim=claim.id,
            lease_seconds=self._lease_seconds,
            destination=self._destinations.get(lane),
            limits=self._limits(lane),
            fresh_while_paused=FRESH_WHILE_PAUSED,
            alone=alone,
            routes=routes,
            host_ms=self._host_ms(),
        )
        del self._unanswered[lane]
        if isinstance(answer, Batch):
            return Held(answer, until=claim.asked_at + self._lease_seconds)
        return answer

    def _claim(self, lane: Lane) -> _Claim:
        claim = self._unanswered.get(lane)
        if claim is None:
            return _Claim()
        still_good = time.monotonic() < claim.asked_at + self._lease_seconds * _REPEATED_WITHIN
        return claim if still_good else _Claim()
