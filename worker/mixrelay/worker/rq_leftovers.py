"""Entries of RQ's lists that RQ's own cleaning stumbles over, and would for ever.

RQ moves an id to an intermediate list before it reads the job, and to a registry of what is under
way before it runs it. An id that is no text, or whose job cannot be read, stays there, and ends
RQ's cleaning at each attempt, for all entries behind it.
"""

import logging
from collections.abc import Callable
from typing import Any, cast

from redis import Redis
from redis.exceptions import RedisError, ResponseError
from rq.exceptions import NoSuchJobError
from rq.queue import Queue as RqQueue

from mixrelay.worker.rq_job import Job

log = logging.getLogger(__name__)

_LOOKED_AT = 1_000
"""Entries of a list that one cleaning looks at."""


def drop_unreadable(queue: RqQueue) -> int:
    """Take what no worker can run out of RQ's lists of what is under way; answer how many.

    Raises:
        redis.RedisError: RQ's node is away.
    """
    redis = queue.connection
    moved, running = queue.intermediate_queue_key, queue.started_job_registry.key
    return _drop(
        redis,
        moved,
        lambda: redis.lrange(moved, 0, _LOOKED_AT - 1),
        lambda one: redis.lrem(moved, 1, one),
    ) + _drop(
        redis,
        running,
        lambda: redis.zrange(running, 0, _LOOKED_AT - 1),
        lambda one: redis.zrem(running, one),
    )


def _drop(
    redis: Redis, key: str, entries: Callable[[], Any], take_out: Callable[[Any], Any]
) -> int:
    try:
        wrong = [one for one in cast("list[bytes]", entries()) if not _is_readable(redis, one)]
    except ResponseError as error:
        if not _is_wrong_type(error):
            raise
        log.error("bad_job: RQ's %s is a key of another type; it is left as it is", key)  # noqa: TRY400
        return 0
    for entry in wrong:
        take_out(entry)
    if wrong:
        log.error(
            "bad_job: %d entries of RQ's %s cannot be read; they are dropped", len(wrong), key
        )
    return len(wrong)


def _is_readable(redis: Redis, entry: bytes) -> bool:
    try:
        # A registry notes the execution behind the job's id, which has no colon.
        Job.fetch(entry.decode().partition(":")[0], connection=redis)
    except NoSuchJobError:
        # RQ's own cleaning takes it out.
        return True
    except ResponseError as error:
        if not _is_wrong_type(error):
            raise
        return False
    except RedisError:
        raise
    except Exception:  # noqa: BLE001 - a job's hash is anyone's to write
        return False
    return True


def _is_wrong_type(error: ResponseError) -> bool:
    return str(error).startswith("WRONGTYPE")
