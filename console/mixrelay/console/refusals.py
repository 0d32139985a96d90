"""Why a Redis that answers takes no writes: the same words in every command, page and alert."""

from dataclasses import dataclass

from redis import exceptions as redis


@dataclass(frozen=True, slots=True)
class Refusal:
    """One cause for which Redis refuses writes."""

    cause: str
    """The label of the metric, and what an alert is named for."""
    what: str
    """Stands behind the server's name."""
    todo: str


REPLICA = Refusal(
    "replica",
    "is a replica and takes no writes",
    "Point MIXRELAY_REDIS_URL at the primary.",
)
MEMORY = Refusal(
    "memory",
    "is full (maxmemory reached) and takes no new messages",
    "Let the workers drain the queue, or raise maxmemory.",
)
SNAPSHOT = Refusal(
    "snapshot",
    "could not save its last snapshot and refuses writes (stop-writes-on-bgsave-error)",
    "Look at the server's log, and at the room and the rights on its disk. The next snapshot that "
    "succeeds ends it: BGSAVE.",
)
AOF = Refusal(
    "aof",
    "cannot write its append-only file and refuses writes",
    "Look at the server's log, and at the room and the rights on its disk.",
)
REPLICAS = Refusal(
    "too_few_replicas",
    "has fewer replicas than it needs and refuses writes (min-replicas-to-write)",
    "Bring the replicas back, or lower min-replicas-to-write.",
)
REFUSALS = (REPLICA, MEMORY, SNAPSHOT, AOF, REPLICAS)


def refusal_of(error: Exception) -> Refusal | None:
    """The cause that an answer names; None where the answer is something else."""
    said = str(error)
    if isinstance(error, redis.ReadOnlyError) or said.startswith("READONLY"):
        return REPLICA
    if isinstance(error, redis.OutOfMemoryError) or said.startswith("OOM"):
        return MEMORY
    if said.startswith("NOREPLICAS"):
        return REPLICAS
    if said.startswith("MISCONF"):
        return AOF if "AOF" in said else SNAPSHOT
    return None
