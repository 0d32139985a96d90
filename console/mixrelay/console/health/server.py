"""What Redis itself does: refuses writes, may evict, fills up, refused settlements."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mixrelay.console.health.kinds import REFUSED, UNSAFE
from mixrelay.console.status.problem import Problem
from mixrelay.console.status.writes import writes_problems
from mixrelay.console.text import count

if TYPE_CHECKING:
    from mixrelay.console.status.seen import QueueSeen


def server_problems(figures: "QueueSeen") -> Iterator[Problem]:
    """The problems with Redis, a refusal of writes first."""
    yield from writes_problems(figures.refused_writes)
    if figures.eviction not in (None, "noeviction"):
        yield Problem(
            UNSAFE,
            "eviction",
            f"Redis may delete messages when it is full (maxmemory-policy {figures.eviction}).",
            "Set it to noeviction: CONFIG SET maxmemory-policy noeviction.",
        )
    if figures.memory_share is not None:
        yield Problem(
            UNSAFE,
            "memory",
            f"Redis is nearly full: {figures.memory_share:.0%} of maxmemory is used.",
            "Let the workers drain the queue, or raise maxmemory: a full Redis takes no messages.",
        )
    if refused := figures.lately("settle_failures"):
        yield Problem(
            REFUSED,
            "",
            f"Redis refused {count(refused, 'settlement')} within two minutes.",
            "Look at mixrelay doctor and the workers' logs. What is in flight stays there.",
        )
