"""Our RQ worker's own ways: how it is registered, how it paces itself, how its horse is told."""

import os
import signal
import time

import pytest
from redis import Redis
from redis.exceptions import TimeoutError as RedisTimeoutError
from rq import Queue as RqQueue
from rq.job import JobStatus
from rq.serializers import JSONSerializer
from rq.worker import Worker as RqWorker

from mixrelay.shared.settings import Settings
from mixrelay.worker import Worker
from mixrelay.worker.drain.session import Setup
from tests.support.processes import finished
from tests.support.works import QUICK, STOCK, Works, event, wait_until


@pytest.fixture
def rq_queue(redis: Redis) -> RqQueue:
    return RqQueue("mixrelay", connection=redis, serializer=JSONSerializer)


@pytest.fixture
def worker(redis_url: str) -> Worker:
    return Worker(setup=Setup(Settings(redis_url=redis_url, token="t"), QUICK))


def test_a_worker_is_registered_again_when_rqs_node_was_emptied(works: Works, redis: Redis) -> None:
    works.start(MIXRELAY_SHIFT="1")
    wait_until(lambda: redis.smembers("rq:workers"), "a registered worker")
    redis.flushall()
    wait_until(lambda: redis.smembers("rq:workers"), "the same, registered again")
    (key,) = redis.smembers("rq:workers")
    wait_until(lambda: redis.hget(key, "birth"), "what RQ tells of it")
    assert redis.smembers("rq:workers:mixrelay") == {key}
    assert redis.ttl(key) > 0


def test_a_worker_is_registered_again_though_only_its_place_is_missing(
    works: Works, redis: Redis
) -> None:
    works.start(MIXRELAY_SHIFT="1")
    wait_until(lambda: redis.smembers("rq:workers"), "a registered worker")
    redis.delete("rq:workers")
    wait_until(lambda: redis.smembers("rq:workers"), "the same, registered again")


def test_a_birth_whose_reply_was_lost_does_not_bar_its_repetition(
    worker: Worker, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    births = []
    register = RqWorker.register_birth

    def lose_the_first_reply(self: RqWorker) -> None:
        register(self)
        births.append(self.name)
        if len(births) == 1:
            raise RedisTimeoutError("no reply")

    monkeypatch.setattr(RqWorker, "register_birth", lose_the_first_reply)
    worker.bootstrap("WARNING")
    worker.teardown()
    assert len(set(births)) == 2


def test_a_horse_forked_after_the_signal_hears_of_it(worker: Worker) -> None:
    def listen() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        time.sleep(20)

    worker._stop_requested = True
    worker.fork_horse(listen)
    _, status, _ = worker.wait_for_horse()
    assert status is not None
    assert os.WIFSIGNALED(status)
    assert os.WTERMSIG(status) == signal.SIGTERM


def test_a_parent_knows_all_partitions_though_nobody_can_be_asked(redis_url: str) -> None:
    """Else a dead horse's leases on the others would not be ended without the first one's node."""
    settings = Settings(redis_url=redis_url, token="t", partitions=3)
    assert len(Worker(setup=Setup(settings, QUICK)).messages_queue.lists) == 3


def test_jobs_that_end_at_once_do_not_make_it_spin(works: Works, rq_queue: RqQueue) -> None:
    jobs = [rq_queue.enqueue("os.system", "true") for _ in range(6)]
    works.start()
    wait_until(lambda: jobs[-1].get_status() is JobStatus.FAILED, "the last job's end")
    for job in jobs:
        job.refresh()
    # Half of 0.05 + 0.1 + ... + 0.8 s is the least that the five pauses take.
    assert (jobs[-1].ended_at - jobs[0].ended_at).total_seconds() > 0.77


def test_a_shift_ends_before_rq_would_end_it(works: Works, rq_queue: RqQueue) -> None:
    job = rq_queue.enqueue("mixrelay.worker.shift.shift", "mixpanel_queue", job_timeout=6)
    works.start(MIXRELAY_GRACE="4")
    wait_until(lambda: job.get_status() in (JobStatus.FINISHED, JobStatus.FAILED), "its end")
    assert job.get_status() is JobStatus.FINISHED


def test_stock_workers_alone_start_on_a_shift_put_in_by_rqs_command(works: Works) -> None:
    command = [STOCK[0], "enqueue", "-S", "json", "-q", "mixrelay", "--url", works.url]
    command += ["mixrelay.worker.shift.shift", "mixpanel_queue"]
    works.push(event("a"))
    works.start(stock=True)
    finished(command, check=True, capture_output=True, timeout=20)
    works.box.wait_for(lambda box: len(box.events) == 1)
