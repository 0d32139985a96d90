"""What was done to a queue's keys, as those who look at the queue are told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Harm:
    """Keys that expire, and a queue that was emptied or set back.

    Attributes:
        expiring: keys that hold messages or count them and have a time to live now, with the
            milliseconds that are left; the shortest first, and not all of them.
        persisted_at_ms: when a worker last took a time to live off such a key; None: never lately.
        persisted: one of those keys.
        emptied_at_ms: when a worker found that the queue was emptied, or set back to an earlier
            state; None: never lately.
        was: how many messages it had numbered before.
        now: how many after.
    """

    expiring: tuple[tuple[str, int], ...] = ()
    persisted_at_ms: int | None = None
    persisted: str = ""
    emptied_at_ms: int | None = None
    was: int = 0
    now: int = 0


def harm(expiring: Sequence[Sequence[Any]], noted: Mapping[str, str]) -> Harm:
    """Read what `books.lua` returns and `guard.lua` wrote."""
    persisted = orjson.loads(noted["expiring"]) if "expiring" in noted else {}
    emptied = orjson.loads(noted["emptied"]) if "emptied" in noted else {}
    keys = sorted((int(left), str(name)) for name, left in expiring)
    return Harm(
        expiring=tuple((name, left) for left, name in keys),
        persisted_at_ms=_moment(persisted),
        persisted=str(persisted.get("key", "")),
        emptied_at_ms=_moment(emptied),
        was=int(emptied.get("was", 0)),
        now=int(emptied.get("now", 0)),
    )


def worst(all_of_them: Sequence[Harm]) -> Harm:
    """Return what is said of several partitions: what expires first, and what happened last."""
    persisted = max(all_of_them, key=lambda one: one.persisted_at_ms or 0)
    emptied = max(all_of_them, key=lambda one: one.emptied_at_ms or 0)
    keys = sorted((left, name) for one in all_of_them for name, left in one.expiring)
    return Harm(
        expiring=tuple((name, left) for left, name in keys),
        persisted_at_ms=persisted.persisted_at_ms,
        persisted=persisted.persisted,
        emptied_at_ms=emptied.emptied_at_ms,
        was=emptied.was,
        now=emptied.now,
    )


def _moment(told: Mapping[str, Any]) -> int | None:
    return int(told["at"]) if "at" in told else None
