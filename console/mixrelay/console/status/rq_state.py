"""What RQ's node says beside its workers: whether they are suspended, and what ended badly."""

from collections.abc import Sequence
from dataclasses import dataclass

from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq.registry import FailedJobRegistry

from mixrelay.console.status.fleet import WorkerSeen
from mixrelay.console.status.problem import Problem
from mixrelay.console.text import count
from mixrelay.shared.connection import connect
from mixrelay.worker.rq.suspension import HOW_TO_RESUME, is_suspended

SUSPENDED = "suspended"
MANY_ENDED_BADLY = 20
"""Jobs of RQ's within an hour: a death now and then is what leases are for."""


@dataclass(frozen=True, slots=True)
class RqState:
    """What is None is unknown: this user may not ask, or RQ's node is away."""

    suspended: bool | None = None
    ended_badly: int | None = None
    """Jobs that failed or died within the last hour."""

    def problems(self, waiting: int) -> list[Problem]:
        """What holds messages back."""
        if not self.suspended:
            return []
        return [
            Problem(
                SUSPENDED,
                "",
                f"The workers are suspended (rq suspend): nothing is sent, "
                f"{count(waiting, 'message')} waiting.",
                f"Run {HOW_TO_RESUME}.",
            )
        ]

    def remarks(self) -> list[str]:
        """What an operator should know although messages are delivered."""
        if (self.ended_badly or 0) < MANY_ENDED_BADLY:
            return []
        many = count(self.ended_badly or 0, "job")
        why = "The workers' logs say why, and the dashboard's page Workers."
        return [f"{many} of RQ's ended badly within an hour; the next ones go on. {why}"]


def rq_state(url: str, rq_queue: str, workers: Sequence[WorkerSeen] | None) -> RqState:
    """Ask RQ's node.

    Args:
        url: the node that keeps RQ's own keys.
        rq_queue: the RQ queue's name.
        workers: those that were seen; where the switch itself may not be read, they tell.
    """
    redis = connect(url)
    try:
        return RqState(_suspended(redis, workers), _ended_badly(redis, rq_queue))
    except RedisError:
        return RqState()
    finally:
        redis.close()


def _suspended(redis: Redis, workers: Sequence[WorkerSeen] | None) -> bool | None:
    try:
        return is_suspended(redis)
    except ResponseError:
        return any(worker.state == SUSPENDED for worker in workers) if workers else None


def _ended_badly(redis: Redis, rq_queue: str) -> int | None:
    try:
        return redis.zcard(FailedJobRegistry.key_template.format(rq_queue))
    except ResponseError:
        return None
