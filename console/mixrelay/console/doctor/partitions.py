"""Lists that producers push to and no worker knows of: they have more partitions than workers."""

from collections.abc import Iterator

from redis import Redis
from redis.exceptions import RedisError

from mixrelay.console.doctor.findings import Finding
from mixrelay.console.doctor.node import REDIS
from mixrelay.console.text import count
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import Queue
from mixrelay.shared.queue.keys import MOST_PARTITIONS, partition_name


def check_partitions(redis: Redis, name: str, partitions: int) -> Iterator[Finding]:
    """How many there are, as workers noted it, and what waits beyond them.

    Args:
        redis: a client of the queue.
        name: the queue's.
        partitions: as this command was told, and workers beside it are.
    """
    try:
        known = Queue(redis, name).refresh()
        waiting = {
            index: int(redis.llen(partition_name(name, index)))  # type: ignore[arg-type, unused-ignore]
            for index in range(known, MOST_PARTITIONS)
        }
    except (ConfigurationError, RedisError):
        # It has none but the first, or this user may not look, or a node is away, which is told.
        return
    strays = [index for index, length in waiting.items() if length]
    if strays:
        names = ", ".join(partition_name(name, index) for index in strays)
        wanted = strays[-1] + 1
        yield REDIS.error(
            "partitions",
            f"{count(sum(waiting.values()), 'message')} in {names}: workers know of "
            f"{count(known, 'partition')}, and drain no more.",
            "Start the workers, or restart them: none has announced more yet."
            if wanted <= partitions
            else f"Set MIXRELAY_PARTITIONS to at least {wanted} for the workers, and restart them.",
        )
    elif known > 1:
        yield REDIS.ok("partitions", f"{known}, and nothing beyond them.")
