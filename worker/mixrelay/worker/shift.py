"""The RQ job: drains one list for some minutes, then hands over to the shift that waits."""

import logging
import os
from contextvars import ContextVar

from rq import get_current_job

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.shortage import is_shortage, shortage_words
from mixrelay.worker.base.retry import hurry
from mixrelay.worker.base.signals import Stop
from mixrelay.worker.drain.session import Draining, Setup
from mixrelay.worker.rq.link import RqLink

log = logging.getLogger(__name__)

PROCESS: ContextVar[Setup | None] = ContextVar("mixrelay_process", default=None)
"""What this horse's parent was started with; not set under a stock `rq worker`."""

PARENT: ContextVar[int | None] = ContextVar("mixrelay_parent", default=None)


def shift(list_name: str) -> dict[str, int]:
    """Drains the list; what RQ calls. Returns how many messages it took on.

    Raises:
        ConfigurationError: the job is for another list than this process's.
    """
    setup = PROCESS.get() or Setup.from_environment()
    if list_name != setup.settings.queue:
        raise ConfigurationError(
            f"A drain job for the list {list_name!r} came to a worker of {setup.settings.queue!r}; "
            "nothing was drained. Set MIXRELAY_QUEUE, or listen on that list's RQ queue."
        )
    job = get_current_job()
    if job is None or job.worker_name is None:
        raise ConfigurationError("A drain job runs as a job of RQ.")
    stop = Stop(PARENT.get())
    link = RqLink(setup, job_id=job.id, worker_name=job.worker_name)
    # A job that someone else put into RQ may have less time than our shifts take.
    limit = (job.timeout or setup.worker.job_timeout) - setup.worker.grace
    seconds = max(1.0, min(setup.worker.shift, limit))
    done = drain(setup, worker_name=job.worker_name, link=link, seconds=seconds, stop=stop)
    if stop.requested:
        # RQ notes the end on it, and what hangs must not outlast the grace.
        hurry(job.connection)
    return done


def drain(
    setup: Setup, *, worker_name: str, link: RqLink | None, seconds: float, stop: Stop | None = None
) -> dict[str, int]:
    """Drains that long, with or without RQ."""
    stop = stop or Stop(PARENT.get())
    stop.install(grace=setup.worker.grace)
    draining = Draining(
        setup,
        owner=owner_of(worker_name, os.getpid()),
        stop=stop,
        is_wanted_elsewhere=lambda: link is not None and link.is_wanted_elsewhere,
    )
    if link:
        _watch(link, stop, draining)
    log.info("shift_started: %s", setup.settings.queue)
    try:
        draining.run(seconds)
    finally:
        if link:
            link.end()
    count = {"records": draining.messages}
    log.info("shift_ended: %d messages", draining.messages, extra=count)
    return {"messages": draining.messages}


def _watch(link: RqLink, stop: Stop, draining: Draining) -> None:
    """Without a thread to spare RQ is not watched: whoever is idle sees to the next drain job."""
    try:
        link.start(stop, lambda: draining.messages)
    except (MemoryError, RuntimeError) as error:
        if not is_shortage(error):
            raise
        log.warning("worker_short: no %s to watch RQ with", shortage_words(error))


def owner_of(worker_name: str, horse_pid: int) -> str:
    """Names a horse in its leases, so that its parent can end them."""
    return f"{worker_name}.{horse_pid}"
