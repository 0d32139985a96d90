"""The record of a bulk job."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

import orjson

from mixrelay.shared.queue.batch import Number
from mixrelay.shared.queue.letters import LetterFilter


class JobKind(StrEnum):
    REPLAY = "replay"
    DISCARD = "discard"


class JobState(StrEnum):
    """What a job is doing. A cancelled or failed one can be resumed."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLED = "cancelled"
    DONE = "done"
    FAILED = "failed"

    @property
    def is_over(self) -> bool:
        return self not in (JobState.QUEUED, JobState.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """A bulk job as it stands."""

    id: str
    kind: JobKind
    state: JobState
    wanted: LetterFilter
    """With the end that the job was created with; it matches all where letters are named."""
    named: int
    """Letters that are named one by one; 0 where the filter says which."""
    rate: float | None
    """Letters a second."""
    who: str
    why: str
    background: bool
    """A worker runs it; else the command that made it."""
    planned: int | None
    """Letters that it was to take, as far as that was known."""
    looked: int
    matched: int
    moved: int
    skipped: int
    """Matched, but moved by someone else, or dead once more since the job was created."""
    missing: tuple[Number, ...]
    """Of the letters named, those skipped; the first hundred."""
    created: datetime
    started: datetime | None
    finished: datetime | None
    error: str
    cursor: str = field(repr=False)

    @classmethod
    def parse(cls, reply: Sequence[bytes]) -> Self | None:
        """None where there is no such job (any more)."""
        if not reply:
            return None
        texts = [part.decode() for part in reply]
        told: dict[str, Any] = dict(zip(texts[::2], texts[1::2], strict=True))
        until = {"until": _moment(told["till"]).isoformat()}
        return cls(
            id=told["id"],
            kind=JobKind(told["kind"]),
            state=JobState(told["state"]),
            wanted=LetterFilter.from_json(orjson.loads(told["filter"] or "{}") | until),
            named=int(told["ids"]),
            rate=float(told["rate"]) if told["rate"] else None,
            who=told["who"],
            why=told["why"],
            background=told["background"] == "1",
            planned=int(told["planned"]) if told["planned"] else None,
            looked=int(float(told["looked"])),
            matched=int(float(told["matched"])),
            moved=int(float(told["moved"])),
            skipped=int(float(told["skipped"])),
            missing=tuple(map(Number, told["missing"].split())),
            created=_moment(told["created"]),
            started=_moment(told["started"]) if told["started"] else None,
            finished=_moment(told["finished"]) if told["finished"] else None,
            error=told["error"],
            cursor=told["cursor"],
        )


@dataclass(frozen=True, slots=True)
class Step:
    """What one step came to."""

    job: Job | None
    """None where there is no such job (any more)."""
    wait_seconds: float = 0.0
    """Until its rate lets more letters go."""

    @property
    def is_over(self) -> bool:
        return self.job is None or self.job.state.is_over


def _moment(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(float(milliseconds) / 1000, UTC)
