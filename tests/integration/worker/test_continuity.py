"""An idle worker drains, whatever RQ's lists hold; what keeps it from that is said."""

import time
from collections.abc import Callable

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq import suspension
from rq.serializers import JSONSerializer

from mixrelay.shared.errors import ConfigurationError
from mixrelay.shared.queue import Job, JobKind, LetterFilter, new_id
from mixrelay.shared.settings import Settings
from mixrelay.worker import Job as RqJob
from mixrelay.worker import Worker
from mixrelay.worker.drain.session import Setup
from mixrelay.worker.rq.job import SHIFT
from mixrelay.worker.rq.queue import Shifts
from tests.integration.worker.test_bulk import bury, ended
from tests.support.patience import patient
from tests.support.works import QUICK, Running, Works, event, wait_until

FORMER_IDS = 1_024
"""As many drain jobs as version 0.4 had ids for."""
MOVED = "rq:queue:mixrelay:intermediate"


def drain_job_ids(redis: Redis, count: int) -> list[str]:
    prefix = Shifts(redis, "mixpanel_queue", job_timeout=60)._prefix
    return [f"{prefix}{n}" for n in range(count)]


def leave_behind(redis: Redis, ids: list[str]) -> None:
    """Drain jobs that died: some as RQ moved them, some as they ran, and all still known."""
    with redis.pipeline() as asked:
        for n, job_id in enumerate(ids):
            job = RqJob.create(SHIFT, args=("mixpanel_queue",), id=job_id, connection=redis)
            job.save(pipeline=asked)
            asked.zadd("rq:failed:mixrelay", {job_id: time.time() + 3_600})
            if n % 2:
                asked.rpush(MOVED, job_id)
            else:
                asked.zadd("rq:wip:mixrelay", {f"{job_id}:{n}": time.time() + 3_600})
        asked.execute()


def arrives(works: Works, user: str, seconds: float = 20) -> None:
    works.push(event(user))
    wait_until(lambda: user in works.users(), f"{user}'s event", seconds)


def test_more_deaths_than_ids_stop_nobody(works: Works, redis: Redis) -> None:
    leave_behind(redis, drain_job_ids(redis, FORMER_IDS))
    running = works.start()
    arrives(works, "a")
    wait_until(lambda: "rq_leftovers: RQ keeps 64 drain jobs" in running.log, "the log")
    assert "rq_starved" not in running.log, "RQ has ids enough"


def unreadable_ids(redis: Redis) -> None:
    redis.rpush(MOVED, b"\xff\xfe", b"no-such-job", b"garbage")
    redis.hset("rq:job:garbage", mapping={"created_at": "yesterday", "data": b"\xff"})
    redis.zadd("rq:wip:mixrelay", {b"\xff:\xfe": time.time() - 60, b"garbage:1": time.time() - 60})


def jobs_that_are_none(redis: Redis) -> None:
    redis.rpush("rq:queue:mixrelay", b"\xff\xfe", b"no-such-job", b"a-list")
    redis.rpush("rq:job:a-list", "x")


def a_queue_of_another_type(redis: Redis) -> None:
    redis.set("rq:queue:mixrelay", "x")


def registries_of_another_type(redis: Redis) -> None:
    for name in ("wip", "failed", "finished", "deferred"):
        redis.set(f"rq:{name}:mixrelay", "x")
    redis.set(MOVED, "x")


@pytest.mark.parametrize(
    "spoil",
    [unreadable_ids, jobs_that_are_none, a_queue_of_another_type, registries_of_another_type],
)
def test_whatever_rqs_lists_hold_messages_are_delivered(
    works: Works, redis: Redis, spoil: Callable[[Redis], None]
) -> None:
    spoil(redis)
    running = works.start()
    arrives(works, "a")
    assert running.process.poll() is None
    assert running.log.count("Traceback") < 20, running.log[-3_000:]


def test_what_nobody_can_read_is_taken_out_of_rqs_lists_and_said(
    works: Works, redis: Redis
) -> None:
    unreadable_ids(redis)
    running = works.start()
    wait_until(lambda: redis.llen(MOVED) == 0, "a clean intermediate list")
    wait_until(lambda: redis.zcard("rq:wip:mixrelay") <= 1, "a clean registry")
    wait_until(lambda: "bad_job: 2 entries of RQ's" in running.log, "the log")


def test_drain_jobs_that_were_lost_before_they_began_are_dropped(
    works: Works, redis: Redis
) -> None:
    ids = drain_job_ids(redis, 40)
    leave_behind(redis, ids)
    for job_id in ids:
        redis.set(f"{MOVED}:first_seen:{job_id}", time.time() - 120)
    left = set(map(RqJob.key_for, ids[1::2]))
    made = {key: redis.hget(key, "created_at") for key in left}
    running = works.start()
    wait_until(lambda: redis.llen(MOVED) == 0, "an empty intermediate list")
    wait_until(lambda: "rq_leftovers: 20 drain jobs were lost" in running.log, "the log")
    # An id may be a new job's by then.
    wait_until(
        lambda: not any(redis.hget(key, "created_at") == made[key] for key in left), "none left"
    )
    assert redis.exists(f"rq:job:{ids[0]}"), "RQ knows what became of it"


def test_other_jobs_of_rqs_never_keep_messages_waiting(works: Works, redis: Redis) -> None:
    """Each of these fails at once; after each there was a pause of up to five seconds."""
    queue = RqQueue("mixrelay", connection=redis, serializer=JSONSerializer)
    for _ in range(60):
        queue.enqueue("os.system", "true")
    works.start()
    for user in ("a", "b", "c"):
        arrives(works, user, 10)


def test_a_drain_job_is_found_behind_any_number_of_others(works: Works, redis: Redis) -> None:
    queue = RqQueue("mixrelay", connection=redis, serializer=JSONSerializer)
    for _ in range(70):
        queue.enqueue("os.system", "true")
    shifts = Shifts(redis, "mixpanel_queue", job_timeout=60)
    for _ in range(3):
        shifts.see_to_one_waiting()
    waiting = queue.get_job_ids()
    assert len(waiting) == 71, "one was put in, not one for each look"
    assert waiting[0].startswith("mixrelay-shift-")
    works.start()
    arrives(works, "a")


def test_small_bulk_jobs_stop_no_delivery(works: Works) -> None:
    bury(works.queue, *[event(f"dead{n}") for n in range(20)])
    works.start(MIXRELAY_LINGER="0")
    arrives(works, "first")
    jobs = [
        works.queue.jobs.start(
            JobKind.DISCARD, LetterFilter(distinct_id=f"dead{n}"), job_id=new_id(), who="ann"
        )
        for n in range(20)
    ]
    seen, last, longest, pushed = 1, time.monotonic(), 0.0, 0
    ends = time.monotonic() + patient(60)

    def are_over() -> bool:
        found = [works.queue.jobs.get(job.id) for job in jobs]
        return all(one and one.state.is_over for one in found)

    while not are_over() and time.monotonic() < ends:
        works.push(event(f"live{pushed}"))
        pushed += 1
        time.sleep(0.05)
        if len(works.box.events) != seen:
            seen, last = len(works.box.events), time.monotonic()
        longest = max(longest, time.monotonic() - last)
    print(f"20 jobs, {pushed} messages: the longest stall {longest:.2f} s")
    assert are_over()
    assert longest < 8


def test_a_rate_that_an_older_version_noted_ends_no_drain_job(works: Works, redis: Redis) -> None:
    bury(works.queue, event("a"), event("b"))
    job = works.queue.jobs.start(
        JobKind.DISCARD, LetterFilter(reason="rejected"), job_id=new_id(), who="ann", rate=5
    )
    redis.hset(f"{{mixpanel_queue}}:job:{job.id}", "rate", "inf")
    running = works.start()
    arrives(works, "live")
    over: Job = ended(works, job.id)
    assert over.state.is_over
    assert "OverflowError" not in running.log


@pytest.fixture
def suspended(works: Works, redis: Redis) -> Running:
    """A worker that was stopped by `rq suspend` while it drained."""
    running = works.start(MIXRELAY_SHIFT="60")
    arrives(works, "before")
    suspension.suspend(redis)
    wait_until(lambda: "suspended: rq suspend stopped" in running.log, "the log")
    return running


def test_rq_suspend_stops_a_worker_until_rq_resume_and_it_says_so(
    works: Works, redis: Redis, suspended: Running
) -> None:
    (key,) = redis.smembers("rq:workers")
    wait_until(lambda: redis.hget(key, "state") == b"suspended", "the state in RQ")
    works.push(event("meanwhile"))
    time.sleep(2)
    assert works.users() == ["before"]
    suspension.resume(redis)
    wait_until(lambda: "meanwhile" in works.users(), "the event after rq resume")
    assert suspended.log.count("suspended: ") == 1, "said once a minute, not each second"
    assert "resumed: rq resume let the workers go on" in suspended.log


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_burst_of_suspended_workers_ends_with_words(
    works: Works, redis: Redis, processes: str
) -> None:
    suspension.suspend(redis)
    works.push(event("a"))
    running = works.start("--burst", MIXRELAY_PROCESSES=processes)
    assert running.exit_code() == 1
    assert "burst_ended: RQ's workers are suspended (rq suspend): 1 messages wait" in running.log
    assert works.books.waiting == 1


def test_a_burst_with_nothing_to_do_ends_well_though_workers_are_suspended(
    works: Works, redis: Redis
) -> None:
    suspension.suspend(redis)
    assert works.start("--burst").exit_code() == 0


def test_a_connection_that_reads_ids_as_text_is_refused(redis_url: str) -> None:
    """As `rq worker -w mixrelay.worker.Worker --url ...?decode_responses=true` gives it."""
    setup = Setup(Settings(redis_url=redis_url, token="t"), QUICK)
    with (
        Redis.from_url(redis_url, decode_responses=True) as decoding,
        pytest.raises(ConfigurationError, match="decode_responses"),
    ):
        Worker(setup=setup, connection=decoding)
