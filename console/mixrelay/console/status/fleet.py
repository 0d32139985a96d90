"""The workers that RQ knows of."""

from dataclasses import dataclass
from datetime import UTC, datetime

from redis.exceptions import RedisError
from rq import Queue as RqQueue
from rq.worker import BaseWorker

from mixrelay.shared.connection import connect

SILENT_AFTER = 120.0
"""Seconds. RQ's sign of life comes every 30 s while a shift runs; one this late is gone."""


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker as it last reported itself."""

    name: str
    host: str
    pid: int
    state: str
    seconds_ago: float
    """Since its last sign."""


def workers(url: str, rq_queue: str) -> list[WorkerSeen] | None:
    """The workers of an RQ queue that still give signs of life; None where Redis does not let us.

    Args:
        url: the node that keeps RQ's own keys.
        rq_queue: the RQ queue's name.
    """
    redis = connect(url)
    try:
        registered = BaseWorker.all(queue=RqQueue(rq_queue, connection=redis))
        seen = [_seen(worker) for worker in registered]
    except RedisError:
        return None
    finally:
        redis.close()
    return sorted((w for w in seen if w.seconds_ago < SILENT_AFTER), key=lambda w: w.name)


def _seen(worker: BaseWorker) -> WorkerSeen:
    last = worker.last_heartbeat
    ago = (datetime.now(UTC) - last).total_seconds() if last else SILENT_AFTER
    return WorkerSeen(
        worker.name, worker.hostname or "?", worker.pid or 0, worker.get_state(), max(0.0, ago)
    )
