"""Dead letters: what one holds, how one is found, replay and discard (rules 9 and 10)."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import zip_longest

import orjson
import pytest

from mixrelay.shared.connection import connect
from mixrelay.shared.queue import (
    LETTERS_AT_MOST,
    Dead,
    Lane,
    LetterFilter,
    Number,
    Queue,
    Settlement,
)
from tests.support.bench import Bench, event, numbers, update
from tests.support.patience import joined


def found(bench: Bench, **wanted: object) -> list[Number]:
    return [letter.id for letter in bench.queue.letters.find(LetterFilter(**wanted))]  # type: ignore[arg-type]


def mixed(bench: Bench) -> None:
    """Six letters: 0-1 to 0-3 events, 0-4 and 0-5 updates, 0-6 unreadable."""
    bench.route(*(event(name) for name in "abc"), update("u1"), update("u2"), b"\xff\nodd")
    bench.bury(bench.take(), ["0-1", "0-2"], reason="invalid", status=400)
    bench.bury(bench.take(claim="gone") if bench.lane(Lane.EVENT) else again(bench), status=413)
    bench.bury(bench.take(Lane.PROFILE_UPDATE), reason="rejected", status=400)
    bench.bury(bench.take(Lane.ODD), reason="malformed", status=0)


def again(bench: Bench):  # the batch keeps its lease when some of its members are buried
    [claim] = bench.redis.hkeys(bench.key("claims"))
    return bench.take(claim=claim.decode())


def test_a_letter_holds_the_bytes_and_all_that_is_known(bench: Bench) -> None:
    written = b'["event","\x00\n\xff {}"]\n'
    bench.route(written)
    batch = bench.take()
    said = 'no "time"\n\x1b[31m\x00 é'
    bench.bury(batch, error=said, field="time")
    letter = bench.queue.letters.get("0-1")
    assert letter is not None
    assert letter.payload == written
    assert (letter.type, letter.lane, letter.reason, letter.status) == (
        "event",
        "event",
        "invalid",
        400,
    )
    assert (letter.error, letter.field, letter.attempts, letter.replays) == (said, "time", 1, 0)
    assert letter.first_seen.timestamp() * 1000 == pytest.approx(batch.members[0].received_ms)
    assert abs(letter.dead_since - datetime.now(UTC)) < timedelta(seconds=5)
    assert bench.queue.letters.get(Number("0-9")) is None


def test_history_survives_replay_and_a_second_death(bench: Bench) -> None:
    bench.route(event("a"))
    bench.bury(bench.take(), reason="invalid", error="first")
    first = bench.queue.letters.get(Number("0-1"))
    assert bench.queue.replay(["0-1"]) == 1
    assert bench.queue.letters.get(Number("0-1")) is None
    batch = bench.take()
    assert (batch.members[0].replays, batch.members[0].payload) == (1, event("a"))
    bench.bury(batch, reason="exhausted", error="second", status=500)
    letter = bench.queue.letters.get(Number("0-1"))
    assert first is not None
    assert letter is not None
    assert (letter.attempts, letter.replays, letter.first_seen) == (2, 1, first.first_seen)
    [death] = letter.deaths
    assert (death.reason, death.error, death.status, death.at) == (
        "invalid",
        "first",
        400,
        first.dead_since,
    )
    assert death.at <= death.replayed_at <= letter.dead_since
    assert bench.totals("dead", "replayed") == [2, 1]
    assert bench.queue.books().difference == 0


def test_history_is_forgotten_when_the_letter_is_delivered(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    bench.bury(bench.take())
    bench.queue.replay(["0-1", "0-2"])
    batch = bench.take()
    bench.queue.settle(batch, Settlement(delivered=["0-1"], sent=True))
    assert bench.redis.hkeys(bench.key("history")) == [b"0-2"]
    bench.deliver(again(bench))
    assert bench.redis.exists(bench.key("history")) == 0


def test_the_first_death_and_the_newest_are_kept(bench: Bench) -> None:
    bench.route(event("a"))
    for life in range(25):
        bench.bury(bench.take(), error=str(life))
        bench.queue.replay(["0-1"])
    bench.bury(bench.take(), error="last")
    letter = bench.queue.letters.get(Number("0-1"))
    assert letter is not None
    assert [death.error for death in letter.deaths] == ["0", *map(str, range(6, 25))]
    assert (letter.replays, letter.attempts) == (25, 26)


def test_filters_find_what_they_name(bench: Bench) -> None:
    mixed(bench)
    assert found(bench) == ["0-1", "0-2", "0-3", "0-4", "0-5", "0-6"]
    assert found(bench, reason="invalid") == ["0-1", "0-2", "0-3"]
    assert found(bench, reason="invalid", status=413) == ["0-3"]
    assert found(bench, status=400) == ["0-1", "0-2", "0-4", "0-5"]
    assert found(bench, type="profile_update") == ["0-4", "0-5"]
    assert found(bench, type="unknown") == ["0-6"]
    assert found(bench, event="b") == ["0-2"]
    assert found(bench, distinct_id="u2") == ["0-5"]
    assert found(bench, reason="nothing") == []


def test_times_of_burial_are_since_inclusive_and_until_exclusive(bench: Bench) -> None:
    bench.route(*(event(str(i)) for i in range(5)))
    bench.bury(bench.take())
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for index in ("dead", "dead:reason:invalid"):
        for i in range(5):
            score = (start + timedelta(seconds=i)).timestamp() * 1000
            bench.redis.zadd(bench.key(index), {f"0-{i + 1}": score})
    at = [start + timedelta(seconds=i) for i in range(5)]
    assert found(bench, since=at[1], until=at[3]) == ["0-2", "0-3"]
    assert found(bench, since=at[4], reason="invalid") == ["0-5"]
    assert found(bench, until=at[0]) == []


def test_looking_changes_nothing(bench: Bench) -> None:
    mixed(bench)
    before = bench.dump()
    assert bench.queue.letters.count(LetterFilter(event="a")) == 1
    list(bench.queue.letters.find(LetterFilter(), page=2))
    list(bench.queue.letters.take(LetterFilter(), page=2))
    bench.queue.books()
    assert bench.dump() == before


def test_a_list_that_holds_no_records_can_be_looked_at(bench: Bench) -> None:
    bench.route(b'["event","[1,null,[\\"x\\"]]"]', b'["event",[{"event":"deep"}]]')
    bench.bury(bench.take())
    assert found(bench, event="deep") == ["0-2"]


def test_slices_are_all_that_match_though_each_is_moved_away(bench: Bench) -> None:
    bench.route(*(event("yes" if i % 3 else "no") for i in range(100)))
    bench.bury(bench.take())
    moved = sum(
        bench.queue.discard(slice_)
        for slice_ in bench.queue.letters.take(LetterFilter(event="yes"), page=7)
    )
    assert moved == 66
    assert bench.queue.letters.count(LetterFilter()) == 34
    assert bench.queue.letters.count(LetterFilter(event="no")) == 34


def test_slices_leave_nothing_out_when_a_letter_dies_again_meanwhile(bench: Bench) -> None:
    bench.route(*(event(str(i)) for i in range(12)))
    bench.bury(bench.take())
    bench.redis.zadd(bench.key("dead"), {f"0-{i + 1}": i + 1 for i in range(12)})
    until = datetime(2026, 1, 1, tzinfo=UTC)
    seen: list[Number] = []
    for slice_ in bench.queue.letters.take(LetterFilter(until=until), page=4):
        seen += slice_
        bench.queue.replay(slice_)
        bench.bury(bench.take())
    assert seen == [f"0-{i + 1}" for i in range(12)]


def test_a_repeated_replay_answers_as_the_first_did(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    bench.bury(bench.take())
    assert bench.queue.replay(["0-1", "0-2", "0-1", "0-7"], op="op") == 2
    before = bench.dump()
    assert bench.queue.replay(["0-1", "0-2", "0-1", "0-7"], op="op") == 2
    assert bench.dump() == before
    assert bench.lane(Lane.EVENT) == [event("a"), event("b")]


def test_a_repeated_discard_answers_as_the_first_did(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    bench.bury(bench.take())
    assert bench.queue.discard(["0-1", "0-1"], op="op") == 1
    assert bench.queue.discard(["0-1", "0-1"], op="op") == 1
    assert bench.totals("discarded", "discarded:operator") == [1, 1]
    assert bench.queue.books().difference == 0


def test_no_index_is_left_when_the_letters_are_gone(bench: Bench) -> None:
    mixed(bench)
    bench.queue.replay(["0-1", "0-4", "0-6"])
    bench.queue.discard(["0-2", "0-3", "0-5"])
    assert not [key for key in bench.redis.scan_iter() if b":dead" in key or b":letters" in key]
    assert bench.queue.books().dead_by == {}


def test_a_letter_that_could_not_be_read_is_replayed_to_where_it_is_read(bench: Bench) -> None:
    mixed(bench)
    bench.queue.replay(["0-6"])
    assert numbers(bench.take(Lane.ODD)) == ["0-6"]


@pytest.mark.parametrize("other", ["replay", "discard"])
def test_two_operators_at_once_move_each_letter_once(bench: Bench, other: str) -> None:
    bench.route(*(event(str(i)) for i in range(600)))
    batch = bench.take()
    bench.bury(batch)
    moved: dict[str, int] = {"first": 0, "second": 0}
    url = bench.redis.connection_pool.connection_kwargs

    def press(who: str, button: str) -> None:
        with connect(f"redis://{url['host']}:{url['port']}") as client:
            move = getattr(Queue(client), button)
            for start in range(0, 600, 10):
                moved[who] += move(numbers(batch)[start : start + 10])

    people = [
        threading.Thread(target=press, args=pair)
        for pair in (("first", "replay"), ("second", other))
    ]
    for one in people:
        one.start()
    for one in people:
        joined(one)
    assert sum(moved.values()) == 600
    assert bench.totals("replayed", "discarded") in ([600, 0], [moved["first"], moved["second"]])
    assert bench.queue.books().difference == 0


def test_as_many_letters_as_a_call_takes_are_moved(bench: Bench) -> None:
    bench.route(*(event(str(i)) for i in range(LETTERS_AT_MOST)))
    batch = bench.take()
    bench.bury(batch)
    assert bench.queue.replay(numbers(batch)) == LETTERS_AT_MOST
    assert numbers(bench.take()) == numbers(batch)


def test_what_mixpanel_said_may_be_long(bench: Bench) -> None:
    bench.route(event("a"))
    batch = bench.take()
    said = orjson.dumps({"error": "x" * 100_000}).decode()
    bench.queue.settle(batch, Settlement(dead=[Dead("0-1", "rejected", said)], sent=True))
    letter = bench.queue.letters.get(Number("0-1"))
    assert letter is not None
    assert letter.error == said


def test_a_listing_leaves_out_no_letter_that_nobody_moved(bench: Bench) -> None:
    for _ in range(3):
        bench.route(*[event("x")] * 100)
        bench.bury(bench.take())
    listing = bench.queue.letters.find(LetterFilter(), page=50)
    seen = [next(listing).id for _ in range(60)]
    bench.queue.discard(seen[:50])
    seen += [letter.id for letter in listing]
    assert len(seen) == len(set(seen)) == 300


def test_two_who_move_what_they_match_leave_out_nothing(bench: Bench) -> None:
    bench.route(*[event(name) for name in "AB" * 300])
    bench.bury(bench.take())
    ours = bench.queue.letters.take(LetterFilter(event="A"), page=50)
    theirs = bench.queue.letters.take(LetterFilter(event="B"), page=50)
    for mine, other in zip_longest(ours, theirs, fillvalue=[]):
        bench.queue.discard(mine)
        bench.queue.replay(other)
    books = bench.queue.books()
    assert (books.dead, books.totals["discarded"], books.totals["replayed"]) == (0, 300, 300)


def test_what_was_found_before_anything_was_sent_counts_no_attempt(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    batch = bench.take()
    dead = [Dead("0-1", "invalid", "a rule", unsent=True), Dead("0-2", "invalid", "said so")]
    bench.queue.settle(batch, Settlement(dead=dead, sent=True))
    attempts = {letter.id: letter.attempts for letter in bench.queue.letters.find(LetterFilter())}
    assert attempts == {"0-1": 0, "0-2": 1}
