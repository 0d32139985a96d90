"""Letters that are replayed together arrive by their numbers, whichever way they were chosen."""

import random
from collections.abc import Callable, Sequence

import orjson
import pytest

from mixrelay.console.dlq import letter_json
from mixrelay.shared.queue import (
    Edited,
    Expansion,
    JobKind,
    Lane,
    LetterFilter,
    Number,
    Queue,
    Returned,
    Settled,
    new_job_id,
)
from mixrelay.shared.queue.jobs import jobs
from mixrelay.shared.tuples import take
from tests.support.bench import Bench
from tests.support.works import Works, event, message, update

COUNT = 12
NUMBERS = [Number(f"0-{n}") for n in range(1, COUNT + 1)]
ALL = LetterFilter()


def updates(first: int = 1) -> list[bytes]:
    return [update("ann", **{"$set": {"n": n}}) for n in range(first, first + COUNT)]


def die(bench: Bench, order: Sequence[Number]) -> None:
    """All that waits, one after the other in this order."""
    while bench.queue.route()[0]:
        pass
    batch = bench.take(Lane.PROFILE_UPDATE)
    for number in order:
        bench.bury(batch, [number])
    assert bench.queue.books().dead == len(order)


def scrambled(numbers: Sequence[Number], seed: int = 1) -> list[Number]:
    shuffled = list(numbers)
    random.Random(seed).shuffle(shuffled)
    return shuffled


def run(queue: Queue, wanted: LetterFilter | list[Number], **options: object) -> None:
    options = {"job_id": new_job_id(), "who": "ann", "background": False} | options
    job = queue.jobs.start(JobKind.REPLAY, wanted, **options)  # type: ignore[arg-type]
    while not job.state.is_over:
        step = queue.jobs.step(job)
        assert step.job is not None
        job = step.job
    assert job.skipped == 0


def by_ids(queue: Queue) -> None:
    assert queue.replay(scrambled(NUMBERS, seed=2)) == COUNT


def as_a_page_shows_them(queue: Queue) -> None:
    shown = queue.letters.page(ALL, newest_first=True).letters
    assert queue.replay([letter.id for letter in shown]) == COUNT


def by_a_filter(queue: Queue) -> None:
    run(queue, ALL)


def by_a_filter_that_looks_at_each(queue: Queue) -> None:
    run(queue, LetterFilter(distinct_id="ann", min_attempts=1))


def by_a_job_that_names_them(queue: Queue) -> None:
    run(queue, scrambled(NUMBERS, seed=3))


def with_a_rate(queue: Queue) -> None:
    run(queue, ALL, rate=2_000.0)


WAYS = [
    by_ids,
    as_a_page_shows_them,
    by_a_filter,
    by_a_filter_that_looks_at_each,
    by_a_job_that_names_them,
    with_a_rate,
]


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a job of a dozen letters has several."""
    monkeypatch.setattr(jobs, "_STEP", 5)
    monkeypatch.setattr(jobs, "_LOOKED_AT", 7)


@pytest.fixture
def bench(queue: Queue) -> Bench:
    return Bench(queue)


def arrived(works: Works) -> list[int]:
    works.drain()
    values = [one["$set"]["n"] for one in works.box.updates]
    [profile] = works.box.profiles.values()
    assert profile["n"] == values[-1], "the last value wins"
    return values


@pytest.mark.parametrize("way", WAYS)
def test_updates_of_one_profile_arrive_by_their_numbers(
    works: Works, bench: Bench, way: Callable[[Queue], None]
) -> None:
    works.push(*updates())
    die(bench, scrambled(NUMBERS))
    way(works.queue)
    assert arrived(works) == list(range(1, COUNT + 1))


def test_those_that_died_in_one_millisecond_do_too(works: Works, bench: Bench) -> None:
    works.push(*updates())
    works.queue.route()
    bench.bury(bench.take(Lane.PROFILE_UPDATE))
    assert len({letter.dead_since for letter in works.letters()}) == 1
    run(works.queue, ALL)
    assert arrived(works) == list(range(1, COUNT + 1))


def test_an_older_letter_that_died_again_goes_first(works: Works, bench: Bench) -> None:
    works.push(*updates())
    die(bench, NUMBERS)
    works.queue.replay(NUMBERS[:2])
    bench.bury(bench.take(Lane.PROFILE_UPDATE))
    run(works.queue, ALL)
    assert arrived(works) == list(range(1, COUNT + 1))


def test_an_edited_letter_keeps_its_place(works: Works, bench: Bench) -> None:
    works.push(*updates())
    die(bench, scrambled(NUMBERS))
    [letter] = works.queue.letters.get_many([NUMBERS[4]])
    changed = update("ann", **{"$set": {"n": 500}})
    assert works.queue.edit(letter, changed, who="ann") is Edited.DONE
    run(works.queue, ALL)
    assert arrived(works) == [1, 2, 3, 4, 500, *range(6, COUNT + 1)]


def test_a_letter_that_becomes_an_update_by_an_edit_has_its_place(
    works: Works, bench: Bench
) -> None:
    works.push(updates()[0], b'["profil",{}]', *updates()[2:])
    works.queue.route()
    bench.bury(bench.take(Lane.ODD))
    bench.bury(bench.take(Lane.PROFILE_UPDATE))
    [letter] = works.queue.letters.get_many([NUMBERS[1]])
    assert works.queue.edit(letter, updates()[1], who="ann") is Edited.DONE
    run(works.queue, ALL)
    assert arrived(works) == list(range(1, COUNT + 1))


def test_the_records_of_a_list_have_their_places(works: Works, bench: Bench) -> None:
    records = [
        {"$token": "token-of-ours", "$distinct_id": "ann", "$set": {"n": n}} for n in range(1, 13)
    ]
    bench.route(message("profile_update", records))
    batch = bench.take(Lane.PROFILE_UPDATE)
    payloads, rest = take(batch.members[0].payload, COUNT)
    assert bench.queue.expand(batch, [Expansion(NUMBERS[0], payloads, rest)]) is Settled.DONE
    bench.bury(batch, scrambled([Number(f"0-1.{n}") for n in range(1, COUNT + 1)]))
    assert {letter.id for letter in works.letters()} == {f"0-1.{n}" for n in range(1, 13)}
    run(works.queue, ALL)
    assert arrived(works) == list(range(1, COUNT + 1))


@pytest.mark.parametrize("mixed", [False, True])
def test_exported_and_imported_letters_keep_their_order(
    works: Works, bench: Bench, *, mixed: bool
) -> None:
    works.push(*updates())
    die(bench, scrambled(NUMBERS))
    lines = [letter_json.line(letter, raw=True).encode() for letter in works.letters()]
    assert works.queue.discard(NUMBERS) == COUNT
    if mixed:
        random.Random(7).shuffle(lines)
    for first in range(0, COUNT, 5):
        letters = [Returned.parse(line) for line in lines[first : first + 5]]
        before, after = f"{first} x" if first else "", f"{first + 5} x"
        told = {"before": before, "after": after, "who": "ann", "why": ""}
        assert works.queue.import_letters("a file", letters, **told) == after
    run(works.queue, ALL)
    assert arrived(works) == list(range(1, COUNT + 1))


def test_imported_letters_that_die_again_keep_their_order(works: Works, bench: Bench) -> None:
    works.push(*updates())
    die(bench, scrambled(NUMBERS))
    lines = [letter_json.line(letter, raw=True).encode() for letter in works.letters()]
    works.queue.discard(NUMBERS)
    letters = [Returned.parse(line) for line in lines]
    works.queue.import_letters("a file", letters, before="", after="1 x", who="ann", why="")
    run(works.queue, ALL)
    again = bench.take(Lane.PROFILE_UPDATE)
    for member in sorted(again.members, key=lambda one: one.payload, reverse=True):
        bench.bury(again, [member.number])
    run(works.queue, ALL)
    assert arrived(works) == list(range(1, COUNT + 1))


def test_a_background_job_keeps_the_order(works: Works, bench: Bench) -> None:
    works.push(*updates())
    die(bench, scrambled(NUMBERS))
    job_id = new_job_id()
    works.queue.jobs.start(JobKind.REPLAY, ALL, job_id=job_id, who="ann", rate=5_000.0)
    works.drain_while(lambda: works.books.dead + works.books.waiting > 0)
    assert arrived(works) == list(range(1, COUNT + 1))


def test_a_filter_takes_letters_of_every_lane_once(works: Works, bench: Bench) -> None:
    works.push(*(part for one in updates() for part in (one, event("ann"))), b"no tuple")
    works.queue.route()
    for lane in (Lane.PROFILE_UPDATE, Lane.EVENT, Lane.ODD):
        bench.bury(bench.take(lane))
    run(works.queue, ALL)
    assert works.books.dead == 0
    assert works.books.totals["replayed"] == 2 * COUNT + 1
    assert works.books.difference == 0
    works.drain()
    assert [one["$set"]["n"] for one in works.box.updates] == list(range(1, COUNT + 1))
    assert len(works.box.events) == COUNT


def test_a_thousand_letters_are_moved_in_order(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    for _ in range(2):
        bench.route(*(update("ann", **{"$set": {"n": n}}) for n in range(1, 601)))
        bench.bury(bench.take(Lane.PROFILE_UPDATE))
    run(bench.queue, LetterFilter(type="profile_update"))
    moved = bench.take(Lane.PROFILE_UPDATE).members
    assert [member.number for member in moved] == [f"0-{n}" for n in range(1, 1_201)]
    assert orjson.loads(moved[0].payload)[0] == "profile_update"
