"""A bulk job with a progress bar: run by the command itself, or watched while a worker runs it."""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import typer
from redis.exceptions import RedisError

from mixrelay.console import terminal
from mixrelay.console.dlq import outcomes
from mixrelay.console.dlq.operator import operator
from mixrelay.console.failures import CommandError
from mixrelay.console.text import count
from mixrelay.shared.queue import Job, JobState, Queue

_TICK_SECONDS = 1.0
"""Between looks at a job that waits for its rate or its worker: so soon a cancel is noticed."""


def run_here(queue: Queue, job: Job, *, doing: str, done: str) -> None:
    """Moves the letters of a job; when the command ends early, so does the job.

    Raises:
        CommandError: someone else cancelled it.
    """

    def step(job: Job) -> tuple[Job, float]:
        taken = queue.jobs.step(job)
        if taken.job is None:
            raise CommandError(f"The record of job {job.id} is gone.", "See mixrelay dlq jobs.")
        return taken.job, taken.wait_seconds

    seen = job
    try:
        for after in followed(job, step, doing):
            seen = after
    except BaseException:
        _give_up(queue, job)
        raise
    finally:
        # Also after Ctrl-C or a lost connection: what was moved, was moved.
        typer.echo(f"{done} {count(seen.moved, 'letter')}.")
    _demand_done(seen)
    if seen.under_way:
        terminal.say(f"What becomes of them: mixrelay dlq jobs {seen.id} --wait")


def watch(queue: Queue, job: Job, *, settles: bool = False) -> Job:
    """Shows the progress of a job that someone runs until it is over; returns it then.

    Args:
        queue: whose job it is.
        job: as it was seen last.
        settles: until what it re-queued is delivered, or failed again, too.
    """

    def look(job: Job) -> tuple[Job, float]:
        return queue.jobs.get(job.id) or job, _TICK_SECONDS

    try:
        for seen in followed(job, look, job.kind.capitalize()):
            job = seen
        while settles and not job.is_settled:
            time.sleep(_TICK_SECONDS)
            job, _ = look(job)
    except KeyboardInterrupt:
        terminal.say(
            f"Job {job.id} goes on without this command: {outcomes.words(job)}. "
            f"See it again: mixrelay dlq jobs {job.id}. End it: mixrelay dlq cancel {job.id}."
        )
        raise
    return job


def followed(job: Job, advance: Callable[[Job], tuple[Job, float]], doing: str) -> Iterator[Job]:
    """The job after each step, until it is over."""
    with terminal.progress() as bar:
        task = bar.add_task(doing, total=job.planned)
        while not job.state.is_over:
            job, wait = advance(job)
            bar.update(task, completed=job.moved + job.skipped)
            yield job
            if not job.state.is_over:
                time.sleep(min(wait, _TICK_SECONDS))


def _give_up(queue: Queue, job: Job) -> None:
    terminal.say(
        f"Job {job.id} is ended with this command. A worker goes on with it after: "
        f"mixrelay dlq resume {job.id}"
    )
    # Where Redis is away, the job is ended by those who drain, a minute later.
    with suppress(RedisError):
        queue.jobs.cancel(job.id, who=operator(), why="the command was ended")


def _demand_done(job: Job) -> None:
    if job.state is not JobState.DONE:
        because = f": {job.error}" if job.error else ""
        raise CommandError(
            f"Job {job.id} has {_ENDED[job.state]} before it was done{because}.",
            f"mixrelay dlq resume {job.id} has a worker go on with it.",
        )


_ENDED = {JobState.CANCELLED: "been cancelled", JobState.FAILED: "failed"}
