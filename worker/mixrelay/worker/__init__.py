"""The RQ side: Worker and Job classes, shifts, delivery, jobs."""

from mixrelay.worker.rq_job import Job
from mixrelay.worker.rq_worker import Worker
from mixrelay.worker.settings import WorkerSettings

__all__ = ["Job", "Worker", "WorkerSettings"]
