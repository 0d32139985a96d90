"""A bulk job over three partitions is one job: its counts, its rate, its end."""

import random
import time

import pytest

from mixrelay.shared.queue import Job, JobKind, JobState, LetterFilter, Number, Queue, new_job_id
from tests.support.bench import event
from tests.support.partitions import Partitioned

ALL = LetterFilter()


def started(three: Partitioned, wanted: LetterFilter | list[Number], **settings: object) -> Job:
    settings = {"job_id": new_job_id(), "who": "ann", "why": "tidy"} | settings
    return three.queue.jobs.start(JobKind.DISCARD, wanted, **settings)  # type: ignore[arg-type]


def ended(queue: Queue, job: Job) -> Job:
    while not job.state.is_over:
        step = queue.jobs.step(job)
        assert step.job is not None
        job = step.job
        time.sleep(step.wait_seconds)
    return job


def told(queue: Queue, job: Job) -> list[tuple[str, int]]:
    return [(one.what, one.count) for one in queue.audit.newest(1_000) if one.job == job.id]


def test_a_job_by_a_filter_takes_the_letters_of_all(three: Partitioned) -> None:
    three.bury_some(random.Random(4))
    before = three.letters()
    wanted = three.queue.jobs.plan(LetterFilter(event="a")).wanted
    meant = {letter.id for letter in before if wanted.matches(letter)}
    job = started(three, wanted, planned=len(meant))
    assert (job.state, job.planned, job.named) == (JobState.QUEUED, len(meant), 0)
    late = event("a")
    three.bury(1, late)

    done = ended(three.queue, job)
    assert (done.state, done.moved, done.matched, done.skipped) == (
        JobState.DONE,
        len(meant),
        len(meant),
        0,
    )
    assert done.looked == len(before)
    assert done.started
    assert done.finished
    assert three.queue.jobs.get(job.id) == done
    assert {one.id for one in three.letters()} - {one.id for one in before} != set()
    assert not meant & {one.id for one in three.letters()}
    assert sum(count for _, count in told(three.queue, job)) == len(meant)
    books = three.queue.books()
    assert (books.difference, books.totals["discarded"]) == (0, len(meant))


def test_a_job_by_numbers_takes_each_where_it_lies_and_tells_what_is_missing(
    three: Partitioned,
) -> None:
    three.bury_some(random.Random(9))
    numbers = [letter.id for letter in three.letters()]
    chosen = random.Random(9).sample(numbers, 20)
    missing = [Number("1-9999"), Number("7-1")]
    job = started(three, [*chosen, *missing])
    assert job.named == 22
    done = ended(three.queue, job)
    assert (done.state, done.moved, done.skipped) == (JobState.DONE, 20, 2)
    assert set(done.missing) == set(missing)
    assert {one.id for one in three.letters()} == set(numbers) - set(chosen)


def test_a_job_whose_letters_lie_in_one_partition_is_noted_there_alone(three: Partitioned) -> None:
    three.bury(2, event("a"), event("b"))
    job = started(three, [letter.id for letter in three.letters()])
    noted = [three.redis.exists(three.key(index, f"job:{job.id}")) for index in range(3)]
    assert noted == [0, 0, 1]
    assert ended(three.queue, job).moved == 2
    assert three.queue.letters.groups() == []


def test_a_start_repeated_and_a_step_repeated_do_nothing_twice(three: Partitioned) -> None:
    for index in range(3):
        three.bury(index, *[event("a")] * 30)
    job = started(three, ALL, job_id="job")
    assert started(three, ALL, job_id="job") == job
    assert three.queue.jobs.newest() == [job]
    moved = 0
    while not job.state.is_over:
        step = three.queue.jobs.step(job).job
        again = three.queue.jobs.step(job).job
        assert step is not None
        assert again is not None
        assert again.moved == step.moved
        job, moved = step, step.moved
    assert moved == 90
    assert started(three, ALL, job_id="job") == three.queue.jobs.get("job")


def test_a_start_that_reached_only_some_partitions_is_completed_by_asking_again(
    three: Partitioned,
) -> None:
    three.bury(0, event("a"))
    three.bury(2, event("a"))
    Queue(three.redis).jobs.start(JobKind.DISCARD, ALL, job_id="job", who="ann")
    assert ended(three.queue, started(three, ALL, job_id="job")).moved == 2


def test_many_runners_do_one_job(three: Partitioned) -> None:
    rng = random.Random(6)
    for index in range(3):
        three.bury(index, *[event("a")] * 800)
    job = started(three, ALL)
    views = [job] * 4
    while not all(view.state.is_over for view in views):
        place = rng.randrange(4)
        view = three.queue.jobs.step(views[place]).job
        assert view is not None
        views[place] = view
    done = three.queue.jobs.get(job.id)
    assert done is not None
    assert (done.state, done.moved, done.skipped) == (JobState.DONE, 2_400, 0)
    assert sum(count for _, count in told(three.queue, job)) == 2_400


def test_cancel_and_resume_mean_the_whole_job_and_are_told_once(three: Partitioned) -> None:
    for index in range(3):
        three.bury(index, *[event("a")] * 600)
    job = started(three, ALL)
    while job.moved <= 600:  # until the second part has begun
        job = three.queue.jobs.step(job).job  # type: ignore[assignment]
    moved = job.moved
    assert job.state is JobState.RUNNING
    assert moved < 1_200
    cancelled = three.queue.jobs.cancel(job.id, who="bob", why="stop")
    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED
    assert cancelled.finished is not None
    seen = ended(three.queue, job)
    assert (seen.state, seen.moved) == (JobState.CANCELLED, moved)
    assert three.queue.jobs.stalled() == []

    resumed = three.queue.jobs.resume(job.id, who="bob")
    assert resumed is not None
    assert resumed.state is JobState.RUNNING
    assert three.queue.jobs.stalled() == [job.id]
    done = ended(three.queue, resumed)
    assert (done.state, done.moved) == (JobState.DONE, 1_800)
    names = [what for what, _ in told(three.queue, job)]
    assert (names.count("cancel"), names.count("resume")) == (1, 1)
    assert sum(count for _, count in told(three.queue, job)) == 1_800


def test_a_failure_in_one_partition_ends_the_job_and_names_itself(three: Partitioned) -> None:
    for index in range(3):
        three.bury(index, event("a"))
    job = started(three, ALL)
    failed = three.queue.jobs.fail(job.id, "a foreign key")
    assert failed is not None
    assert (failed.state, failed.error) == (JobState.FAILED, "a foreign key")


@pytest.mark.parametrize("wanted", [ALL, "named"], ids=["filter", "numbers"])
def test_a_rate_holds_for_the_whole_job(three: Partitioned, wanted: object) -> None:
    for index in range(3):
        three.bury(index, *[event("a")] * 4)
    chosen = ALL if wanted is ALL else [letter.id for letter in three.letters()]
    job = started(three, chosen, rate=20.0)  # type: ignore[arg-type]
    began = time.monotonic()
    done = ended(three.queue, job)
    seconds = time.monotonic() - began
    assert done.moved == 12
    # The first step's letters go at once, each later one when those before have had their time.
    assert seconds > (12 - 5) / 20


def test_a_rate_is_changed_for_the_parts_to_come(three: Partitioned) -> None:
    for index in range(3):
        three.bury(index, *[event("a")] * 3)
    job = started(three, ALL, rate=4.0)
    first = three.queue.jobs.step(job).job
    assert first is not None
    assert first.moved == 1
    faster = three.queue.jobs.set_rate(job.id, None, who="ann")
    assert faster is not None
    assert faster.rate is None
    assert ended(three.queue, faster).moved == 9
    assert [what for what, _ in told(three.queue, job)].count("rate") == 1


def test_a_rate_that_is_changed_late_is_the_job_s_rate(three: Partitioned) -> None:
    three.bury(0, event("a"))
    three.bury(1, *[event("a")] * 3)
    job = started(three, ALL, rate=4.0)
    after_first = three.queue.jobs.step(job).job
    assert after_first is not None
    assert after_first.parts[0].state is JobState.DONE
    three.queue.jobs.set_rate(job.id, 50.0, who="ann")
    changed = three.queue.jobs.get(job.id)
    assert changed is not None
    assert changed.rate == 50.0
    assert ended(three.queue, changed).rate == 50.0


@pytest.mark.parametrize("count", [0, 2])
def test_the_trail_has_one_line_of_a_job_whose_letters_lie_together(
    three: Partitioned, count: int
) -> None:
    if count:
        three.bury(0, *[event("a")] * count)
    job = ended(three.queue, started(three, ALL))
    assert told(three.queue, job) == [("discard", count)]


def test_parts_whose_turn_is_not_yet_do_not_count_as_left_behind(three: Partitioned) -> None:
    for index in range(3):
        three.bury(index, *[event("a")] * 3)
    own = started(three, ALL, background=False)
    for index in range(3):
        three.redis.zadd(three.key(index, "jobs:live"), {own.id: 1})
    step = three.queue.jobs.step(own)
    assert step.job is not None
    assert Queue(three.redis, partitions=3).jobs.stalled() == []
    assert ended(three.queue, step.job).state is JobState.DONE


def test_a_part_that_waits_for_the_rate_of_the_one_before_does_not_count_as_left_behind(
    three: Partitioned,
) -> None:
    for index in range(2):
        three.bury(index, event("a"))
    own = started(three, ALL, background=False, rate=0.01)
    first = three.queue.jobs.step(own).job
    assert first is not None
    three.redis.zadd(three.key(1, "jobs:live"), {own.id: 1})
    its_command = Queue(three.redis, partitions=3)
    step = its_command.jobs.step(first)
    assert step.wait_seconds > 60
    assert Queue(three.redis, partitions=3).jobs.stalled() == []
    waits = its_command.jobs.get(own.id)
    assert waits is not None
    assert [part.state for part in waits.each][1] is JobState.QUEUED


def test_a_job_that_nobody_runs_is_found_once(three: Partitioned) -> None:
    three.bury(1, event("a"))
    handed = started(three, ALL)
    gone = started(three, ALL, background=False)
    # Whoever looks for work finds a worker's job at once, and a command's only when it is gone.
    assert three.queue.jobs.stalled() == [handed.id]
    assert three.queue.jobs.stalled() == []
    for index in range(3):
        three.redis.zadd(three.key(index, "jobs:live"), {handed.id: 1, gone.id: 1})
    assert three.queue.jobs.stalled() == [handed.id]
    assert three.queue.jobs.stalled() == []
    failed = three.queue.jobs.get(gone.id)
    assert failed is not None
    assert failed.state is JobState.FAILED
    assert "the command that ran it ended" in failed.error


def test_jobs_are_listed_the_newest_first_each_once(three: Partitioned) -> None:
    three.bury(0, event("a"))
    three.bury(2, event("a"))
    by_filter = started(three, ALL)
    time.sleep(0.002)
    named = started(three, [Number("2-1")])
    time.sleep(0.002)
    last = started(three, ALL)
    listed = three.queue.jobs.newest()
    assert [job.id for job in listed] == [last.id, named.id, by_filter.id]
    assert [job.id for job in three.queue.jobs.newest(2)] == [last.id, named.id]
