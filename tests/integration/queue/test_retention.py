"""Limits of age and count: what they drop is counted and told (rule 10)."""

from datetime import timedelta

from tests.support.bench import Bench, event

DAY_MS = 86_400_000


def buried(bench: Bench, count: int) -> None:
    bench.route(*(event(str(n)) for n in range(count)))
    bench.bury(bench.take())


def age(bench: Bench, days: float, *numbers: str) -> None:
    """Lets letters have died so long ago."""
    at = bench.queue.books().now_ms - days * DAY_MS
    for index in bench.redis.scan_iter():
        if b":dead" in index and bench.redis.type(index) == b"zset":
            bench.redis.zadd(index, dict.fromkeys(numbers, at), xx=True)


def test_letters_over_the_age_are_dropped_in_bounded_slices_and_counted(bench: Bench) -> None:
    buried(bench, 5)
    age(bench, 31, "0-1", "0-2", "0-3")
    limit = timedelta(days=30)
    retention = bench.queue.retention
    assert [retention.expire(limit, None, 2) for _ in range(3)] == [2, 1, 0]
    assert bench.totals("discarded", "discarded:expired") == [3, 3]
    books = bench.queue.books()
    assert (books.dead, books.difference) == (2, 0)
    assert sum(books.dead_by.values()) == 2


def test_beyond_the_count_the_oldest_are_dropped(bench: Bench) -> None:
    buried(bench, 5)
    age(bench, 1, "0-4", "0-5")
    assert bench.queue.retention.expire(None, 3) == 2
    assert sorted(letter for letter in bench.redis.hkeys(bench.key("letters"))) == [
        b"0-1",
        b"0-2",
        b"0-3",
    ]


def test_what_was_dropped_is_told_to_the_audit_in_sums(bench: Bench) -> None:
    buried(bench, 6)
    for _ in range(3):
        bench.queue.retention.expire(None, 3, 1)
    [entry] = bench.queue.audit.newest()
    assert (entry.what, entry.who, entry.count) == ("expire", "retention", 1)
    bench.redis.hset(bench.key("retention"), "told_at", 1)
    bench.queue.retention.expire(None, 3)
    assert [one.count for one in bench.queue.audit.newest()] == [2, 1]


def test_one_is_warned_before_letters_go(bench: Bench) -> None:
    buried(bench, 9)
    retention = bench.queue.retention
    assert retention.outlook() is None
    retention.expire(timedelta(days=30), 10)
    age(bench, 29.5, "0-1", "0-2")
    outlook = retention.outlook()
    assert outlook is not None
    assert (outlook.letters, outlook.expire_within_a_day) == (9, 2)
    soon, full = outlook.warnings()
    assert "2 dead letters will expire within a day" in soon
    assert "90%" in full
    retention.expire(None, None)
    assert retention.outlook() is None


def test_without_limits_nothing_is_dropped(bench: Bench) -> None:
    buried(bench, 3)
    age(bench, 4_000, "0-1")
    assert bench.queue.retention.expire(timedelta(0), 0) == 0
    assert bench.queue.books().dead == 3
