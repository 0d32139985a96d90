"""What a worker sees to now and then, while a node is away."""

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.drain.maintenance import Upkeep


class Away:
    """A queue that only mends: the node of its first partition is away."""

    def __init__(self) -> None:
        self.announced = self.mended = 0

    def announce(self) -> int:
        self.announced += 1
        raise RedisConnectionError("gone")

    @property
    def jobs(self) -> None:
        raise RedisConnectionError("gone")

    retention = jobs

    def mend(self, _most: int) -> int:
        self.mended += 1
        return 0


def test_a_turn_that_fails_keeps_none_behind_it_waiting_and_stays_due() -> None:
    queue = Away()
    upkeep = Upkeep(queue, WorkerSettings())
    for _ in range(5):
        upkeep._away_until = 0.0
        upkeep()
    assert (queue.announced, queue.mended) == (3, 1)


def test_whatever_a_turn_meets_ends_no_drain_job_and_the_others_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Odd(Away):
        def announce(self) -> int:
            raise OverflowError("cannot convert float infinity to integer")

        @property
        def retention(self) -> None:
            raise ValueError("a limit that is no number")

    queue = Odd()
    Upkeep(queue, WorkerSettings())()
    assert queue.mended == 1
    assert "upkeep_failed: announce" in caplog.text
    assert "upkeep_failed: expire" in caplog.text
    assert "OverflowError" in caplog.text
