"""What RQ does with us: under its stock worker, with jobs that others wrote, beside bulk work."""

import pickle
import signal
from pathlib import Path

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq.job import Callback, JobStatus
from rq.job import Job as RqJob
from rq.serializers import JSONSerializer
from rq.webhook import Webhook

from mixrelay.shared.queue import JobKind, LetterFilter, new_id
from mixrelay.worker import Job
from mixrelay.worker.rq.queue import Shifts, queue_name
from tests.support.works import Works, event, wait_until


@pytest.fixture
def rq_queue(redis: Redis) -> RqQueue:
    return RqQueue("mixrelay", connection=redis, serializer=JSONSerializer)


def shifts(redis: Redis) -> Shifts:
    return Shifts(redis, "mixpanel_queue", job_timeout=120)


def test_a_stock_worker_drains_and_stops_at_sigterm_without_sending_twice(
    works: Works, redis: Redis
) -> None:
    works.push(*[event(f"u{n}") for n in range(300)])
    works.box.fault("latency", seconds=0.2)
    shifts(redis).see_to_one_waiting()
    running = works.start(stock=True, MIXRELAY_BATCH_RECORDS="10")
    works.box.wait_for(lambda box: len(box.requests) >= 4)
    running.kill(signal.SIGTERM)
    assert running.exit_code() == 0
    assert works.books.totals["redelivered"] == 0
    works.box.clear_faults()
    works.start("--burst").exit_code()
    assert sorted(works.users()) == sorted(f"u{n}" for n in range(300))
    assert works.box.duplicates == []


def test_a_shift_sees_to_it_that_one_more_waits(works: Works, redis: Redis) -> None:
    works.start()
    wait_until(lambda: len(shifts(redis).queue.get_job_ids()) == 1, "a waiting shift")
    works.push(event("a"))
    works.box.wait_for(lambda box: len(box.events) == 1)
    assert len(shifts(redis).queue.get_job_ids()) == 1


def test_shifts_follow_each_other(works: Works) -> None:
    running = works.start(MIXRELAY_SHIFT="1")
    first = running.horse()
    wait_until(lambda: running.log.count("shift_started") >= 3, "a third shift")
    works.push(event("a"))
    works.box.wait_for(lambda box: len(box.events) == 1)
    assert running.horse() != first


def test_many_asking_at_once_leave_one_shift_waiting(redis: Redis) -> None:
    for _ in range(5):
        shifts(redis).see_to_one_waiting()
    assert len(shifts(redis).queue.get_job_ids()) == 1


def test_shifts_that_rq_lost_do_not_bar_the_next(redis: Redis) -> None:
    for _ in range(70):
        shifts(redis).see_to_one_waiting()
        redis.delete("rq:queue:mixrelay")
    shifts(redis).see_to_one_waiting()
    assert len(shifts(redis).queue.get_job_ids()) == 1


def test_a_shift_reports_its_progress(works: Works, redis: Redis) -> None:
    works.push(event("a"))
    running = works.start()
    works.box.wait_for(lambda box: len(box.events) == 1)
    ids = shifts(redis).queue.started_job_registry.get_job_ids

    def progress() -> int:
        jobs = [Job.fetch(one, connection=redis) for one in ids()]
        return sum(job.get_meta().get("messages", 0) for job in jobs)

    wait_until(lambda: progress() == 1, "progress in the job's meta")
    running.kill(signal.SIGTERM)
    assert running.exit_code() == 0


@pytest.mark.parametrize("stock", [True, False])
def test_a_job_for_another_function_is_refused(
    works: Works, rq_queue: RqQueue, tmp_path: Path, stock: bool
) -> None:
    target = tmp_path / "pwned"
    job = rq_queue.enqueue("os.system", f"touch {target}")
    works.start(stock=stock)
    wait_until(lambda: job.get_status() is JobStatus.FAILED, "a failed job")
    assert not target.exists()
    assert "not one of mixrelay's jobs" in (job.latest_result().exc_string or "")


def test_a_pickled_job_is_never_unpickled(works: Works, redis: Redis, tmp_path: Path) -> None:
    target = tmp_path / "pwned"

    class Payload:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            import os  # noqa: PLC0415 - as an attacker's pickle would

            return os.system, (f"touch {target}",)

    job = RqJob.create("x", connection=redis)
    job._data = pickle.dumps(("x", None, (Payload(),), {}))
    RqQueue("mixrelay", connection=redis).enqueue_job(job)
    works.push(event("a"))
    works.start()
    wait_until(lambda: job.get_status() is JobStatus.FAILED, "a failed job")
    works.box.wait_for(lambda box: len(box.events) == 1)
    assert not target.exists()


def test_callbacks_and_webhooks_are_never_run(
    works: Works, rq_queue: RqQueue, tmp_path: Path
) -> None:
    callback = Callback("subprocess.call")
    jobs = [
        rq_queue.enqueue(
            "mixrelay.worker.shift.shift",
            "mixpanel_queue",
            on_success=callback,
            on_failure=callback,
        ),
        rq_queue.enqueue(
            "mixrelay.worker.shift.shift",
            "mixpanel_queue",
            webhooks=[Webhook(f"{works.box.url}/track", "failed")],
        ),
    ]
    works.start()
    for job in jobs:
        wait_until(lambda job=job: job.get_status() is JobStatus.FAILED, "a failed job")
        assert "callbacks or webhooks" in (job.latest_result().exc_string or "")
    assert works.box.requests == []


def test_a_shift_for_another_list_is_refused(works: Works, rq_queue: RqQueue) -> None:
    job = rq_queue.enqueue("mixrelay.worker.shift.shift", "another_list")
    works.start()
    wait_until(lambda: job.get_status() is JobStatus.FAILED, "a failed job")
    assert "another_list" in (job.latest_result().exc_string or "")


def test_each_list_has_an_rq_queue_of_its_own() -> None:
    assert queue_name("mixpanel_queue") == "mixrelay"
    assert queue_name("other") == "mixrelay:other"


def test_no_secret_is_in_what_rq_keeps(works: Works, redis: Redis) -> None:
    works.push(event("a"))
    works.start()
    works.box.wait_for(lambda box: len(box.events) == 1)
    for key in redis.scan_iter("rq:*"):
        assert b"token-of-ours" not in (redis.dump(key) or b"")


def started(works: Works, kind: JobKind) -> None:
    wanted = LetterFilter(reason="too_large")
    works.queue.jobs.start(kind, wanted, job_id=new_id(), who="ann")


def test_bulk_work_is_done_while_a_shift_drains(works: Works) -> None:
    works.push(*[event(f"u{n}") for n in range(20)])
    works.box.fault("status", status=413)
    works.drain()
    works.box.clear_faults()
    running = works.start(MIXRELAY_SHIFT="300")
    wait_until(lambda: "shift_started" in running.log, "a shift")
    started(works, JobKind.REPLAY)
    wait_until(lambda: len(works.users()) == 20, "the replayed events")
    assert "shift_ended" not in running.log


def test_our_worker_runs_under_rqs_own_command(works: Works) -> None:
    works.push(event("a"))
    running = works.start("-w", "mixrelay.worker.Worker", stock=True)
    works.box.wait_for(lambda box: len(box.events) == 1)
    running.kill(signal.SIGTERM)
    assert running.exit_code() == 0


@pytest.mark.parametrize("kind", [JobKind.REPLAY, JobKind.DISCARD])
def test_bulk_work_is_done_by_a_worker_in_the_background(works: Works, kind: JobKind) -> None:
    works.push(*[event(f"u{n}") for n in range(20)])
    works.box.fault("status", status=413)
    works.drain()
    assert works.books.dead == 20
    works.box.clear_faults()
    started(works, kind)
    works.start()
    wait_until(lambda: works.books.dead == 0, "no letters")
    works.wait_until_all_is_settled()
    assert len(works.users()) == (20 if kind is JobKind.REPLAY else 0)
