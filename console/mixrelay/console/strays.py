"""Lists that producers push to and no worker knows of: nobody drains them."""

from dataclasses import dataclass

from redis import Redis

from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.base.keys import partition_name


@dataclass(frozen=True, slots=True)
class Strays:
    known: int
    """Partitions, as workers announced them."""
    waiting: dict[str, int]
    """Messages in each list beyond those, of the lists that have some."""
    wanted: int
    """Partitions that workers must know of to drain all; 0 where nothing strays."""


def find_strays(redis: Redis, name: str, partitions: int) -> Strays:
    """What waits in the first so many lists of a queue, and no worker knows of.

    Raises:
        ConfigurationError: a queue of this name has no lists but the first.
        redis.RedisError: a node is away, or this user may not look there.
    """
    known = Queue(redis, name).refresh()
    lengths = {
        index: int(redis.llen(partition_name(name, index)))  # type: ignore[arg-type, unused-ignore]
        for index in range(known, partitions)
    }
    waiting = {index: length for index, length in lengths.items() if length}
    return Strays(
        known,
        {partition_name(name, index): length for index, length in waiting.items()},
        max(waiting, default=-1) + 1,
    )
