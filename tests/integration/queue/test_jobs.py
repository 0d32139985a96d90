"""Bulk jobs: each letter is moved once, whatever dies or presses buttons meanwhile."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Job, JobKind, JobState, LetterFilter, Queue, new_id
from tests.support.bench import Bench, event
from tests.support.patience import joined


def buried(bench: Bench, count: int, **verdict: object) -> None:
    for first in range(0, count, 500):
        bench.route(*(event(f"e{n % 10}") for n in range(first, min(first + 500, count))))
        bench.bury(bench.take(), **verdict)


def started(bench: Bench, wanted: object, kind: JobKind = JobKind.DISCARD, **told: object) -> Job:
    settings = {"job_id": new_id(), "who": "ann@here", "why": "a test"} | told
    return bench.queue.jobs.start(kind, wanted, **settings)  # type: ignore[arg-type]


def run(queue: Queue, job: Job) -> Job:
    while not job.state.is_over:
        step = queue.jobs.step(job)
        assert step.job is not None
        job = step.job
    return job


def audited(bench: Bench, job: Job) -> int:
    entries = bench.queue.audit.newest(1_000)
    return sum(entry.count for entry in entries if entry.job == job.id)


def test_a_plan_counts_what_the_job_takes(bench: Bench) -> None:
    buried(bench, 700)
    buried(bench, 30, reason="rejected")
    for wanted, count in (
        (LetterFilter(), 730),
        (LetterFilter(reason="rejected"), 30),
        (LetterFilter(reason="invalid", type="event", status=400), 700),
        (LetterFilter(event="e3"), 73),
        (LetterFilter(min_attempts=2), 0),
    ):
        plan = bench.queue.jobs.plan(wanted)
        assert (plan.count, plan.is_exact) == (count, True), wanted
    plan = bench.queue.jobs.plan(LetterFilter(event="e3"))
    job = run(bench.queue, started(bench, plan.wanted, planned=plan.count))
    assert (job.state, job.planned, job.moved, job.looked) == (JobState.DONE, 73, 73, 730)
    assert bench.totals("discarded") == [73]
    assert bench.queue.books().difference == 0


def test_a_plan_that_must_look_goes_on_from_its_cursor(bench: Bench) -> None:
    buried(bench, 5_600)
    plan = bench.queue.jobs.plan(LetterFilter(event="e3"))
    assert (plan.count, plan.is_exact, plan.looked, plan.out_of) == (500, False, 5_000, 5_600)
    plan = bench.queue.jobs.count_on(plan)
    assert (plan.count, plan.is_exact) == (560, True)


def test_letters_that_die_again_do_not_come_round_again(bench: Bench) -> None:
    buried(bench, 12)
    job = started(bench, LetterFilter(), JobKind.REPLAY, rate=8)
    seen = 0
    while not job.state.is_over:
        bench.redis.hset(bench.key(f"job:{job.id}"), "next_at", 0)
        step = bench.queue.jobs.step(job)
        assert step.job is not None
        job = step.job
        if job.moved > seen:
            bench.bury(bench.take())
            seen = job.moved
    assert (job.moved, bench.totals("replayed"), bench.queue.books().dead) == (12, [12], 12)


def test_a_letter_that_died_after_the_job_was_made_is_skipped(bench: Bench) -> None:
    buried(bench, 2)
    job = started(bench, ["0-1", "0-2", "0-9"], JobKind.REPLAY)
    bench.queue.replay(["0-2"])
    batch = bench.take()
    bench.redis.hset(bench.key(f"job:{job.id}"), "till", int(job.created.timestamp() * 1000))
    bench.bury(batch)
    bench.redis.hset(bench.key(f"job:{job.id}"), "till", bench.queue.books().now_ms)
    job = run(bench.queue, job)
    assert (job.moved, job.skipped) in ((1, 2), (2, 1))
    assert "0-9" in job.missing


def test_two_runners_of_one_job_move_each_letter_once(bench: Bench) -> None:
    buried(bench, 3_000)
    job = started(bench, LetterFilter())
    url = bench.redis.connection_pool.connection_kwargs

    def runner() -> None:
        with connect(f"redis://{url['host']}:{url['port']}") as client:
            run(Queue(client), job)

    runners = [threading.Thread(target=runner) for _ in range(3)]
    for one in runners:
        one.start()
    for one in runners:
        joined(one)
    ended = bench.queue.jobs.get(job.id)
    assert ended is not None
    assert (ended.moved, ended.skipped, bench.totals("discarded")) == (3_000, 0, [3_000])
    assert audited(bench, job) == 3_000


def test_a_replay_and_a_discard_of_the_same_letters_share_them(bench: Bench) -> None:
    buried(bench, 2_000)
    kinds = (JobKind.REPLAY, JobKind.DISCARD)
    jobs = [started(bench, LetterFilter(), kind) for kind in kinds]
    while not all(job.state.is_over for job in jobs):
        for index, job in enumerate(jobs):
            step = bench.queue.jobs.step(job)
            assert step.job is not None
            jobs[index] = step.job
    assert [job.moved + job.skipped for job in jobs] == [job.matched for job in jobs]
    assert sum(job.moved for job in jobs) == 2_000
    assert bench.totals("replayed", "discarded") == [job.moved for job in jobs]
    assert [audited(bench, job) for job in jobs] == [job.moved for job in jobs]
    assert bench.queue.books().difference == 0


def test_a_step_whose_reply_was_lost_is_not_carried_out_twice(bench: Bench) -> None:
    buried(bench, 700)
    job = started(bench, LetterFilter())
    first = bench.queue.jobs.step(job)
    again = bench.queue.jobs.step(job)
    assert first == again
    assert bench.totals("discarded") == [100]


def test_a_job_is_noted_once_under_its_id(bench: Bench) -> None:
    buried(bench, 3)
    job = run(bench.queue, started(bench, LetterFilter(), job_id="mine"))
    assert started(bench, LetterFilter(), job_id="mine") == job
    assert bench.queue.jobs.newest() == [job]


def test_a_cancelled_job_moves_nothing_more_and_can_be_resumed(bench: Bench) -> None:
    buried(bench, 1_200)
    job = started(bench, LetterFilter())
    bench.queue.jobs.step(job)
    cancelled = bench.queue.jobs.cancel(job.id, who="bob", why="stop")
    assert cancelled is not None
    assert bench.queue.jobs.step(cancelled).is_over
    assert bench.totals("discarded") == [100] == [audited(bench, job)]
    resumed = bench.queue.jobs.resume(job.id, who="bob")
    assert resumed is not None
    assert bench.queue.jobs.stalled() == [job.id]
    assert run(bench.queue, resumed).moved == 1_200
    trail = [(entry.what, entry.who) for entry in bench.queue.audit.newest() if entry.job == job.id]
    expected = [("discard", "ann@here"), ("resume", "bob"), ("cancel", "bob")]
    assert trail == [*expected, ("discard", "ann@here")]
    assert bench.queue.jobs.cancel(job.id, who="bob") == bench.queue.jobs.get(job.id)


def test_a_rate_is_kept_and_can_be_raised_while_the_job_runs(bench: Bench) -> None:
    buried(bench, 20)
    job = started(bench, LetterFilter(), rate=4)
    first = bench.queue.jobs.step(job)
    assert first.job is not None
    assert first.job.moved == 1
    waiting = bench.queue.jobs.step(first.job)
    assert waiting.job is not None
    assert 0 < waiting.wait_seconds <= 0.25
    assert waiting.job.moved == 1
    raised = bench.queue.jobs.set_rate(job.id, 80, who="ann")
    assert raised is not None
    assert bench.queue.jobs.step(raised).job.moved == 20  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="no rate"):
        bench.queue.jobs.set_rate(job.id, 0, who="ann")


def test_a_command_that_is_gone_fails_its_job_and_a_workers_job_is_offered_again(
    bench: Bench,
) -> None:
    buried(bench, 2)
    own = started(bench, LetterFilter(), background=False)
    handed = started(bench, LetterFilter())
    assert bench.queue.jobs.stalled() == [handed.id], "a new one is found at once"
    assert bench.queue.jobs.stalled() == []
    for job in (own, handed):
        bench.redis.zadd(bench.key("jobs:live"), {job.id: 1})
    assert bench.queue.jobs.stalled() == [handed.id]
    assert bench.queue.jobs.stalled() == []
    failed = bench.queue.jobs.get(own.id)
    assert failed is not None
    assert failed.state is JobState.FAILED
    assert "command" in failed.error


def test_a_job_that_its_runner_leaves_is_offered_at_once(bench: Bench) -> None:
    buried(bench, 2)
    job = started(bench, LetterFilter())
    jobs = bench.queue.jobs
    assert jobs.stalled() == [job.id], "a new one is found at once"
    assert jobs.stalled() == []
    jobs.leave(job.id)
    assert jobs.stalled() == [job.id]
    run(bench.queue, job)
    jobs.leave(job.id)
    assert jobs.stalled() == [], "what is over is nobody's to run"


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan"), 1e300, 1e-9])
def test_a_rate_that_is_none_starts_nothing_and_changes_nothing(bench: Bench, rate: float) -> None:
    buried(bench, 1)
    with pytest.raises(ValueError, match="no rate"):
        started(bench, LetterFilter(), rate=rate)
    job = started(bench, LetterFilter(), rate=2)
    with pytest.raises(ValueError, match="no rate"):
        bench.queue.jobs.set_rate(job.id, rate, who="ann")


def test_old_jobs_are_forgotten_and_counted_and_live_ones_are_not(bench: Bench) -> None:
    buried(bench, 2)
    over = run(bench.queue, started(bench, LetterFilter()))
    live = started(bench, LetterFilter())
    old = (datetime.now(UTC) - timedelta(days=31)).timestamp() * 1000
    for job in (over, live):
        bench.redis.zadd(bench.key("jobs"), {job.id: old})
    newest = started(bench, ["0-1"])
    assert [job.id for job in bench.queue.jobs.newest()] == [newest.id, live.id]
    assert bench.totals("jobs_forgotten") == [1]


def test_a_job_is_told_in_the_audit_with_all_that_was_asked(bench: Bench) -> None:
    buried(bench, 2)
    job = run(bench.queue, started(bench, LetterFilter(reason="invalid")))
    [entry] = bench.queue.audit.newest()
    assert (entry.what, entry.who, entry.why, entry.count, entry.job) == (
        "discard",
        "ann@here",
        "a test",
        2,
        job.id,
    )
    assert entry.wanted is not None
    assert entry.wanted.reason == "invalid"
    bench.route(event("a"))
    bench.bury(bench.take())
    bench.queue.replay(["0-3"], who="bob", why="mended")
    [newest, _] = bench.queue.audit.newest()
    assert (newest.what, newest.who, newest.why, newest.numbers) == (
        "replay",
        "bob",
        "mended",
        ("0-3",),
    )
    assert bench.queue.audit.newest(before=newest.id) == [entry]


def test_the_audit_is_bounded_and_counts_what_had_to_go(bench: Bench) -> None:
    buried(bench, 1)
    pipeline = bench.redis.pipeline(transaction=False)
    for _ in range(100_000):
        pipeline.xadd(bench.key("audit"), {"what": "old"})
    pipeline.execute()
    bench.queue.discard(["0-1"], who="ann")
    assert bench.redis.xlen(bench.key("audit")) == 100_000
    assert bench.totals("audit_trimmed") == [1]
    assert bench.queue.audit.newest(1)[0].what == "discard"
