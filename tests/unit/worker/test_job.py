import pytest
from redis import Redis

from mixrelay.worker.rq.job import RUNNABLE, Job, RefusedJob

UNUSED = Redis(port=1)


@pytest.mark.parametrize("name", sorted(RUNNABLE))
def test_each_function_of_the_table_exists(name: str) -> None:
    job = Job.create(name, connection=UNUSED)
    assert f"{job.func.__module__}.{job.func.__qualname__}" == name


@pytest.mark.parametrize(
    "name",
    ["os.system", "mixrelay.worker.process.main.run", "mixrelay.worker.shift", "", "builtins.eval"],
)
def test_any_other_name_is_refused(name: str) -> None:
    job = Job(connection=UNUSED)
    job._func_name, job._instance, job._args, job._kwargs = name, None, (), {}
    with pytest.raises(RefusedJob):
        _ = job.func


def test_a_method_of_an_object_is_refused() -> None:
    job = Job(connection=UNUSED)
    name = min(RUNNABLE)
    job._func_name, job._instance, job._args, job._kwargs = name, {"a": "b"}, (), {}
    with pytest.raises(RefusedJob):
        _ = job.func
