"""Says whether anybody will do a job that was left to the workers."""

from mixrelay.console import terminal
from mixrelay.console.status.fleet import workers
from mixrelay.console.status.rq_state import rq_state
from mixrelay.shared.queue import Job
from mixrelay.worker.rq.queue import queue_name
from mixrelay.worker.rq.suspension import HOW_TO_RESUME


def why_it_waits(rq_url: str, queue: str) -> str:
    """Why no worker begins a job of this list now; empty where one does.

    Args:
        rq_url: the node that keeps RQ's own keys.
        queue: the list's name.
    """
    seen = workers(rq_url, queue_name(queue))
    if seen is None:
        return "Whether a worker runs is unknown, since RQ's keys cannot be read."
    if not seen:
        return "No worker runs: the job waits until one does. Start one: mixrelay worker."
    if rq_state(rq_url, queue_name(queue), seen).suspended:
        return f"The workers are suspended: the job waits. Run {HOW_TO_RESUME}."
    return ""


def warn_if_it_waits(rq_url: str, queue: str, job: Job) -> None:
    """Warn on stderr where nobody does a job that is not over."""
    if not job.state.is_over and (why := why_it_waits(rq_url, queue)):
        terminal.warn(why)
