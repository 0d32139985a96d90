"""What lies in Redis for a job is never unpickled, whatever the worker was told."""

import pickle
from pathlib import Path

import pytest
from redis import Redis
from rq.exceptions import DeserializationError
from rq.serializers import DefaultSerializer

from mixrelay.worker.rq.job import Job

UNUSED = Redis(port=1)


class Evil:
    """Makes a file as soon as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def test_a_job_is_json_whatever_its_worker_was_told(tmp_path: Path) -> None:
    mark = tmp_path / "run"
    job = Job("id", connection=UNUSED, serializer=DefaultSerializer)
    job.data = pickle.dumps(("os.system", None, (Evil(mark),), {}))
    with pytest.raises(DeserializationError):
        _ = job.func
    assert not mark.exists()
