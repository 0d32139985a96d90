"""The audit trail: who replayed, discarded, edited or imported which letters, when and why.

It also tells who held which lane. Every entry is written by the script that moved the letters, so
the counts of a job's entries add up to what it moved; while it runs, the trail is told every five
seconds. The newest 100,000 entries are kept; what had to go is counted in `totals.audit_trimmed`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self, cast

import orjson
from redis import Redis

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.letters.letter import LetterFilter
from mixrelay.shared.queue.messages.batch import Number


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the trail."""

    id: str
    """The place in the trail."""
    at: datetime
    """By Redis's clock."""
    what: str
    """`replay`, `discard`, `edit`, `fix`, `restore`, `import`, `expire`; of a job `cancel`,
    `resume`, `rate`; of a lane `pause`, `resume`."""
    who: str
    why: str
    count: int
    """Letters; of a job those since its entry before."""
    job: str
    wanted: LetterFilter | None
    """Of a job that goes by a filter; None too where only a newer mixrelay can read it."""
    numbers: tuple[Number, ...]
    """Letters, the first twenty at most; of an import the first and the last."""
    lane: str = ""
    """That was held or resumed."""

    @classmethod
    @reading("an entry of the audit")
    def parse(cls, place: bytes, fields: dict[bytes, bytes]) -> Self:
        told: dict[str, Any] = {name.decode(): value.decode() for name, value in fields.items()}
        milliseconds = int(place.partition(b"-")[0])
        return cls(
            id=place.decode(),
            at=datetime.fromtimestamp(milliseconds / 1000, UTC),
            what=told["what"],
            who=told["who"],
            why=told["why"],
            count=int(told["count"]),
            job=told["job"],
            wanted=_filter(told["filter"]),
            numbers=tuple(map(Number, told["numbers"].split())),
            lane=told.get("lane", ""),
        )


def _filter(text: str) -> LetterFilter | None:
    try:
        return LetterFilter.from_json(orjson.loads(text)) if text else None
    except ConfigurationError:
        return None


class Audit:
    """The trail of one partition; only the scripts that move letters write to it."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._key = keys("audit")

    def newest(self, limit: int, *, before: str = "", or_at: bool = False) -> list[Entry]:
        """Entries, the newest first.

        Args:
            limit: how many.
            before: the id of an entry; only older ones are answered.
            or_at: also the one with this id.
        """
        start = f"{'' if or_at else '('}{before}" if before else "+"
        reply = self._redis.xrevrange(self._key, max=start, min="-", count=limit)
        found = cast("Sequence[tuple[bytes, dict[bytes, bytes]]]", reply)
        return [Entry.parse(place, fields) for place, fields in found]
