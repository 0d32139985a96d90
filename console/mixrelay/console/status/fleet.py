"""The workers that RQ knows of."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from redis import Redis
from redis.exceptions import NoPermissionError, RedisError, ResponseError
from rq.worker import BaseWorker
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from mixrelay.shared.connection import connect

SILENT_AFTER = 120.0
"""Seconds. RQ's sign of life comes every 30 s while a shift runs; one this late is gone."""

HEARD_AGAIN_AFTER = 60.0
"""Seconds in which each worker has said again that it is there."""
UNHEARD = "unheard"


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """A worker as it last reported itself."""

    name: str
    host: str
    pid: int
    state: str
    seconds_ago: float
    """Since its last sign."""


def workers(url: str, rq_queue: str, *, is_clock_set: bool = False) -> list[WorkerSeen] | None:
    """The workers of an RQ queue that still give signs of life; None where Redis does not let us.

    Args:
        url: the node that keeps RQ's own keys.
        rq_queue: the RQ queue's name.
        is_clock_set: Redis's clock was set within `HEARD_AGAIN_AFTER`. What workers said of
            themselves may have expired by that alone, so those who did not leave count.
    """
    redis = connect(url)
    try:
        keys = cast("set[bytes]", redis.smembers(WORKERS_BY_QUEUE_KEY % rq_queue))
        seen = [_seen(key, redis) or _unheard(key, is_clock_set) for key in keys]
    except RedisError:
        return None
    finally:
        redis.close()
    alive = (worker for worker in seen if worker and worker.seconds_ago < SILENT_AFTER)
    return sorted(alive, key=lambda worker: worker.name)


def _unheard(key: bytes, is_clock_set: bool) -> WorkerSeen | None:
    """One that is registered and of which Redis has nothing more."""
    if not is_clock_set:
        return None
    return WorkerSeen(key.decode(errors="replace").rpartition(":")[2], "?", 0, UNHEARD, 0.0)


def _seen(key: bytes, redis: Redis) -> WorkerSeen | None:
    """What a worker says of itself; None where the key is none of a worker's."""
    try:
        worker = BaseWorker.find_by_key(key.decode(), connection=redis, serializer="json")
    except NoPermissionError:
        raise
    except (ValueError, ResponseError):
        return None
    if worker is None:
        return None
    last = worker.last_heartbeat
    ago = (datetime.now(UTC) - last).total_seconds() if last else SILENT_AFTER
    return WorkerSeen(
        worker.name, worker.hostname or "?", worker.pid or 0, worker.get_state(), max(0.0, ago)
    )
