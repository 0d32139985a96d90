"""Dead letters: what one holds, and which ones a filter means."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import orjson

from mixrelay.shared.queue.batch import Number


@dataclass(frozen=True, slots=True)
class Death:
    """An earlier death of a letter that was replayed since."""

    reason: str
    status: int
    error: str
    at: datetime
    replayed_at: datetime


@dataclass(frozen=True, slots=True)
class Letter:
    """A message that was not delivered, kept until someone decides."""

    id: Number
    type: str
    """`event`, `import`, `profile_update`, `group_update`; `unknown` where it could not be read."""
    lane: str
    reason: str
    status: int
    """HTTP status of the answer that decided, 0 where there was none."""
    error: str
    field: str
    attempts: int
    replays: int
    first_seen: datetime
    """When it was first routed."""
    dead_since: datetime
    payload: bytes
    """The tuple, verbatim. It may hold an `api_key`: views mask it."""
    deaths: tuple[Death, ...] = ()

    @classmethod
    def parse(cls, stored: bytes) -> Self:
        meta, payload = stored.split(b"\n", 1)
        fields: dict[str, Any] = orjson.loads(meta)
        deaths = tuple(
            Death(
                death["reason"],
                death["status"],
                death["error"],
                _time(death["at"]),
                _time(death["replayed_at"]),
            )
            for death in fields.pop("deaths", ())
        )
        first_seen, dead_since = _time(fields.pop("first_seen")), _time(fields.pop("dead_since"))
        return cls(
            **fields, first_seen=first_seen, dead_since=dead_since, payload=payload, deaths=deaths
        )


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters are meant; what is not given matches all.

    `reason`, `type` and `status` are answered from an index, the others by looking at each letter.
    """

    reason: str | None = None
    type: str | None = None
    status: int | None = None
    event: str | None = None
    distinct_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Times of burial, `since` inclusive, `until` exclusive."""


def _time(milliseconds: float) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
