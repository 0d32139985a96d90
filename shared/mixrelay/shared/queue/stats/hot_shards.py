"""The day's events of each distinct_id and group, counted in Redis in bounded memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.ids import new_id
from mixrelay.shared.queue.base.scripts import Scripts
from mixrelay.shared.queue.stats.notices import HotShard, Shard, hot_shard

DISTINCT_ID, GROUP = "distinct_id", "group"
LIMITS = {DISTINCT_ID: 200_000, GROUP: 1_000_000}
"""Events of one day beyond which Mixpanel renames them (Mixpanel: Hot Shard Limits)."""

SHARDS_AT_MOST = 1_000
"""Of one call: no script may hold the server for long."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What the counts of all workers together say."""

    crossed: tuple[tuple[HotShard, int], ...] = ()
    """Shards that passed 50, 90 or 100 % of their limit by this call, with that number. Each is
    told once to one worker."""
    group_keys: frozenset[tuple[str, str]] = frozenset()
    """(fingerprint, property) of the groups that any worker has seen updates of."""


class HotShards:
    """The counts of one queue; they lie in its first partition. Any thread may add."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts

    def add(
        self,
        counts: Mapping[Shard, int],
        group_keys: frozenset[tuple[str, str]] = frozenset(),
        *,
        op: str | None = None,
    ) -> Counted:
        """Adds what one process counted. Repeat it with the same `op` after a lost reply.

        Args:
            counts: events by shard, at most `SHARDS_AT_MOST`.
            group_keys: (fingerprint, property) of groups that were updated.
            op: the move's id.

        Raises:
            WrongKeyType: one of the keys holds a foreign value; nothing was changed.
            redis.RedisError: the server is away, or full: nothing rests on these counts.
        """
        told: list[str | bytes | float] = []
        for shard, count in counts.items():
            told += [shard.name(), count, LIMITS[shard.kind]]
        keys = [orjson.dumps(key) for key in sorted(group_keys)]
        return _counted(self._scripts.run("hot", op or new_id(), len(keys), *keys, *told))


@reading("counts of hot shards")
def _counted(reply: bytes) -> Counted:
    told = orjson.loads(reply)
    crossed = tuple(
        (hot_shard(one["name"], int(one["count"]), int(one["limit"])), int(one["level"]))
        for one in told.get("crossed") or ()
    )
    pairs = (orjson.loads(text) for text in told.get("groups") or ())
    return Counted(crossed, frozenset((str(who), str(name)) for who, name in pairs))
