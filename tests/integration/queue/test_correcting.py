"""A letter is corrected and re-queued in one step, or is as it was (rules 1 and 9)."""

import pytest
from redis.exceptions import ResponseError

from mixrelay.shared.queue import Corrected, Correction, Lane, Letter, LetterFilter, Number, Queue
from mixrelay.shared.queue.letters.correcting import place_of
from tests.support.bench import Bench, event, update
from tests.support.partitions import Partitioned


def letters(bench: Bench) -> list[Letter]:
    return list(bench.queue.letters.find(LetterFilter()))


def buried(bench: Bench, *payloads: bytes, lane: Lane = Lane.EVENT) -> list[Letter]:
    bench.route(*payloads)
    take = bench.take if lane is Lane.EVENT else bench.take_read
    bench.bury(take(lane))
    return letters(bench)


def fix(bench: Bench, *corrections: Correction, op: str | None = None) -> Corrected:
    wanted = LetterFilter(reason="invalid")
    return bench.queue.corrections.apply(
        corrections, what="set event", who="ann", why="typo", wanted=wanted, op=op
    )


def test_a_corrected_letter_is_in_its_lane_and_its_original_comes_back_with_its_next_death(
    bench: Bench,
) -> None:
    [letter] = buried(bench, event("Pley"))
    assert fix(bench, Correction(letter, event("Play"))) == Corrected(moved=1)
    assert letters(bench) == []
    books = bench.queue.books()
    counted = [books.totals[name] for name in ("edited", "replayed", "dead", "discarded")]
    assert (counted, books.difference) == ([1, 1, 1, 0], 0)
    [entry] = bench.queue.audit.newest()
    assert (entry.what, entry.who, entry.why, entry.count) == ("fix", "ann", "typo: set event", 1)
    assert (entry.wanted, entry.numbers) == (LetterFilter(reason="invalid"), (letter.id,))
    batch = bench.take()
    assert [(one.number, one.payload) for one in batch.members] == [(letter.id, event("Play"))]
    bench.bury(batch)
    [again] = letters(bench)
    assert (again.payload, again.original, again.replays) == (event("Play"), event("Pley"), 1)
    assert [(edit.who, edit.why) for edit in again.edits] == [("ann", "typo: set event")]
    assert [death.reason for death in again.deaths] == ["invalid"]
    assert fix(bench, Correction(again, event("Plays"))) == Corrected(moved=1)
    bench.deliver(bench.take())
    assert bench.redis.exists(bench.key("history"), bench.key("letters")) == 0
    assert bench.queue.books().difference == 0


def test_a_second_fix_keeps_what_was_pushed_first(bench: Bench) -> None:
    [letter] = buried(bench, event("a"))
    for name in ("b", "c"):
        fix(bench, Correction(letter, event(name)))
        bench.bury(bench.take())
        [letter] = letters(bench)
    assert (letter.payload, letter.original, len(letter.edits)) == (event("c"), event("a"), 2)
    assert letter.original is not None
    assert bench.queue.edit(letter, letter.original, who="ann") == "done"
    assert letters(bench)[0].payload == event("a")


def test_letters_that_left_or_changed_meanwhile_are_left_alone_and_counted(bench: Bench) -> None:
    edited, replayed, dead_again, discarded, kept = buried(bench, *[event("a")] * 5)
    bench.queue.edit(edited, event("b"), who="bob")
    bench.queue.replay([dead_again.id])
    bench.bury(bench.take())
    bench.queue.replay([replayed.id])
    bench.queue.discard([discarded.id])
    every = (edited, replayed, dead_again, discarded, kept)
    assert fix(bench, *(Correction(one, event("c")) for one in every)) == Corrected(1, 2, 2)
    left = {one.id: one.payload for one in letters(bench)}
    assert left == {edited.id: event("b"), dead_again.id: event("a")}
    sent = {one.number: one.payload for one in bench.take().members}
    assert sent == {replayed.id: event("a"), kept.id: event("c")}
    assert bench.queue.books().difference == 0


def test_a_repeated_fix_answers_as_the_first_did_and_moves_nothing_twice(bench: Bench) -> None:
    [letter] = buried(bench, event("a"))
    answers = [fix(bench, Correction(letter, event("b")), op="op") for _ in range(2)]
    assert answers == [Corrected(moved=1)] * 2
    assert len(bench.take().members) == 1
    assert len(bench.queue.audit.newest()) == 1


def test_a_foreign_key_stops_a_fix_before_anything_is_changed(bench: Bench) -> None:
    [letter] = buried(bench, event("a"))
    bench.redis.set(bench.key("audit"), "foreign")
    with pytest.raises(Exception, match="WRONGTYPE") as failed:
        fix(bench, Correction(letter, event("b")))
    assert not isinstance(failed.value, ResponseError)
    assert letters(bench) == [letter]
    assert bench.redis.llen(bench.key("lane:event")) == 0


def test_updates_of_a_profile_go_in_the_order_in_which_they_were_pushed(bench: Bench) -> None:
    found = buried(bench, *(update("u", n) for n in range(12)), lane=Lane.PROFILE_UPDATE)
    shuffled = [*found[6:], *found[:6]]
    fix(bench, *(Correction(one, update("v", n)) for n, one in enumerate(shuffled)))
    members = bench.take_read(Lane.PROFILE_UPDATE).members
    by_number = [Number(f"0-{n}") for n in range(1, 13)]
    assert [one.number for one in members] == by_number
    assert [one.id for one in sorted(shuffled, key=place_of)] == by_number


def test_letters_of_several_partitions_are_fixed_each_in_its_own(queue: Queue) -> None:
    three = Partitioned(queue.redis)
    for index in range(3):
        three.bury(index, *[event("a")] * 3)
    found = three.letters()
    bench = Bench(three.queue)
    fixed = [Correction(one, event("b")) for one in found]
    assert fix(bench, *fixed) == Corrected(moved=9)
    assert letters(bench) == []
    assert [three.redis.llen(three.key(index, "lane:event")) for index in range(3)] == [3, 3, 3]
    assert bench.queue.books().difference == 0
