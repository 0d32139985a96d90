"""Reads the figures of a queue, wherever they are kept."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from redis.exceptions import ResponseError

from mixrelay.console.health.limits import FULL
from mixrelay.console.health.recent import read_recent
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
    """The figures at this instant.

    Args:
        queue: whose.
        rq_url: the node that keeps RQ's keys.

    Raises:
        redis.RedisError: the queue's node is away, or refuses.
    """
    books = queue.books()
    memory = _memory(queue)
    rq_queue = queue_name(queue.name)
    seen = workers(rq_url, rq_queue, is_clock_set=stepped_within(books, HEARD_AGAIN_AFTER))
    return Figures(
        queue=queue.name,
        books=books,
        redis_ahead=books.now_ms / 1000 - time.time(),
        workers=seen,
        rq=rq_state(rq_url, rq_queue, seen),
        eviction=_eviction(memory),
        memory_share=_share(memory),
        persistent=_persistent(memory),
        recent=read_recent(queue, books),
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


def _memory(queue: Queue) -> list[dict[str, Any]]:
    """What the servers say of memory and disk; nothing where this user may not ask."""
    try:
        return infos(queue.redis, "memory", "persistence")
    except ResponseError:
        return []  # `doctor` says how to let it.


def _eviction(told: Sequence[Mapping[str, Any]]) -> str | None:
    """The policy of the servers, of several the one that may evict."""
    policies = {str(memory["maxmemory_policy"]) for memory in told if "maxmemory_policy" in memory}
    return min(policies, key=lambda policy: policy == "noeviction", default=None)


def _persistent(told: Sequence[Mapping[str, Any]]) -> bool | None:
    """Whether each server has its append-only file on; None where one does not tell."""
    kept = [one.get("aof_enabled") for one in told]
    return None if not kept or None in kept else all(kept)


def _share(told: Sequence[Mapping[str, Any]]) -> float | None:
    """How much of its limit the fullest server uses, where that is nearly all."""
    shares = [
        int(memory.get("used_memory", 0)) / int(memory["maxmemory"])
        for memory in told
        if int(memory.get("maxmemory", 0))
    ]
    fullest = max(shares, default=0.0)
    return fullest if fullest > FULL else None
