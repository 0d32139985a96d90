"""Guards a queue's keys against others: against expiry, and against being emptied unseen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mixrelay.shared.queue.base.scripts import Scripts

BATCHES_AT_MOST = 500
"""Batches that one call looks at; the next goes on with those behind them."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """What one look found.

    Attributes:
        keys: how many keys had a time to live, which is off now.
        example: one of them.
        emptied: whether the queue was emptied, or set back, since the last look.
        was: how many messages it had numbered at the last look.
        now: how many it has numbered.
    """

    keys: int
    example: str
    emptied: bool
    was: int
    now: int


class _Seen(NamedTuple):
    id: str = ""
    number: int = 0
    cursor: str = "0"


class Guard:
    """The looks of one process at one partition. Of one thread."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._seen = _Seen()

    def look(self) -> Guarded:
        """Take off what times to live were set, and compare the queue with the last look.

        A process's first look has nothing to compare with. What was emptied is noted once by each
        process that saw the queue before.

        Raises:
            redis.RedisError: the node is away.
        """
        before = self._seen
        answer = self._scripts.run(
            "guard", before.cursor, BATCHES_AT_MOST, before.id, before.number
        )
        cursor, keys, example, emptied, queue_id, number = answer
        self._seen = _Seen(queue_id.decode(), int(number), cursor.decode())
        return Guarded(
            int(keys), example.decode(errors="replace"), bool(emptied), before.number, int(number)
        )
