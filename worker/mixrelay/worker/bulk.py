"""Bulk jobs as older versions put them into RQ. They are done by those who drain (`bulk_runner`).

A program of this version notes a job in Redis and puts nothing into RQ.
"""

import logging
from typing import Any

from rq import get_current_job

from mixrelay.shared.connection import connect
from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import JobKind, LetterFilter, Queue
from mixrelay.worker.drain.session import REDIS_TIMEOUT, Setup
from mixrelay.worker.shift import PROCESS

log = logging.getLogger(__name__)


def run(list_name: str, job_id: str) -> int:
    """Do nothing: the job has its record, and whoever drains finds it. What RQ calls."""
    _setup_of(list_name)
    log.info("bulk: job %s is done by those who drain", job_id, extra={"job": job_id})
    return 0


def replay(list_name: str, wanted: dict[str, Any]) -> int:
    """Note a replay that mixrelay 0.1 put into RQ as a job like the others."""
    return _adopt(list_name, JobKind.REPLAY, wanted)


def discard(list_name: str, wanted: dict[str, Any]) -> int:
    """Note a discard that mixrelay 0.1 put into RQ."""
    return _adopt(list_name, JobKind.DISCARD, wanted)


def _adopt(list_name: str, kind: JobKind, wanted: dict[str, Any]) -> int:
    setup = _setup_of(list_name)
    rq_job = get_current_job()
    if rq_job is None:
        raise ConfigurationError("Bulk work of mixrelay 0.1 runs as a job of RQ.")
    queue = Queue(
        connect(setup.settings.redis_url, timeout=REDIS_TIMEOUT),
        list_name,
        partitions=setup.settings.partitions,
    )
    queue.refresh()
    told = LetterFilter.from_json(wanted | rq_job.meta.get("place", {}))
    queue.jobs.start(kind, told, job_id=rq_job.id, who="mixrelay 0.1")
    return 0


def _setup_of(list_name: str) -> Setup:
    setup = PROCESS.get() or Setup.from_environment()
    if list_name != setup.settings.queue:
        raise ConfigurationError(
            f"A job for the list {list_name!r} came to a worker of {setup.settings.queue!r}; "
            "nothing was moved."
        )
    return setup
