"""Pages, filters and groups of letters, for eyes that look while others move them."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from mixrelay.shared.queue import LetterFilter, Number, Queue
from tests.support.bench import Bench, event, update


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


def some(bench: Bench) -> list[Number]:
    """Forty letters of several groups, ten buried in one go, in the order of the index."""
    rng = random.Random(5)
    for _ in range(4):
        bench.route(*(event(rng.choice("ab")) for _ in range(6)), *(update("u"),) * 4)
        for kind in ("event", "profile_update"):
            reason, status = rng.choice(["invalid", "rejected"]), rng.choice([0, 400])
            bench.bury(bench.take(kind), reason=reason, status=status)  # type: ignore[arg-type]
    return [number.decode() for number in bench.redis.zrange(bench.key("dead"), 0, -1)]


@pytest.mark.parametrize("limit", [1, 3, 7, 50])
@pytest.mark.parametrize(
    "wanted",
    [
        LetterFilter(),
        LetterFilter(reason="invalid"),
        LetterFilter(reason="invalid", type="event"),
        LetterFilter(status=400, type="profile_update"),
        LetterFilter(event="a"),
        LetterFilter(min_replays=1),
    ],
    ids=str,
)
def test_pages_are_all_that_match_in_order_both_ways(
    bench: Bench, wanted: LetterFilter, limit: int
) -> None:
    order = some(bench)
    letters = {letter.id: letter for letter in bench.queue.letters.get_many(order)}
    expected = [number for number in order if wanted.matches(letters[number])]
    assert paged(bench.queue, wanted, limit=limit, newest_first=False) == expected
    assert paged(bench.queue, wanted, limit=limit, newest_first=True) == expected[::-1]


def test_a_cursor_stays_good_though_its_letter_is_moved_and_others_die(bench: Bench) -> None:
    order = some(bench)
    first = bench.queue.letters.page(LetterFilter(), limit=10)
    assert [letter.id for letter in first.letters] == order[::-1][:10]
    bench.queue.discard([letter.id for letter in first.letters])
    bench.route(event("new"))
    bench.bury(bench.take())
    second = bench.queue.letters.page(LetterFilter(), first.cursor, limit=10)
    assert [letter.id for letter in second.letters] == order[::-1][10:20]


def test_numbers_are_ordered_as_the_server_orders_them(bench: Bench) -> None:
    bench.route(*[event("a")] * 120)
    bench.bury(bench.take())
    order = [number.decode() for number in bench.redis.zrange(bench.key("dead"), 0, -1)]
    assert paged(bench.queue, LetterFilter(), limit=7, newest_first=False) == order


def test_a_rare_match_is_looked_for_in_bounded_steps(bench: Bench) -> None:
    bench.route(event("rare"), *[event("a")] * 1_999)
    bench.bury(bench.take())
    page = bench.queue.letters.page(LetterFilter(event="rare"), limit=5, look_at=500)
    assert (page.letters, page.looked) == ([], 500)
    assert page.cursor is not None
    rest = bench.queue.letters.page(LetterFilter(event="rare"), page.cursor, limit=5)
    assert len(page.letters) + len(rest.letters) == 1


@pytest.mark.parametrize("cursor", ["x", "1", "1:", ":0-1", "-1:0-1", "²:0-1"])
def test_a_cursor_that_is_none_of_ours_is_refused(bench: Bench, cursor: str) -> None:
    with pytest.raises(ValueError, match="no place"):
        bench.queue.letters.page(LetterFilter(), cursor)


def test_letters_are_filtered_by_attempts_and_replays(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    bench.bury(bench.take())
    bench.queue.replay(["0-2"])
    bench.bury(bench.take())

    def found(**bounds: int) -> list[Number]:
        return [one.id for one in bench.queue.letters.find(LetterFilter(**bounds))]  # type: ignore[arg-type]

    assert found(max_replays=0) == ["0-1"]
    assert found(min_replays=1) == ["0-2"]
    assert found(min_attempts=2, max_attempts=2) == ["0-2"]
    assert found(max_attempts=0) == []


def test_groups_tell_how_many_between_when_and_a_sample(bench: Bench) -> None:
    bench.route(event("a"), event("b"), update("u"))
    bench.bury(bench.take(), error="one")
    bench.bury(bench.take("profile_update"), reason="rejected", error="two")  # type: ignore[arg-type]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for index, number in enumerate(("0-1", "0-2")):
        at = (start + timedelta(hours=index)).timestamp() * 1000
        bench.redis.zadd(bench.key("dead:group:invalid|400|event"), {number: at})
    many, few = bench.queue.letters.groups()
    assert (many.reason, many.status, many.type, many.letters) == ("invalid", 400, "event", 2)
    assert (many.first, many.last) == (start, start + timedelta(hours=1))
    assert many.sample is not None
    assert (many.sample.id, many.sample.error) == ("0-2", "one")
    assert (few.reason, few.letters) == ("rejected", 1)
    [bounded] = bench.queue.letters.groups(
        LetterFilter(reason="invalid", until=start + timedelta(minutes=1))
    )
    assert (bounded.letters, bounded.last) == (1, start)
