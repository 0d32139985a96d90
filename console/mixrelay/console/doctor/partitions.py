"""Lists that producers push to and no worker knows of: they have more partitions than workers."""

from collections.abc import Iterator

from redis import Redis
from redis.exceptions import RedisError

from mixrelay.console.doctor.findings import Finding
from mixrelay.console.doctor.node import REDIS
from mixrelay.console.strays import find_strays
from mixrelay.console.text import count
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.variables import MOST_PARTITIONS


def check_partitions(redis: Redis, name: str, partitions: int) -> Iterator[Finding]:
    """How many there are, as workers noted it, and what waits beyond them.

    Args:
        redis: a client of the queue.
        name: the queue's.
        partitions: as this command was told, and workers beside it are.
    """
    try:
        found = find_strays(redis, name, MOST_PARTITIONS)
    except (ConfigurationError, RedisError):
        # It has none but the first, or this user may not look, or a node is away, which is told.
        return
    if found.waiting:
        yield REDIS.error(
            "partitions",
            f"{count(sum(found.waiting.values()), 'message')} in {', '.join(found.waiting)}: "
            f"workers know of {count(found.known, 'partition')}, and drain no more.",
            "Start the workers, or restart them: none has announced more yet."
            if found.wanted <= partitions
            else f"Set MIXRELAY_PARTITIONS to at least {found.wanted} for the workers, and restart "
            "them.",
        )
    elif found.known > 1:
        yield REDIS.ok("partitions", f"{found.known}, and nothing beyond them.")
