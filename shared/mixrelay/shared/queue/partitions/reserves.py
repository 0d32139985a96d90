"""Asking the partitions for a batch, so that a lost reply loses none and no two probe at once."""

import time
from collections.abc import Sequence
from typing import Any

from mixrelay.shared.queue.messages.batch import Batch, Lane, Nothing
from mixrelay.shared.queue.messages.settlement import Settlement
from mixrelay.shared.queue.partitions.gates import Gates, Look
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.partitions.partitions import Partitions

REST_SECONDS = 1.0
"""An empty lane of one among several partitions is not asked again before, unless this process
put something there: who else does so asks at once."""


class Reserves:
    """The reserves of one thread."""

    def __init__(self, partitions: Partitions, gates: Gates) -> None:
        self._partitions = partitions
        self._gates = gates
        self._unanswered: dict[tuple[Lane, int], str] = {}
        """Claims to which no answer came: repeated, they answer with what they may have leased."""

    def batch(self, lane: Lane, claim: str, lease_seconds: float, **asked: Any) -> Batch | Nothing:
        """One from the partitions in turn; arguments as `Partition.reserve`.

        Raises:
            redis.RedisError: no answer came; asked again, the same batch is found.
        """
        look: Look | None = None
        if len(self._partitions) > 1:
            # Their lists and lanes rest by turns of their own: `Queue.route` knows of these.
            asked["routes"] = 0
        asked_at = 0.0
        found: list[Nothing] = []

        def ask(one: Partition) -> Batch | Nothing:
            nonlocal look, asked_at
            look, asked_at = look or self._look(), time.monotonic()
            named = f"{claim}.{one.index}" if one.index else claim  # a batch is named by its claim
            used = self._unanswered.setdefault((lane, one.index), named)
            answer = one.reserve(
                lane,
                claim=used,
                lease_seconds=lease_seconds,
                gates=look.gates_for(one.index),
                elsewhere=look.elsewhere(one.index),
                **asked,
            )
            if isinstance(answer, Batch) and used != named:
                # Leased some time ago: for the worker its time begins now.
                one.extend([answer], lease_seconds)
            return answer

        for index, leased in self._partitions.each(lane, ask):
            answer = self._let_pass(leased, lease_seconds)
            del self._unanswered[lane, index]
            if isinstance(answer, Batch):
                self._partitions.served(lane, index)
                return answer
            if isinstance(leased, Batch):
                look = None
            self._rest(lane, index, answer, asked_at)
            found.append(answer)
        return _all_of(found)

    def _look(self) -> Look:
        return self._gates.look() if len(self._partitions) > 1 else Look()

    def _let_pass(self, leased: Batch | Nothing, lease_seconds: float) -> Batch | Nothing:
        """Gives a batch back that would probe beside another's."""
        if isinstance(leased, Nothing) or not (leased.probe and leased.partition):
            return leased
        wait = self._gates.claim(leased, lease_seconds)
        if wait is None:
            return leased
        self._partitions[leased.partition].settle(leased, Settlement(rest="back"))
        return Nothing(wait, suspects_wait=False)

    def _rest(self, lane: Lane, index: int, nothing: Nothing, asked_at: float) -> None:
        if nothing == Nothing(None, suspects_wait=False) and len(self._partitions) > 1:
            self._partitions.rest(lane, index, REST_SECONDS, asked_at)


def _all_of(found: Sequence[Nothing]) -> Nothing:
    waits = (one.wait_seconds for one in found if one.wait_seconds is not None)
    suspects_wait = any(one.suspects_wait for one in found)
    return Nothing(min(waits, default=None), suspects_wait, found[0].routed if found else ())
