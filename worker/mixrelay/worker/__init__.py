"""The RQ side: Worker and Job classes, shifts, delivery, jobs."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mixrelay.worker.base.settings import WorkerSettings
    from mixrelay.worker.rq.job import Job
    from mixrelay.worker.rq.worker import Worker

__all__ = ["Job", "Worker", "WorkerSettings"]

_MODULES = {
    "Job": "mixrelay.worker.rq.job",
    "Worker": "mixrelay.worker.rq.worker",
    "WorkerSettings": "mixrelay.worker.base.settings",
}


def __getattr__(name: str) -> Any:
    """Load each with its first use: who reads a queue's name loads no RQ."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
