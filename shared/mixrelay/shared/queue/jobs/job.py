"""The record of a bulk job."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

import orjson

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.letters.letter import LetterFilter
from mixrelay.shared.queue.messages.batch import Number


class JobKind(StrEnum):
    REPLAY = "replay"
    DISCARD = "discard"
    FIX = "fix"
    """Its letters were corrected, and are re-queued."""

    @property
    def requeues(self) -> bool:
        """Whether its letters go back to their lanes."""
        return self is not JobKind.DISCARD


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
class Outcome:
    """What became of the letters that a job re-queued, as far as that is known."""

    delivered: int = 0
    failed_again: int = 0
    same_error: int = 0
    """Of these, those that failed for the reason and error that they had before."""
    gone: int = 0
    """Discarded or erased since, or of a kind that Mixpanel drops."""
    split: int = 0
    """Records that lists of records added, since each is a message of its own."""

    @property
    def known(self) -> int:
        return self.delivered + self.failed_again + self.gone

    def __add__(self, other: Self) -> "Outcome":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Outcome(*(one + more for one, more in pairs))

    @classmethod
    def parse(cls, told: Mapping[str, str]) -> Self:
        """From the fields of a job's record."""
        return cls(*(int(told.get(f"outcome:{name}", 0)) for name in _OUTCOMES))


_OUTCOMES = ("delivered", "failed", "same", "gone", "split")


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
    outcome: Outcome = field(default_factory=Outcome)
    undone: int = 0
    """Of a fix: letters that have the message again that they had before."""
    next_at: float = field(repr=False, default=0.0)
    """With a rate: when its next letter may go (Unix milliseconds)."""
    partition: int = 0
    """Whose letters it moves."""
    parts: tuple[Self, ...] = field(repr=False, default=())
    """Where several partitions have letters for it: what each has noted."""

    @property
    def requeued(self) -> int:
        """Messages that it put back into lanes; 0 for a discard."""
        return self.moved + self.outcome.split if self.kind.requeues else 0

    @property
    def under_way(self) -> int:
        """Of these, those that wait or are being sent: nobody knows yet what becomes of them."""
        return max(0, self.requeued - self.outcome.known)

    @property
    def is_settled(self) -> bool:
        """Whether it is over, and so is what it re-queued."""
        return self.state.is_over and not self.under_way

    @property
    def each(self) -> tuple[Self, ...]:
        """Its parts, in the order in which they are done, one after the other."""
        return self.parts or (self,)

    @property
    def turn(self) -> Self:
        """The part whose letters are next."""
        return next((one for one in self.each if not one.state.is_over), self.each[-1])

    def having(self, part: Self) -> Self:
        """With one part as it stands now."""
        return self.together(part if one.partition == part.partition else one for one in self.each)

    @classmethod
    def together(cls, parts: Iterable[Self]) -> Self:
        """One job of what at least one partition has noted."""
        each = tuple(parts)
        first, live = each[0], [one for one in each if not one.state.is_over]
        if len(each) == 1:
            return first
        numbers = [number for one in each for number in one.missing]
        return replace(
            first,
            state=_state(each),
            named=sum(one.named for one in each),
            planned=_planned(each),
            rate=(live or each[-1:])[0].rate,  # what is changed late reaches those that are left
            background=any(one.background for one in each),
            looked=sum(one.looked for one in each),
            matched=sum(one.matched for one in each),
            moved=sum(one.moved for one in each),
            skipped=sum(one.skipped for one in each),
            missing=tuple(numbers[:_MISSING_NAMED]),
            created=min(one.created for one in each),
            started=min((one.started for one in each if one.started), default=None),
            finished=None
            if live
            else max((one.finished for one in each if one.finished), default=None),
            error=next((one.error for one in each if one.error), ""),
            undone=sum(one.undone for one in each),
            outcome=sum((one.outcome for one in each), Outcome()),
            parts=each,
        )

    @classmethod
    @reading("a bulk job")
    def parse(cls, reply: Sequence[bytes], partition: int = 0) -> Self | None:
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
            outcome=Outcome.parse(told),
            undone=int(told.get("undone", 0)),
            next_at=float(told["next_at"]),
            partition=partition,
        )


_MISSING_NAMED = 100
_WORST_FIRST = (JobState.FAILED, JobState.CANCELLED, JobState.DONE)


def _planned(parts: Sequence[Job]) -> int | None:
    """Each part of a fix counts its own letters, of other jobs each notes the whole."""
    if parts[0].kind is JobKind.FIX:
        return sum(one.planned or 0 for one in parts)
    return parts[0].planned


def _state(parts: Sequence[Job]) -> JobState:
    """Of a whole job: it is over when all its parts are, as the worst of them."""
    states = {one.state for one in parts}
    if states == {JobState.QUEUED}:
        return JobState.QUEUED
    if any(not state.is_over for state in states):
        return JobState.RUNNING
    return next(state for state in _WORST_FIRST if state in states)


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
