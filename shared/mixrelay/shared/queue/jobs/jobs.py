"""Bulk jobs in one partition: its part of a replay or discard of many letters.

A job is a record in Redis that the script which moves letters changes in the same step. So it
goes on after any death, a second runner does no harm, and what it did can be told. A command
runs its own job; a worker runs those that are handed over, and those whose runner is gone.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self, cast

import orjson
from redis import Redis

from mixrelay.shared.queue.base.corrupt import reading
from mixrelay.shared.queue.base.keys import Keys
from mixrelay.shared.queue.base.scripts import Scripts
from mixrelay.shared.queue.base.step_size import StepSize
from mixrelay.shared.queue.jobs.job import Job, JobKind, Step
from mixrelay.shared.queue.letters.letter import Letter, LetterFilter
from mixrelay.shared.queue.letters.paging import Place, Slice, milliseconds
from mixrelay.shared.queue.letters.reader import LetterBox
from mixrelay.shared.queue.messages.batch import Lane, Number

_LOOKED_AT = 500
"""Letters that one step looks at."""
_STEP, _LEAST_STEP = 100, 25
"""Letters that one step moves at most; fewer where the server takes long for them."""
_BYTES = 1_048_576
"""Of letters, after which a step ends."""
_ORDERED = frozenset(lane for lane in Lane if lane.ordered)
_PLACES, _BURIALS = "#", "."
"""What the cursor of a replay begins with: by place, then by burial. That of an older program has
neither, and goes on by burial."""
_STEPS_A_SECOND = 4
"""With a rate: few enough calls, and the progress still moves."""
LEAST_RATE, MOST_RATE = 0.001, 1_000_000.0
"""Letters a second."""


class Jobs:
    """What one partition has noted of the bulk jobs. `MergedJobs` tells of whole ones."""

    def __init__(
        self, redis: Redis, keys: Keys, scripts: Scripts, letters: LetterBox, partition: int = 0
    ) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._letters = letters
        self._partition = partition
        self._size = StepSize(_STEP, _LEAST_STEP)

    def start(
        self,
        kind: JobKind,
        wanted: LetterFilter | Sequence[Number],
        *,
        job_id: str,
        who: str,
        why: str,
        rate: float | None,
        planned: int | None,
        background: bool,
        is_first: bool = True,
        forgets: bool = False,
    ) -> Job:
        """As `MergedJobs.start`; of several parts only the first tells the audit of nothing."""
        by_filter = isinstance(wanted, LetterFilter)
        told = cast("LetterFilter", wanted) if by_filter else LetterFilter()
        numbers: Sequence[Number] = () if by_filter else cast("Sequence[Number]", wanted)
        reply = self._scripts.run(
            "job_start",
            job_id,
            kind,
            orjson.dumps(told.to_json()) if by_filter else "",
            milliseconds(told.until) if told.until else "",
            rate_text(rate),
            who,
            why,
            "" if planned is None else planned,
            int(background),
            int(is_first),
            int(forgets),
            *numbers,
        )
        return cast("Job", self._job(reply))

    def get(self, job_id: str) -> Job | None:
        """The part as it stands; None where there is none (any more).

        Raises:
            ConfigurationError: a newer mixrelay made it, with a filter unknown here.
        """
        flat = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys(f"job:{job_id}")))
        return self._job([part for pair in flat.items() for part in pair])

    def newest(self, limit: int) -> list[tuple[float, str]]:
        """When jobs were created, and their ids; the newest first."""
        # Not by desc=True, which redis-py asks by ZREVRANGE: no role has that (docs/redis.md).
        found = self._redis.zrange(self._keys("jobs"), -limit, -1, withscores=True)
        pairs = cast("list[tuple[bytes, float]]", found)
        with reading("the id of a bulk job"):
            return [(created, job_id.decode()) for job_id, created in reversed(pairs)]

    def step(self, job: Job) -> Step:
        """Moves the next letters of this part of a job, as `MergedJobs.step` says."""
        by_id = job.named or job.kind is JobKind.FIX
        part = self._next_ids(job) if by_id else self._next_letters(job)
        if part is None:
            # What an older mixrelay buried is put into the index first, a slice each time.
            self._scripts.run("mend", _LOOKED_AT)
            return Step(job)
        began = time.monotonic()
        reply = self._scripts.run(
            "job_step", job.id, job.cursor, part.cursor, int(part.last), part.looked, *part.numbers
        )
        self._size.note(len(part.numbers), time.monotonic() - began, self._ask)
        return Step(self._job(reply[1]), int(reply[0]) / 1000)

    def change(
        self,
        job_id: str,
        what: str,
        value: str = "",
        *,
        who: str = "",
        why: str = "",
        is_told: bool = False,
    ) -> tuple[bool, Job | None]:
        """Changes this part, where that fits its state; answers whether, and the part.

        Args:
            job_id: the job's.
            what: `cancel`, `resume`, `fail`, `rate`; `heard` has it count as looked after,
                `leave` as left behind.
            value: the error or the rate.
            who: is noted in the audit.
            why: likewise.
            is_told: another part has told the audit already.
        """
        changed, reply = self._scripts.run(
            "job_change", job_id, what, value, who, why, int(is_told)
        )
        return bool(changed), self._job(reply)

    def ids(self, job_id: str, first: int, count: int) -> list[Number]:
        """Of the letters that a job names, so many from one on."""
        key = self._keys(f"job:{job_id}:ids")
        found = cast("list[bytes]", self._redis.lrange(key, first, first + count - 1))
        return [Number(number.decode()) for number in found]

    def stalled(self, most: int) -> list[str]:
        """As `MergedJobs.stalled`, of this partition."""
        if not self._ask():
            return []  # Each worker asks each second.
        return [job_id.decode() for job_id in self._scripts.run("job_stalled", most)]

    def _ask(self) -> bool:
        """Whether any job is live; also shows how long the way to the server is."""
        return bool(self._redis.exists(self._keys("jobs:live")))

    def _job(self, reply: Sequence[bytes]) -> Job | None:
        return Job.parse(reply, self._partition)

    def _next_ids(self, job: Job) -> "_Part":
        begin, size = int(job.cursor or 0), self._step_of(job)
        key = self._keys(f"job:{job.id}:ids")
        ids = cast("list[bytes]", self._redis.lrange(key, begin, begin + size - 1))
        end = begin + len(ids)
        numbers = [number.decode() for number in ids]
        return _Part(numbers, str(end), len(ids), last=end >= job.named)

    def _next_letters(self, job: Job) -> "_Part | None":
        """The next that match: of a replay first those of ordered lanes, by their places.

        So updates of one profile arrive in the order in which they were pushed, whenever each died.
        """
        by_place = job.kind is JobKind.REPLAY and not job.cursor.partition(":")[0].isdigit()
        has_ordered = job.wanted.type is None or job.wanted.type in _ORDERED
        if by_place and has_ordered and not job.cursor.startswith(_BURIALS):
            part = self._next_in_order(job)
            if part is None or part.numbers or not part.last:
                return part and replace(part, last=False)
        cursor = job.cursor.removeprefix(_BURIALS) if by_place else job.cursor
        if cursor.startswith(_PLACES):
            cursor = ""
        size = self._step_of(job)
        # What indexes choose all matches: more would be looked at for the next step once more.
        many = min(size, _LOOKED_AT) if job.wanted.is_indexed else _LOOKED_AT
        seen = self._letters.look(job.wanted, cursor, size=many, most_bytes=_BYTES)
        found = Slice.of(seen, job.wanted, cursor)
        meant = [one for one in found.letters if not (by_place and one.lane in _ORDERED)]
        begin = _BURIALS if by_place else ""
        if len(meant) <= size:
            numbers: list[str] = [letter.id for letter in meant]
            return _Part(numbers, begin + found.cursor, found.looked, last=not found.more)
        return _Part.of(meant[:size], begin)

    def _next_in_order(self, job: Job) -> "_Part | None":
        wanted, after = job.wanted, job.cursor.removeprefix(_PLACES)
        found = self._letters.in_order(
            after, size=_LOOKED_AT, whole=wanted.needs_message, most_bytes=_BYTES
        )
        if found is None:
            return None
        numbers: list[str] = []
        size = self._step_of(job)
        for looked, (place, letter) in enumerate(zip(found.places, found.letters, strict=True), 1):
            after = place
            if letter is not None and wanted.matches(letter):
                numbers.append(letter.id)
            if len(numbers) == size and looked < len(found.places):
                return _Part(numbers, _PLACES + after, looked, last=False)
        return _Part(numbers, _PLACES + after, len(found.places), last=not found.more)

    def _step_of(self, job: Job) -> int:
        most = min(_STEP, self._size.size)
        if job.rate is None:
            return most
        # The smaller one first: a record may hold a rate that has no whole number.
        return max(1, int(min(most, job.rate / _STEPS_A_SECOND)))


@dataclass(frozen=True, slots=True)
class _Part:
    """The letters of one step."""

    numbers: list[str]
    cursor: str
    looked: int
    last: bool

    @classmethod
    def of(cls, letters: Sequence[Letter], begin: str) -> Self:
        """Some of the letters of a slice, whose rest is looked at again by the next step."""
        numbers = [letter.id for letter in letters]
        cursor = begin + Place.of(letters[-1]).cursor
        return cls(list(numbers), cursor, len(numbers), last=False)


def rate_text(rate: float | None) -> str:
    """As a script reads it.

    Raises:
        ValueError: the rate is no number between `LEAST_RATE` and `MOST_RATE`.
    """
    if rate is not None and not LEAST_RATE <= rate <= MOST_RATE:
        raise ValueError(
            f"{rate:g} letters a second is no rate: leave it out, or give {LEAST_RATE:g} to "
            f"{MOST_RATE:,.0f}"
        )
    return "" if rate is None else repr(float(rate))
