"""A list of records becomes one message a record (rule 8)."""

import pytest
from redis.exceptions import ResponseError

from mixrelay.shared.queue import (
    Dead,
    Edited,
    Expansion,
    Lane,
    LetterFilter,
    Settled,
    Settlement,
)
from tests.support.bench import Bench, event, numbers, payloads, update

LIST = b'["event","[1,2,3]"]'


def test_the_records_stand_in_the_lists_place(bench: Bench) -> None:
    bench.route(event("a"), LIST, event("b"))
    batch = bench.take()
    records = [event("x"), event("y"), event("z")]
    assert bench.queue.expand(batch, [Expansion("0-2", records)]) is Settled.DONE
    grown = bench.take(claim=batch.claim)
    assert numbers(grown) == ["0-1", "0-2.1", "0-2.2", "0-2.3", "0-3"]
    assert payloads(grown) == [event("a"), *records, event("b")]
    assert {member.received_ms for member in grown.members[1:4]} == {batch.members[1].received_ms}
    assert bench.totals("received") == [5]
    assert bench.queue.books().difference == 0


def test_a_list_of_one_counts_one(bench: Bench) -> None:
    bench.route(LIST)
    bench.queue.expand(bench.take(), [Expansion("0-1", [event("x")])])
    assert bench.totals("received") == [1]


def test_numbers_go_on_when_the_rest_has_its_turn(bench: Bench) -> None:
    bench.route(LIST)
    batch = bench.take()
    bench.queue.expand(batch, [Expansion("0-1", [event("x"), event("y"), LIST])])
    assert bench.totals("received") == [3]
    bench.queue.expand(batch, [Expansion("0-1.3", [event("z"), event("w")])])
    assert numbers(bench.take(claim=batch.claim)) == ["0-1.1", "0-1.2", "0-1.3", "0-1.4"]
    assert bench.totals("received") == [4]
    assert bench.queue.books().difference == 0


def test_a_repeated_expansion_changes_nothing_more(bench: Bench) -> None:
    bench.route(LIST)
    batch = bench.take()
    records = [event("x"), event("y")]
    assert bench.queue.expand(batch, [Expansion("0-1", records)], op="op") is Settled.DONE
    before = bench.dump()
    assert bench.queue.expand(batch, [Expansion("0-1", records)], op="op") is Settled.ALREADY
    assert bench.dump() == before


def test_one_who_lost_the_batch_expands_nothing(bench: Bench) -> None:
    bench.route(LIST)
    batch = bench.take()
    bench.die(batch)
    before = bench.dump()
    assert bench.queue.expand(batch, [Expansion("0-1", [event("x")])]) is Settled.LOST
    assert bench.dump() == before


def test_a_number_that_is_not_there_is_refused_untouched(bench: Bench) -> None:
    bench.route(LIST)
    batch = bench.take()
    before = bench.dump()
    with pytest.raises(ResponseError, match="0-9 is not in batch"):
        bench.queue.expand(batch, [Expansion("0-9", [event("x")])])
    assert bench.dump() == before


def test_records_of_a_replayed_list_keep_its_history(bench: Bench) -> None:
    bench.route(LIST)
    bench.bury(bench.take(), reason="rejected")
    bench.queue.replay(["0-1"])
    batch = bench.take()
    bench.queue.expand(batch, [Expansion("0-1", [event("x"), event("y")])])
    bench.queue.settle(
        batch, Settlement(delivered=["0-1.1"], dead=[Dead("0-1.2", "invalid", "x")], sent=True)
    )
    [letter] = bench.queue.letters.get_many(["0-1.2"])
    assert (letter.attempts, letter.replays) == (2, 1)
    assert [death.reason for death in letter.deaths] == ["rejected"]
    assert bench.redis.exists(bench.key("history")) == 0


def test_a_batch_may_grow_beyond_what_one_unpack_takes(bench: Bench) -> None:
    """Twenty lists of 1,000 updates; then its workers die and it is halved."""
    lane = Lane.PROFILE_UPDATE
    bench.route(*[b'["people",[{}]]'] * 20)
    batch = bench.take(lane)
    for number in numbers(batch):
        bench.queue.expand(batch, [Expansion(number, [update(number)] * 1_000)])
    grown = bench.take(lane, claim=batch.claim)
    assert len(grown.members) == 20_000
    bench.change(grown.id, deaths=2)
    bench.die(grown)
    seen: list[str] = []
    for _ in range(2):
        half = bench.take(lane, alone=True)
        seen += numbers(half)
        bench.deliver(half)
    assert seen == numbers(grown)
    assert bench.totals("received", "delivered") == [20_000, 20_000]


def test_many_lists_are_expanded_in_one_call_each_in_its_place(bench: Bench) -> None:
    bench.route(LIST, event("between"), LIST)
    batch = bench.take()
    lists = [
        Expansion("0-1", [event("a"), event("b")]),
        Expansion("0-3", [event("c"), LIST]),
    ]
    assert bench.queue.expand(batch, lists) is Settled.DONE
    members = bench.take(claim=batch.claim).members
    assert [m.number for m in members] == ["0-1.1", "0-1.2", "0-2", "0-3.1", "0-3.2"]
    assert [m.payload for m in members][3:] == [event("c"), LIST]
    assert bench.queue.books().difference == 0


def test_a_record_that_was_edited_into_a_list_takes_no_neighbour_s_number(bench: Bench) -> None:
    bench.route(LIST)
    batch = bench.take()
    bench.queue.expand(batch, [Expansion("0-1", [event("x"), event("y"), event("z")])])
    bench.bury(bench.take(claim=batch.claim), ["0-1.2", "0-1.3"])
    batch = bench.take(claim=batch.claim)
    bench.deliver(batch)
    [second] = bench.queue.letters.get_many(["0-1.2"])
    assert bench.queue.edit(second, LIST, who="ann") is Edited.DONE
    bench.queue.replay(["0-1.2"])

    batch = bench.take()
    bench.queue.expand(batch, [Expansion("0-1.2", [event("p"), event("q"), LIST])])
    assert numbers(bench.take(claim=batch.claim)) == ["0-1.2.1", "0-1.2.2", "0-1.2.3"]
    bench.queue.expand(batch, [Expansion("0-1.2.3", [event("r"), event("s")])])
    grown = bench.take(claim=batch.claim)
    assert numbers(grown) == ["0-1.2.1", "0-1.2.2", "0-1.2.3", "0-1.2.4"]
    bench.bury(grown)

    found = {letter.id: letter.payload for letter in bench.queue.letters.find(LetterFilter())}
    assert found["0-1.3"] == event("z")
    assert len(found) == bench.queue.books().dead == 5
    assert bench.queue.books().difference == 0
    [fourth] = bench.queue.letters.get_many(["0-1.2.4"])
    assert (len(fourth.edits), fourth.original) == (1, event("y"))


def test_such_a_list_may_be_edited_once_more(bench: Bench) -> None:
    bench.route(LIST)
    batch = bench.take()
    bench.queue.expand(batch, [Expansion("0-1", [event("x"), event("y")])])
    number = "0-1.1"
    for _ in range(2):
        bench.bury(bench.take(claim=batch.claim))
        [letter] = bench.queue.letters.get_many([number])
        assert bench.queue.edit(letter, LIST) is Edited.DONE
        bench.queue.replay([number])
        batch = bench.take()
        bench.queue.expand(batch, [Expansion(number, [event("p"), event("q")])])
        assert numbers(bench.take(claim=batch.claim)) == [f"{number}.1", f"{number}.2"]
        number = f"{number}.1"
    assert bench.queue.books().difference == 0


def test_a_shorter_list_has_the_numbers_of_its_records(bench: Bench) -> None:
    bench.route(LIST, event("b"))
    batch = bench.take()
    bench.queue.expand(batch, [Expansion("0-1", [LIST, LIST], [1_000, 500])])
    assert numbers(bench.take(claim=batch.claim)) == ["0-1.1", "0-1.1001", "0-2"]
    bench.queue.expand(batch, [Expansion("0-1.1001", [event("x"), event("y")])])
    bench.queue.expand(batch, [Expansion("0-1.1", [event("v"), event("w")])])
    grown = numbers(bench.take(claim=batch.claim))
    assert grown == ["0-1.1", "0-1.2", "0-1.1001", "0-1.1002", "0-2"]
    assert bench.totals("received") == [5]
    assert bench.queue.books().difference == 0
