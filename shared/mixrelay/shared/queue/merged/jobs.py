"""Bulk jobs: replay or discard of many letters, in whichever partitions they lie.

A job has the same id in each partition that has letters for it. Its parts are done one after the
other, so that its rate holds for the whole.
"""

import secrets
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from mixrelay.shared.connection import node_of
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue.base.ids import check_id
from mixrelay.shared.queue.jobs.job import Job, JobKind, Step
from mixrelay.shared.queue.jobs.jobs import rate_text
from mixrelay.shared.queue.letters.letter import LetterFilter
from mixrelay.shared.queue.letters.planning import Plan, count_on, plan
from mixrelay.shared.queue.merged.letters import MergedLetters
from mixrelay.shared.queue.messages.batch import Number, partition_of
from mixrelay.shared.queue.partitions.partition import Partition
from mixrelay.shared.queue.partitions.partitions import Partitions

IDS_AT_MOST = 5_000
"""Letters that a job may name one by one."""
_HEARD_SECONDS = 5.0
"""A part counts as left behind when nobody was heard of for 10 s."""


def new_job_id() -> str:
    """An id for a job: random, and short enough to be typed."""
    return secrets.token_hex(5)


class MergedJobs:
    """The bulk jobs of one queue.

    Those that are over are kept for 30 days, and of them the newest 1,000 of each partition; what
    had to go is counted in `totals.jobs_forgotten`.
    """

    def __init__(self, partitions: Partitions, letters: MergedLetters) -> None:
        self._partitions = partitions
        self._letters = letters
        self._heard: tuple[str, float] = ("", 0.0)
        """Of which job all parts know that it is run, and until when that will do."""

    def plan(self, wanted: LetterFilter) -> Plan:
        """How many letters a job with this filter takes, were it begun now.

        Indexed filters are counted at once; of others the first 5,000 letters are looked at,
        and `count_on` goes on. A job that is started with the plan's filter takes the same.
        """
        # By the clock that is furthest: each part of a job ends at the time of its own node.
        now = max(map(_now, self._partitions)) + timedelta(milliseconds=1)
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
        forgets: bool = False,
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
            forgets: what it discards does not go into the trash, and cannot be restored.

        Raises:
            ValueError: too many letters are named, a rate is not above 0, or the id is none.
            redis.RedisError: a node is away; what was noted on others may be run. Ask again with
                the same id.
        """
        check_id(job_id, "a job's id")
        rate_text(rate)
        parts = [
            self._partitions[index].jobs.start(
                kind,
                meant,
                job_id=job_id,
                who=who,
                why=why,
                rate=rate,
                planned=planned,
                background=background,
                is_first=place == 0,
                forgets=forgets,
            )
            for place, (index, meant) in enumerate(self._shares(wanted))
        ]
        return Job.together(parts)

    def get(self, job_id: str) -> Job | None:
        """The job as it stands; None where there is none (any more).

        Raises:
            ConfigurationError: a newer mixrelay made it, with a filter unknown here.
        """
        if ":" in job_id:  # it would name another key of a job's
            return None
        return _together(one.jobs.get(job_id) for one in self._partitions)

    def newest(self, limit: int = 50) -> list[Job]:
        """Jobs, the newest first; those that only a newer mixrelay can read are left out."""
        known = sorted(pair for one in self._partitions for pair in one.jobs.newest(limit))
        found = []
        for job_id in list(dict.fromkeys(job_id for _, job_id in reversed(known)))[:limit]:
            with suppress(ConfigurationError):
                found.append(self.get(job_id))
        return [job for job in found if job is not None]

    def step(self, job: Job) -> Step:
        """Moves the next letters of a job; who runs it repeats this until the step is over.

        After a lost reply it may be repeated with the same job, and it may be run by several at
        once: only one of equal steps is carried out.
        """
        job = self._hear(job)
        part = job.turn
        if wait := self._owed(job, part):
            return Step(job, wait)
        taken = self._partitions[part.partition].jobs.step(part)
        return Step(job.having(taken.job) if taken.job else None, taken.wait_seconds)

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
        return self._change(job_id, "rate", rate_text(rate), who=who, why=why)

    def fail(self, job_id: str, error: str) -> Job | None:
        """Ends a job that cannot be done; it can be resumed once that was seen to."""
        return self._change(job_id, "fail", error)

    def heard(self, job_id: str) -> None:
        """Note that whoever prepares a job is still there; asked for every few seconds."""
        self._change(job_id, "heard")

    def hand_over(self, job_id: str) -> Job | None:
        """Have workers run a job from now on."""
        return self._change(job_id, "hand_over")

    def letters_of(self, job: Job, page: int = 200) -> Iterator[list[Number]]:
        """The letters that a job names, page by page."""
        for part in job.each:
            for first in range(0, part.named, page):
                yield self._partitions[part.partition].jobs.ids(job.id, first, page)

    def leave(self, job_id: str) -> Job | None:
        """Gives up running a job that is not over: whoever looks next finds it at once."""
        return self._change(job_id, "leave")

    def stalled(self, most: int = 10) -> list[str]:
        """Jobs for a worker that are new, or that nobody has run for 10 s; whoever asks runs them.

        A job whose own command is gone is ended as failed. Of one thread.
        """
        answers = self._partitions.each("stalled", lambda one: one.jobs.stalled(most))
        return list(dict.fromkeys(job_id for _, found in answers for job_id in found))

    def _shares(
        self, wanted: LetterFilter | Sequence[Number]
    ) -> list[tuple[int, LetterFilter | list[Number]]]:
        """Which partition has what of a job."""
        if isinstance(wanted, LetterFilter):
            return [(one.index, wanted) for one in self._partitions]
        if not 0 < len(wanted) <= IDS_AT_MOST:
            raise ValueError(f"a job names 1 to {IDS_AT_MOST:,} letters: choose by a filter")
        named: dict[int, list[Number]] = defaultdict(list)
        for number in wanted:
            index = partition_of(number)
            # What no partition can have is looked for in the first, and is told as missing.
            named[index if index < len(self._partitions) else 0].append(number)
        return [(index, named[index]) for index in sorted(named)]

    def _hear(self, job: Job) -> Job:
        """Tells its parts that they are not forgotten, those too that wait for the ones before."""
        job_id, until = self._heard
        if len(job.each) == 1 or (job_id == job.id and time.monotonic() < until):
            return job
        for one in [one for one in job.each if not one.state.is_over]:
            _, heard = self._partitions[one.partition].jobs.change(job.id, "heard")
            job = job.having(heard or one)
        self._heard = job.id, time.monotonic() + _HEARD_SECONDS
        return job

    def _owed(self, job: Job, part: Job) -> float:
        """Seconds for which the parts before have used up the rate, where this one begins."""
        if part.rate is None or part.started:
            return 0.0
        before = [one for one in job.each if one.partition < part.partition]
        return max((self._owed_by(one) for one in before), default=0.0)

    def _owed_by(self, part: Job) -> float:
        """Asks its own partition for the time: each has a clock of its own."""
        return max(0.0, part.next_at / 1000 - self._partitions[part.partition].clock.seconds())

    def _change(
        self, job_id: str, what: str, value: str = "", *, who: str = "", why: str = ""
    ) -> Job | None:
        if ":" in job_id:
            return None
        parts, is_told = [], False
        # The part in turn last: who finds it cancelled, finds those to come cancelled too.
        for one in reversed(self._partitions):
            changed, part = one.jobs.change(job_id, what, value, who=who, why=why, is_told=is_told)
            is_told |= changed
            parts.append(part)
        return _together(reversed(parts))


def _now(partition: Partition) -> datetime:
    """Its node's time, or that of its newest letter: the node's may have been set back since."""
    seconds, micros = node_of(partition.redis, partition.name).time()
    now = datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=micros // 1000)
    newest = partition.letters.newest_burial()
    return max(now, newest) if newest else now


def _together(parts: Iterable[Job | None]) -> Job | None:
    found = [part for part in parts if part is not None]
    return Job.together(found) if found else None


def _until(wanted: LetterFilter, until: datetime) -> LetterFilter:
    return LetterFilter.from_json(wanted.to_json() | {"until": until.isoformat()})
