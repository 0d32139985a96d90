"""What Mixpanel does to records without an error, as the queue counts and shows it.

Mixpanel cuts long texts and lists, hides names, renames the events of an id that has too many, and
answers as if nothing had happened. Nothing of it stops delivery.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import orjson

from mixrelay.shared.mixpanel.unasked import NoticeKind

__all__ = ["Example", "HotShard", "Notice", "NoticeKind", "Noticed", "Shard"]

LISTED = timedelta(days=1)
"""A hot shard is listed for so long after its last counted event (`hot.lua`)."""


@dataclass(frozen=True, slots=True)
class Example:
    """One record that a notice is about; never a value of it, since these are people's data."""

    name: str
    """The event's name, or the operation of an update."""
    field: str
    detail: str
    number: str
    """The message's number."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """How often something was noticed in a batch, and the first example."""

    count: int
    example: Example

    def plan(self) -> dict[str, Any]:
        """As `settle.lua` reads it."""
        one = self.example
        example = {"name": one.name, "field": one.field, "detail": one.detail, "number": one.number}
        return {"count": self.count, "example": example}


@dataclass(frozen=True, slots=True)
class Notice:
    """The first example, not older than a day, of something that Mixpanel does without an error."""

    kind: str
    """`NoticeKind`, or one of a newer version."""
    at_ms: int
    lane: str
    name: str
    """The event's name, or the operation of an update."""
    field: str
    detail: str
    number: str


@dataclass(frozen=True, slots=True)
class HotShard:
    """An id with so many events of one UTC day that Mixpanel will rename those beyond a limit."""

    kind: str
    """`distinct_id` or `group`."""
    id: str
    fingerprint: str
    """Of the token and the base address."""
    count: int
    """About so many events: workers look at one in eight."""
    limit: int
    day: str
    """Of the events' own times, as `2026-11-30`."""
    group_key: str = ""
    """Of a group, the property that names it."""


class Shard(NamedTuple):
    """What Mixpanel counts events of: a user or a group, on one day, in one project."""

    day: int
    """Since the epoch, by the event's own time in UTC."""
    kind: str
    fingerprint: str
    group_key: str
    id: str

    def name(self) -> bytes:
        """How it is stored."""
        return orjson.dumps(tuple(self))


def notices(stored: Mapping[str, str]) -> tuple[Notice, ...]:
    """The notices of one partition, by kind."""
    return tuple(_notice(kind, orjson.loads(text)) for kind, text in sorted(stored.items()))


def _notice(kind: str, told: Mapping[str, Any]) -> Notice:
    texts = (str(told.get(name, "")) for name in ("lane", "name", "field", "detail", "number"))
    return Notice(kind, int(told["at"]), *texts)


def newest(of_all: Iterable[Notice]) -> tuple[Notice, ...]:
    """The notices of all partitions as those of one: of each kind the newest example."""
    by_kind: dict[str, Notice] = {}
    for one in of_all:
        if one.kind not in by_kind or by_kind[one.kind].at_ms < one.at_ms:
            by_kind[one.kind] = one
    return tuple(by_kind[kind] for kind in sorted(by_kind))


def hot_shards(stored: Mapping[str, str], now_ms: int) -> tuple[HotShard, ...]:
    """The shards that passed half of their limit, the nearest to it first."""
    listed = ((name, orjson.loads(text)) for name, text in stored.items())
    fresh = (
        hot_shard(name, int(told["count"]), int(told["limit"]))
        for name, told in listed
        if now_ms - told["at"] <= LISTED.total_seconds() * 1000
    )
    return tuple(sorted(fresh, key=_nearest))


def hot_shard(name: str, count: int, limit: int) -> HotShard:
    """A shard by the name that `Shard.name` gave it."""
    shard = Shard(*orjson.loads(name))
    return HotShard(
        kind=str(shard.kind),
        id=str(shard.id),
        fingerprint=str(shard.fingerprint),
        count=count,
        limit=limit,
        day=datetime.fromtimestamp(shard.day * 86_400, UTC).date().isoformat(),
        group_key=str(shard.group_key),
    )


def _nearest(shard: HotShard) -> tuple[float, str, str]:
    return -shard.count / max(shard.limit, 1), shard.day, shard.id
