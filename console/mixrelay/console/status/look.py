"""Reads the figures of a queue, wherever they are kept."""

import time

from redis.exceptions import ResponseError

from mixrelay.console.status.clock import stepped_within
from mixrelay.console.status.figures import Figures
from mixrelay.console.status.fleet import HEARD_AGAIN_AFTER, workers
from mixrelay.console.status.rq_state import rq_state
from mixrelay.console.status.writes import refused_writes
from mixrelay.console.strays import find_strays
from mixrelay.shared.connection import infos
from mixrelay.shared.queue import Queue
from mixrelay.worker.rq.queue import queue_name


def look(queue: Queue, rq_url: str) -> Figures:
    """The figures at this instant; `rq_url` is the node that keeps RQ's keys."""
    books = queue.books()
    rq_queue = queue_name(queue.name)
    seen = workers(rq_url, rq_queue, is_clock_set=stepped_within(books, HEARD_AGAIN_AFTER))
    return Figures(
        queue=queue.name,
        books=books,
        redis_ahead=books.now_ms / 1000 - time.time(),
        workers=seen,
        rq=rq_state(rq_url, rq_queue, seen),
        eviction=_eviction(queue),
        outlook=queue.retention.outlook(),
        strays=_strays(queue),
        refused_writes=refused_writes(queue.redis),
    )


def _strays(queue: Queue) -> dict[str, int]:
    """What waits in lists that this program was told of, and no worker: nobody drains them.

    Others than those it knows this user need not be allowed to look at; `doctor` tries.
    """
    if len(queue.lists) == 1:
        return {}
    return find_strays(queue.redis, queue.name, len(queue.lists)).waiting


def _eviction(queue: Queue) -> str | None:
    """The policy of the servers, of several the one that may evict."""
    try:
        told = infos(queue.redis, "memory")
    except ResponseError:
        return None  # This user may not ask; `doctor` says how to let it.
    policies = {str(memory["maxmemory_policy"]) for memory in told if "maxmemory_policy" in memory}
    return min(policies, key=lambda policy: policy == "noeviction", default=None)
