"""Messages of megabytes are moved one by one: no script holds the server for all of them."""

import pytest

from mixrelay.shared.queue import Job, JobKind, JobState, Lane, LetterFilter, new_id
from mixrelay.shared.queue.partitions.partition import ROUTED_BYTES
from tests.support.bench import Bench, event
from tests.support.letters import profile

HUGE = ROUTED_BYTES + 1


def huge(name: str) -> bytes:
    return event(name + "x" * HUGE)


@pytest.mark.parametrize("small", [0, 1, 7, 40])
def test_a_call_of_routing_moves_few_huge_messages(bench: Bench, small: int) -> None:
    bench.queue.push([event(f"s{number}") for number in range(small)])
    bench.queue.push([huge(f"h{number}") for number in range(12)])
    moved, left = bench.queue.route()
    assert moved <= small + 4
    while left:
        moved, left = bench.queue.route()
        assert moved == 1
    assert sum(bench.queue.books().lanes.values()) == small + 12


def test_a_batch_of_huge_messages_is_one_and_of_small_ones_many(bench: Bench) -> None:
    bench.route(huge("a"), huge("b"), *(event(f"s{number}") for number in range(300)))
    assert [len(bench.take().members) for _ in range(3)] == [1, 1, 300]


def _stepped(bench: Bench, job: Job) -> list[int]:
    """Letters that each step of a job moved."""
    moved = []
    while not job.state.is_over:
        after = bench.queue.jobs.step(job).job
        assert after is not None
        moved.append(after.moved - job.moved)
        job = after
    assert job.state is JobState.DONE
    return moved


@pytest.mark.parametrize("lane", [Lane.EVENT, Lane.PROFILE_UPDATE])
@pytest.mark.parametrize("are_named", [True, False])
def test_a_step_of_a_job_moves_few_huge_letters(bench: Bench, lane: Lane, are_named: bool) -> None:
    text = "x" * 300_000
    for number in range(20):
        if lane is Lane.EVENT:
            bench.route(event(f"e{number}{text}"))
        else:
            bench.route(profile(f"p{number}", text=text))
        bench.bury(bench.take(lane))
    letters = bench.queue.letters.find(LetterFilter())
    wanted = [one.id for one in letters] if are_named else LetterFilter()
    job = bench.queue.jobs.start(JobKind.REPLAY, wanted, job_id=new_id(), who="ann")
    moved = _stepped(bench, job)
    assert sum(moved) == 20
    assert max(moved) <= 4, "a megabyte is full with four"
    books = bench.queue.books()
    assert (books.dead, books.lanes[lane], books.difference) == (0, 20, 0)
