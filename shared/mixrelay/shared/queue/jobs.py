"""Bulk jobs: replay or discard of many letters, step by step, by whoever runs them.

A job is a record in Redis that the script which moves letters changes in the same step. So it
goes on after any death, a second runner does no harm, and what it did can be told. A command
runs its own job; a worker runs those that are handed over, and those whose runner is gone.
"""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, cast

import orjson
from redis import Redis

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue.batch import Number
from mixrelay.shared.queue.job import Job, JobKind, Step
from mixrelay.shared.queue.keys import Keys
from mixrelay.shared.queue.letterbox import LetterBox, Slice
from mixrelay.shared.queue.letters import Letter, LetterFilter
from mixrelay.shared.queue.planning import Plan, count_on, plan
from mixrelay.shared.queue.scripts import Scripts

IDS_AT_MOST = 5_000
"""Letters that a job may name one by one."""
_STEP = 500
"""Letters that one step moves at most."""
_STEPS_A_SECOND = 4
"""With a rate: few enough calls, and the progress still moves."""


def new_job_id() -> str:
    """An id for a job: random, and short enough to be typed."""
    return secrets.token_hex(5)


class Jobs:
    """The bulk jobs of one queue.

    Those that are over are kept for 30 days, and of them the newest 1,000; what had to go is
    counted in `totals.jobs_forgotten`.
    """

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, letters: LetterBox) -> None:
        self._redis = redis
        self._keys = keys
        self._scripts = scripts
        self._letters = letters

    def plan(self, wanted: LetterFilter) -> Plan:
        """How many letters a job with this filter takes, were it begun now.

        Indexed filters are counted at once; of others the first 5,000 letters are looked at,
        and `count_on` goes on. A job that is started with the plan's filter takes the same.
        """
        seconds, micros = self._redis.time()
        now = datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=micros // 1000 + 1)
        until = min(wanted.until, now) if wanted.until else now
        return plan(self._letters, _until(wanted, until))

    def count_on(self, begun: Plan) -> Plan:
        """Looks at the next letters of a plan that is not exact yet."""
        return count_on(self._letters, begun)

    def start(
        self,
        kind: JobKind,
        wanted: LetterFilter | Sequence[Number],
        *,
        job_id: str,
        who: str,
        why: str = "",
        rate: float | None = None,
        planned: int | None = None,
        background: bool = True,
    ) -> Job:
        """Notes a job; asked again with the same id, it answers with the one that is there.

        Args:
            kind: what becomes of the letters.
            wanted: a filter, or at most 5,000 letters by their numbers. Letters that die from
                now on are not meant.
            job_id: chosen by the caller (`new_job_id`), so that a lost reply starts nothing twice.
            who: is noted with it in the audit.
            why: likewise.
            rate: letters a second; None for as fast as it goes.
            planned: what a plan counted.
            background: have a worker run it.

        Raises:
            ValueError: too many letters are named, or a rate is not above 0.
        """
        by_filter = isinstance(wanted, LetterFilter)
        numbers: Sequence[Number] = () if by_filter else cast("Sequence[Number]", wanted)
        if len(numbers) > IDS_AT_MOST or (not by_filter and not numbers):
            raise ValueError(f"a job names 1 to {IDS_AT_MOST:,} letters: choose by a filter")
        told = cast("LetterFilter", wanted) if by_filter else LetterFilter()
        reply = self._scripts.run(
            "job_start",
            job_id,
            kind,
            orjson.dumps(told.to_json()) if by_filter else "",
            round(told.until.timestamp() * 1000) if told.until else "",
            _rate(rate),
            who,
            why,
            "" if planned is None else planned,
            int(background),
            *numbers,
        )
        return cast("Job", Job.parse(reply))

    def get(self, job_id: str) -> Job | None:
        """The job as it stands; None where there is none (any more).

        Raises:
            ConfigurationError: a newer mixrelay made it, with a filter unknown here.
        """
        flat = cast("dict[bytes, bytes]", self._redis.hgetall(self._keys(f"job:{job_id}")))
        return Job.parse([part for pair in flat.items() for part in pair])

    def newest(self, limit: int = 50) -> list[Job]:
        """Jobs, the newest first; those that only a newer mixrelay can read are left out."""
        ids = cast("list[bytes]", self._redis.zrange(self._keys("jobs"), 0, limit - 1, desc=True))
        found = []
        for job_id in ids:
            with suppress(ConfigurationError):
                found.append(self.get(job_id.decode()))
        return [job for job in found if job is not None]

    def step(self, job: Job) -> Step:
        """Moves the next letters of a job; who runs it repeats this until the step is over.

        After a lost reply it may be repeated with the same job, and it may be run by several at
        once: only one of equal steps is carried out.
        """
        part = self._next_ids(job) if job.named else self._next_letters(job)
        reply = self._scripts.run(
            "job_step", job.id, job.cursor, part.cursor, int(part.last), part.looked, *part.numbers
        )
        return Step(Job.parse(reply[1]), int(reply[0]) / 1000)

    def cancel(self, job_id: str, *, who: str, why: str = "") -> Job | None:
        """Ends a job before its next step; what was moved stays moved."""
        return self._change(job_id, "cancel", who=who, why=why)

    def resume(self, job_id: str, *, who: str, why: str = "") -> Job | None:
        """Has a worker go on with a job that was cancelled or has failed."""
        return self._change(job_id, "resume", who=who, why=why)

    def set_rate(self, job_id: str, rate: float | None, *, who: str, why: str = "") -> Job | None:
        """From the next step on, so many letters a second; None for as fast as it goes.

        Raises:
            ValueError: the rate is not above 0.
        """
        return self._change(job_id, "rate", _rate(rate), who=who, why=why)

    def fail(self, job_id: str, error: str) -> Job | None:
        """Ends a job that cannot be done; it can be resumed once that was seen to."""
        return self._change(job_id, "fail", error)

    def stalled(self, most: int = 10) -> list[str]:
        """Jobs for a worker that nobody has run for a minute; whoever asks is to run them.

        A job whose own command is gone is ended as failed.
        """
        return [job_id.decode() for job_id in self._scripts.run("job_stalled", most)]

    def _change(
        self, job_id: str, what: str, value: str = "", *, who: str = "", why: str = ""
    ) -> Job | None:
        _, reply = self._scripts.run("job_change", job_id, what, value, who, why)
        return Job.parse(reply)

    def _next_ids(self, job: Job) -> "_Part":
        begin, size = int(job.cursor or 0), _step_of(job)
        key = self._keys(f"job:{job.id}:ids")
        ids = cast("list[bytes]", self._redis.lrange(key, begin, begin + size - 1))
        end = begin + len(ids)
        numbers = [number.decode() for number in ids]
        return _Part(numbers, str(end), len(ids), last=end >= job.named)

    def _next_letters(self, job: Job) -> "_Part":
        found = self._letters.slice(job.wanted, job.cursor, whole=False)
        size = _step_of(job)
        if len(found.letters) <= size:
            numbers: list[str] = [letter.id for letter in found.letters]
            return _Part(numbers, found.cursor, found.looked, last=not found.more)
        return _Part.of(found.letters[:size])


@dataclass(frozen=True, slots=True)
class _Part:
    """The letters of one step."""

    numbers: list[str]
    cursor: str
    looked: int
    last: bool

    @classmethod
    def of(cls, letters: Sequence[Letter]) -> Self:
        """Some of the letters of a slice, whose rest is looked at again by the next step."""
        numbers = [letter.id for letter in letters]
        return cls(list(numbers), Slice.place(letters[-1]), len(numbers), last=False)


def _step_of(job: Job) -> int:
    if job.rate is None:
        return _STEP
    return max(1, min(_STEP, int(job.rate / _STEPS_A_SECOND)))


def _rate(rate: float | None) -> str:
    if rate is not None and not rate > 0:
        raise ValueError(f"{rate:g} letters a second is no rate: leave it out, or give more than 0")
    return "" if rate is None else repr(float(rate))


def _until(wanted: LetterFilter, until: datetime) -> LetterFilter:
    return LetterFilter.from_json(wanted.to_json() | {"until": until.isoformat()})
