"""The letters of three partitions are looked at as those of one queue."""

import random
from collections import Counter
from datetime import timedelta

import pytest

from mixrelay.shared.queue import LetterFilter, Number, Queue
from tests.support.bench import event
from tests.support.partitions import Partitioned

FILTERS = [
    LetterFilter(),
    LetterFilter(reason="invalid"),
    LetterFilter(reason="invalid", type="event"),
    LetterFilter(status=400, type="profile_update"),
    LetterFilter(event="a"),
    LetterFilter(min_replays=1),
]


def paged(queue: Queue, wanted: LetterFilter, *, limit: int, newest_first: bool) -> list[Number]:
    found: list[Number] = []
    cursor = None
    while True:
        page = queue.letters.page(wanted, cursor, limit=limit, newest_first=newest_first)
        assert len(page.letters) <= limit
        found += [letter.id for letter in page.letters]
        cursor = page.cursor
        if cursor is None:
            return found


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_pages_are_all_that_match_in_one_order_both_ways(
    three: Partitioned, wanted: LetterFilter, limit: int
) -> None:
    seed = random.randrange(10_000)
    print(f"{seed=}")
    three.bury_some(random.Random(seed))
    expected = [letter.id for letter in three.letters() if wanted.matches(letter)]
    assert paged(three.queue, wanted, limit=limit, newest_first=False) == expected
    assert paged(three.queue, wanted, limit=limit, newest_first=True) == expected[::-1]
    assert [one.id for one in three.queue.letters.find(wanted, page=limit)] == expected
    assert three.queue.letters.count(wanted) == len(expected)


@pytest.mark.parametrize("newest_first", [False, True])
def test_a_slice_is_bounded_and_looks_at_each_letter_once(
    three: Partitioned, newest_first: bool
) -> None:
    three.bury_some(random.Random(7))
    looked, cursor, more = 0, "", True
    while more:
        found = three.queue.letters.slice(
            LetterFilter(event="a"), cursor, size=5, newest_first=newest_first
        )
        assert 0 < found.looked <= 5
        looked, cursor, more = looked + found.looked, found.cursor, found.more
    assert looked == len(three.letters())


def test_a_partition_whose_letters_are_all_older_keeps_nothing_back(three: Partitioned) -> None:
    three.bury(1, *[event("old")] * 700)
    three.bury(2, *[event("new")] * 700)
    order = [letter.id for letter in three.letters()]
    assert [letter.id for letter in three.queue.letters.find(LetterFilter())] == order
    assert paged(three.queue, LetterFilter(), limit=300, newest_first=True) == order[::-1]
    slices = list(three.queue.letters.take(LetterFilter()))
    assert sorted(number for some in slices for number in some) == sorted(order)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_what_a_slice_has_no_room_for_comes_next(three: Partitioned, size: int) -> None:
    for index in range(3):
        three.bury(index, event("a"), *[event("b")] * (size > 2))
    order = [letter.id for letter in three.letters()]
    assert paged(three.queue, LetterFilter(), limit=size, newest_first=False) == order


def test_a_cursor_stays_good_though_its_letter_is_moved_and_others_die(three: Partitioned) -> None:
    three.bury_some(random.Random(5))
    order = [letter.id for letter in three.letters()][::-1]
    first = three.queue.letters.page(LetterFilter(), limit=10)
    assert [letter.id for letter in first.letters] == order[:10]
    assert three.queue.discard(order[:10]) == 10
    for index in range(3):
        three.bury(index, event("new"))
    second = three.queue.letters.page(LetterFilter(), first.cursor, limit=10)
    assert [letter.id for letter in second.letters] == order[10:20]


def test_a_letter_is_found_by_its_number_wherever_it_lies(three: Partitioned) -> None:
    three.bury_some(random.Random(3))
    numbers = [letter.id for letter in three.letters()]
    random.Random(3).shuffle(numbers)
    asked = [Number("2-999"), *numbers, Number("9-1"), Number("x")]
    assert [letter.id for letter in three.queue.letters.get_many(asked)] == numbers
    found = three.queue.letters.get(numbers[0])
    assert found is not None
    assert found.id == numbers[0]
    assert three.queue.letters.get(Number("9-1")) is None


def test_groups_are_added_up(three: Partitioned) -> None:
    three.bury_some(random.Random(11), times=30)
    letters = three.letters()
    expected = Counter((one.reason, one.status, one.type) for one in letters)
    groups = three.queue.letters.groups()
    assert {(one.reason, one.status, one.type): one.letters for one in groups} == expected
    assert [one.letters for one in groups] == sorted(expected.values(), reverse=True)
    for group in groups:
        same = [
            one
            for one in letters
            if (one.reason, one.status, one.type) == (group.reason, group.status, group.type)
        ]
        assert (group.first, group.last) == (same[0].dead_since, same[-1].dead_since)
        assert group.sample is not None
        assert group.sample.dead_since == group.last
        assert group.is_indexed
    middle = letters[len(letters) // 2].dead_since
    within = three.queue.letters.groups(LetterFilter(since=middle, reason="invalid"))
    assert sum(one.letters for one in within) == sum(
        one.dead_since >= middle and one.reason == "invalid" for one in letters
    )


def test_a_plan_counts_the_letters_of_all(three: Partitioned) -> None:
    three.bury_some(random.Random(2))
    letters = three.letters()
    by_index = three.queue.jobs.plan(LetterFilter(reason="invalid"))
    assert by_index.count == sum(one.reason == "invalid" for one in letters)
    assert by_index.is_exact
    looked_at = three.queue.jobs.plan(LetterFilter(event="a"))
    assert looked_at.count == three.queue.letters.count(LetterFilter(event="a"))
    assert (looked_at.looked, looked_at.out_of) == (len(letters), len(letters))
    before = letters[0].dead_since - timedelta(seconds=1)
    assert three.queue.jobs.plan(LetterFilter(until=before)).count == 0


def test_partitions_that_are_learnt_of_later_are_seen(three: Partitioned) -> None:
    three.bury(2, event("a"))
    looker = Queue(three.redis)
    assert looker.letters.groups() == []
    three.queue.announce()
    assert looker.refresh() == 3
    assert [one.letters for one in looker.letters.groups()] == [1]
    assert looker.jobs.plan(LetterFilter()).count == 1
