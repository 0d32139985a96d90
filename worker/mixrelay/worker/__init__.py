"""The RQ side: Worker and Job classes, shifts, delivery, jobs."""

from mixrelay.worker.base.settings import WorkerSettings
from mixrelay.worker.rq.job import Job
from mixrelay.worker.rq.worker import Worker

__all__ = ["Job", "Worker", "WorkerSettings"]
