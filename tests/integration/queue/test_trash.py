"""What an operator discards can be restored for a time, within bounds (rules 1 and 10)."""

import pytest
from redis.exceptions import ResponseError

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import JobKind, Letter, LetterFilter, Queue, new_job_id
from mixrelay.shared.queue.messages.backlog import Backlog
from mixrelay.shared.queue.messages.erasing import Erased, Erasing
from tests.support.bench import Bench, event
from tests.support.letters import bury
from tests.support.letters import event as about
from tests.support.partitions import Partitioned

MANY = 50


def letters(bench: Bench) -> list[Letter]:
    return list(bench.queue.letters.find(LetterFilter()))


def buried(bench: Bench, many: int = 3) -> list[Letter]:
    bench.route(*[event(f"E{n}") for n in range(many)])
    bench.bury(bench.take())
    return letters(bench)


def test_a_discarded_letter_is_restored_as_it_was_and_the_sums_agree(bench: Bench) -> None:
    before = buried(bench)
    bench.queue.discard([before[0].id, before[1].id], who="ann", why="junk")
    trash = bench.queue.letters.trash
    found = trash.newest(10)
    assert {one.letter.id for one in found} == {before[0].id, before[1].id}
    assert {(one.who, one.why, one.job) for one in found} == {("ann", "junk", "")}
    assert bench.totals("discarded", "received") == [2, 3]
    assert trash.restore([before[0].id, before[1].id, before[2].id], who="bob", why="oops") == 2
    assert letters(bench) == before
    assert bench.totals("discarded", "received", "restored") == [2, 5, 2]
    assert bench.queue.books().difference == 0
    assert trash.size().letters == trash.size().bytes == 0
    [entry] = bench.queue.audit.newest(1)
    assert (entry.what, entry.who, entry.why, entry.count) == ("restore", "bob", "oops", 2)
    bench.queue.replay([before[0].id])
    bench.deliver(bench.take())
    assert bench.queue.books().difference == 0


@pytest.mark.parametrize("forgets", [False, True])
def test_a_job_discards_into_the_trash_unless_it_is_for_good(
    bench: Bench, *, forgets: bool
) -> None:
    buried(bench)
    job = bench.queue.jobs.start(
        JobKind.DISCARD, LetterFilter(), job_id=new_job_id(), who="ann", why="w", forgets=forgets
    )
    assert bench.queue.jobs.step(job).is_over
    found = bench.queue.letters.trash.newest(10)
    assert [one.job for one in found] == ([] if forgets else [job.id] * 3)
    assert bench.totals("discarded") == [3]


def test_beyond_the_bytes_the_oldest_go_at_once(bench: Bench) -> None:
    found = buried(bench, MANY)
    trash = bench.queue.letters.trash
    trash.shrink(3600, 10_000, 10)
    for one in found:
        bench.queue.discard([one.id])
        assert trash.size().bytes <= 10_000
    kept = {one.letter.id for one in trash.newest(MANY)}
    assert 5 < len(kept) < MANY
    assert kept == {one.id for one in found[-len(kept) :]}
    assert bench.totals("trash_emptied") == [MANY - len(kept)]
    assert bench.queue.books().difference == 0


def test_what_is_too_old_goes_in_bounded_slices(bench: Bench) -> None:
    found = buried(bench, MANY)
    bench.queue.discard([one.id for one in found])
    trash = bench.queue.letters.trash
    assert trash.shrink(3600, 1 << 30, 20) == 0
    for one in found[:30]:
        bench.redis.zadd(bench.key("trash:at"), {one.id: 1})
    assert [trash.shrink(3600, 1 << 30, 20) for _ in range(3)] == [20, 10, 0]
    assert {one.letter.id for one in trash.newest(MANY)} == {one.id for one in found[30:]}
    size = trash.size()
    assert (size.letters, size.age_seconds, size.most_bytes) == (20, 3600, 1 << 30)


@pytest.mark.parametrize("limits", [(0, 1 << 30), (3600, 0)])
def test_with_a_limit_of_zero_nothing_is_kept(bench: Bench, limits: tuple[int, int]) -> None:
    [one] = buried(bench, 1)
    trash = bench.queue.letters.trash
    trash.shrink(*limits, 10)
    bench.queue.discard([one.id])
    assert trash.size().letters == 0
    assert bench.redis.exists(bench.key("trash"), bench.key("trash:at")) == 0


def test_a_foreign_key_stops_a_discard_before_anything_is_changed(bench: Bench) -> None:
    found = buried(bench)
    bench.redis.set(bench.key("trash"), "foreign")
    with pytest.raises(WrongKeyType):
        bench.queue.discard([found[0].id])
    assert letters(bench) == found


def test_letters_of_several_partitions_are_restored_each_in_its_own(queue: Queue) -> None:
    three = Partitioned(queue.redis)
    for index in range(3):
        three.bury(index, *[event("a")] * 3)
    before = three.letters()
    three.queue.discard([one.id for one in before])
    trash = three.queue.letters.trash
    assert trash.size().letters == len(list(trash.find())) == 9
    assert len(trash.newest(5)) == 5
    assert trash.restore([one.id for one in before], who="ann") == 9
    assert three.letters() == before
    assert three.queue.books().difference == 0


def test_a_person_is_erased_from_the_trash_and_nobody_else(queue: Queue) -> None:
    unreadable = b'["event", ann'
    bury(queue, [*(about("E", who) for who in ("ann", "bob", "ann")), unreadable])
    queue.discard([one.id for one in queue.letters.find(LetterFilter())])
    backlog: Backlog = queue.backlog
    erasing = Erasing(backlog, queue.letters, Erased("ann"), who="eve", why="request")
    assert erasing.preview()["trash"] == 3
    assert erasing.erase()["trash"] == 3
    assert [b"bob" in one.letter.payload for one in queue.letters.trash.find()] == [True]
    assert erasing.preview()["trash"] == 0
    assert queue.books().difference == 0
    queue.letters.trash.empty(who="eve")
    assert queue.letters.trash.size().bytes == 0


def test_what_cannot_be_counted_is_neither_restored_nor_discarded_and_stays(bench: Bench) -> None:
    """Where another program wrote text into the trash's count of bytes."""
    one, another = (letter.id for letter in buried(bench, 2))
    assert bench.queue.discard([one]) == 1
    bench.redis.set(bench.key("trash:bytes"), "text")
    with pytest.raises(ResponseError):
        bench.queue.letters.trash.restore([one], who="ann", why="")
    with pytest.raises(ResponseError):
        bench.queue.discard([another])
    bench.redis.set(bench.key("trash:bytes"), 1_000)
    assert [letter.id for letter in letters(bench)] == [another]
    assert bench.queue.letters.trash.restore([one], who="ann", why="") == 1
    assert {letter.id for letter in letters(bench)} == {one, another}
