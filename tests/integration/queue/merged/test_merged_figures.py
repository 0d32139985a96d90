"""The trail, the past and the limits of three partitions are those of one queue."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from mixrelay.shared.queue import Entry, Queue
from mixrelay.shared.queue.letters.retention import Retention
from tests.support.bench import event
from tests.support.partitions import Partitioned


def note(three: Partitioned, partition: int, place: str, who: str) -> None:
    """An entry of the trail as the scripts write it, at a place of our choice."""
    plain = dict.fromkeys(("why", "job", "filter", "numbers", "lane"), "")
    entry = plain | {"what": "replay", "who": who, "count": 1}
    three.redis.xadd(three.key(partition, "audit"), entry, id=place)


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
def test_the_trail_is_paged_without_a_gap_or_a_repetition(three: Partitioned, limit: int) -> None:
    rng = random.Random(limit)
    places = []
    for partition in range(3):
        # Equal ids in several partitions, and many at one millisecond.
        for place in sorted(rng.sample([(ms, n) for ms in range(1, 6) for n in range(4)], 12)):
            places.append((*place, partition))
            note(three, partition, f"{place[0]}-{place[1]}", who=str(len(places) - 1))
    order = [str(index) for index in sorted(range(36), key=lambda i: places[i], reverse=True)]
    found: list[Entry] = []
    while page := three.queue.audit.newest(limit, before=found[-1].id if found else ""):
        found += page
    assert [entry.who for entry in found] == order
    assert len({entry.id for entry in found}) == len(found)


def test_minutes_are_added_up(three: Partitioned) -> None:
    for index, count in enumerate((3, 0, 4)):
        if count:
            three.bury(index, *[event("a")] * count)
    whole = three.queue.history.minutes(5)
    some = three.queue.history.minutes(5, ["dead"])
    assert len(whole) == len(some) == 5
    assert sum(minute.counters.get("dead", 0) for minute in whole) == 7
    assert sum(minute.counters.get("dead:event:invalid", 0) for minute in whole) == 7
    assert sum(minute.counters.get("dead", 0) for minute in some) == 7
    assert [one.number for one in whole] == list(range(whole[0].number, whole[0].number + 5))


def test_the_oldest_letters_of_all_are_dropped(three: Partitioned) -> None:
    three.bury_some(random.Random(8), times=20)
    order = [letter.id for letter in three.letters()]
    over = len(order) - 10
    dropped = three.queue.retention.expire(None, 10)
    assert dropped == over
    assert [letter.id for letter in three.letters()] == order[over:]
    assert three.queue.retention.expire(None, 10) == 0
    books = three.queue.books()
    assert (books.dead, books.totals["discarded:expired"], books.difference) == (10, over, 0)
    outlook = three.queue.retention.outlook()
    assert outlook is not None
    assert (outlook.max_letters, outlook.letters) == (10, 10)
    assert sum(entry.count for entry in three.queue.audit.newest()) == over


def test_one_call_drops_so_many_and_the_next_goes_on(three: Partitioned) -> None:
    three.bury_some(random.Random(8), times=20)
    order = [letter.id for letter in three.letters()]
    first = three.queue.retention.expire(None, 10, 5)
    assert first == 5
    assert [letter.id for letter in three.letters()] == order[5:]
    while three.queue.retention.expire(None, 10, 5):
        pass
    assert [letter.id for letter in three.letters()] == order[-10:]


def test_two_that_look_at_the_same_time_drop_the_same(three: Partitioned) -> None:
    three.bury_some(random.Random(8), times=20)
    order = [letter.id for letter in three.letters()]
    retention = three.queue.retention
    seen = retention._last_over(10, 500)
    for one in [*retention._partitions] * 2:
        one.retention.expire(None, 10, 500, up_to=seen.get(one.index, ()))
    assert [letter.id for letter in three.letters()] == order[-10:]


def test_a_letter_that_was_buried_anew_after_the_look_takes_none_with_it(
    three: Partitioned,
) -> None:
    three.bury_some(random.Random(8), times=20)
    order = [letter.id for letter in three.letters()]
    retention = three.queue.retention
    for index, (at, number) in retention._last_over(10, 500).items():
        kept = retention._partitions[index].retention
        assert kept.expire(None, 10, 500, up_to=(at - 1, number)) == 0
    assert [letter.id for letter in three.letters()] == order


def test_counts_that_are_old_by_then_drop_nothing_more(
    three: Partitioned, monkeypatch: pytest.MonkeyPatch
) -> None:
    three.bury_some(random.Random(8), times=20)
    order = [letter.id for letter in three.letters()]
    real = Retention.oldest

    def late(one: Retention, count: int) -> list[tuple[float, bytes]]:
        monkeypatch.undo()
        assert Queue(three.redis, partitions=3).retention.expire(None, 10) == len(order) - 10
        return real(one, count)

    monkeypatch.setattr(Retention, "oldest", late)
    assert three.queue.retention.expire(None, 10) == 0
    assert [letter.id for letter in three.letters()] == order[-10:]


def test_letters_over_their_age_are_dropped_wherever_they_lie(three: Partitioned) -> None:
    for index in range(3):
        three.bury(index, event("a"), event("b"))
    old = (datetime.now(UTC) - timedelta(days=3)).timestamp() * 1000
    for index in range(3):
        three.redis.zadd(three.key(index, "dead"), {f"{index}-1": old})
    retention = three.queue.retention
    retention.expire(timedelta(days=3.5), None)
    outlook = retention.outlook()
    assert outlook is not None
    assert (outlook.letters, outlook.expire_within_a_day) == (6, 3)
    assert retention.expire(timedelta(days=2), None) == 3
    assert {letter.id for letter in three.letters()} == {"0-2", "1-2", "2-2"}
