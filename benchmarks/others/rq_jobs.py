"""A job of RQ for each event. `python -m benchmarks.others.rq_jobs Worker|SimpleWorker` works."""

import os
import sys

import rq
from redis import Redis

from benchmarks.others.official import send

NAME = "bench"
_AT_ONCE = 500


def enqueue(records: list[str]) -> None:
    queue = rq.Queue(NAME, connection=Redis.from_url(os.environ["BENCH_REDIS_URL"]))
    # No result is kept: nobody asks for it.
    jobs = [rq.Queue.prepare_data(send, ("events", one), result_ttl=0) for one in records]
    for first in range(0, len(jobs), _AT_ONCE):
        queue.enqueue_many(jobs[first : first + _AT_ONCE])


def work(worker_class: str) -> None:
    """A worker that has imported what its jobs need before it forks, as RQ's manual advises."""
    redis = Redis.from_url(os.environ["BENCH_REDIS_URL"])
    getattr(rq, worker_class)([NAME], connection=redis).work(logging_level="ERROR")


if __name__ == "__main__":
    work(sys.argv[1])
