"""Carries out a planned fix as a bulk job, and takes one back."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import typer

from mixrelay.console import terminal
from mixrelay.console.dlq import outcomes
from mixrelay.console.dlq.correcting import Corrector
from mixrelay.console.dlq.operator import operator
from mixrelay.console.dlq.running import followed
from mixrelay.console.dlq.survey import Planned, Survey, mark
from mixrelay.console.failures import CommandError
from mixrelay.console.text import count
from mixrelay.shared.queue import (
    Corrected,
    Correction,
    Job,
    JobKind,
    LetterFilter,
    Queue,
    new_job_id,
)
from mixrelay.shared.queue.letters.correcting import STAGE, UNDO

_HEARD_SECONDS = 5.0
"""So often a job is told that its command still prepares it."""


@dataclass
class Applying:
    """First all letters are corrected where they lie, then a job re-queues them."""

    queue: Queue
    corrector: Corrector
    wanted: LetterFilter
    why: str
    rate: float | None
    who: str = field(default_factory=operator)
    done: Corrected = field(init=False, default_factory=Corrected)
    job: Job = field(init=False)

    def __post_init__(self) -> None:
        self.job = self.queue.jobs.start(
            JobKind.FIX,
            self.wanted,
            job_id=new_job_id(),
            who=self.who,
            why=self.why or self.corrector.words,
            rate=self.rate,
            planned=0,
            background=False,
        )

    @property
    def skipped(self) -> int:
        return self.done.skipped + self.job.skipped

    def correct(self, survey: Survey) -> Iterator[int]:
        """Corrects some letters in each step, and yields how many it looked at for that.

        Those that changed meanwhile are left alone.
        """
        heard = time.monotonic()
        for some in survey.slices():
            corrections = self._corrections(some)
            self.done += Corrected(gone=len(some) - len(corrections))
            self.done += self.queue.corrections.apply(
                corrections,
                what=self.corrector.words,
                who=self.who,
                why=self.why,
                wanted=self.wanted,
                how=STAGE,
                job=self.job.id,
            )
            yield len(some)
            if time.monotonic() - heard >= _HEARD_SECONDS:
                heard = time.monotonic()
                self.queue.jobs.heard(self.job.id)

    def _corrections(self, some: list[Planned]) -> list[Correction]:
        """Of those that are still as they were looked at."""
        marks = {one.number: one.mark for one in some}
        found = []
        for letter in self.queue.letters.get_many([one.number for one in some]):
            payload = self.corrector.judge(letter).payload
            if payload is not None and mark(letter) == marks[letter.id]:
                found.append(Correction(letter, payload))
        return found

    def send(self, *, background: bool) -> None:
        """Re-queues them, or has a worker do it."""
        self.job = demand_job(self.queue, self.job.id)
        if background:
            self.job = self.queue.jobs.hand_over(self.job.id) or self.job
            return

        def step(job: Job) -> tuple[Job, float]:
            taken = self.queue.jobs.step(job)
            return taken.job or demand_job(self.queue, job.id), taken.wait_seconds

        for seen in followed(self.job, step, "Re-queueing"):
            self.job = seen


def demand_job(queue: Queue, job_id: str) -> Job:
    """The job.

    Raises:
        CommandError: there is none.
    """
    job = queue.jobs.get(job_id)
    if job is None:
        raise CommandError(
            f"There is no job {job_id}.", "See mixrelay dlq jobs; they are kept for 30 days."
        )
    return job


def undo(queue: Queue, job_id: str, *, why: str, as_json: bool) -> None:
    """Puts back what a fix has changed, in letters that are still there or there again.

    Raises:
        CommandError: there is no such job, or it corrected nothing.
    """
    job = demand_job(queue, job_id)
    if job.kind is not JobKind.FIX:
        raise CommandError(f"Job {job_id} is a {job.kind}: only a fix can be undone.")
    undone = 0
    with terminal.progress() as bar:
        task = bar.add_task("Undoing", total=job.named)
        for looked, moved in put_back(queue, job, who=operator(), why=why):
            undone += moved
            bar.update(task, advance=looked)
    _say_undone(demand_job(queue, job_id), undone, as_json=as_json)


def put_back(queue: Queue, job: Job, *, who: str, why: str) -> Iterator[tuple[int, int]]:
    """Ends a fix, and puts the messages back that its letters had before, some in each step.

    Yields how many letters it looked at, and how many of them have their message again. What was
    sent and did not fail again is none of them.
    """
    if not job.state.is_over:
        job = queue.jobs.cancel(job.id, who=who, why="undone") or job
    for numbers in queue.jobs.letters_of(job):
        corrections = [
            Correction(letter, letter.fixed.before)
            for letter in queue.letters.get_many(numbers)
            if letter.fixed is not None and letter.fixed.job == job.id
        ]
        done = queue.corrections.apply(
            corrections, what=f"undo fix {job.id}", who=who, why=why, how=UNDO, job=job.id
        )
        yield len(numbers), done.moved


def _say_undone(job: Job, undone: int, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(outcomes.to_json(job) | {"undone_now": undone}))
        return
    typer.echo(f"Undone: {count(undone, 'letter')} of {job.named:,} as before the fix.")
    if job.requeued:
        terminal.say(f"Of the job: {outcomes.words(job)}.")
    if job.under_way:
        terminal.say(
            "What is under way cannot be taken back; what fails again can, by the same command."
        )
