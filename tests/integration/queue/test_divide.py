"""Dividing a batch: halves, destinations and parts that were sent."""

import pytest
from redis.exceptions import ResponseError

from mixrelay.shared.queue import Division, Lane, Number, Park, Part, Settled
from tests.support.bench import DESTINATION, Bench, event, numbers, outage, update


def test_a_part_leaves_with_its_members_and_the_rest_stays_leased(bench: Bench) -> None:
    bench.route(*(event(str(i)) for i in range(4)))
    batch = bench.take()
    division = Division([Part(["0-3", "0-4"])], strikes=True)
    assert bench.queue.divide(batch, division) is Settled.DONE
    stayed = bench.take(claim=batch.claim)
    part = bench.take()
    assert (numbers(stayed), numbers(part)) == (["0-1", "0-2"], ["0-3", "0-4"])
    assert stayed.part
    assert part.part
    assert bench.queue.books().difference == 0


def test_a_split_after_failures_begins_their_count_anew(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    bench.park(bench.take(), Park("500", counts=True))
    batch = bench.take()
    bench.queue.divide(batch, Division([Part(["0-2"])], strikes=True))
    part = bench.take()
    assert [(half.failures, half.attempts) for half in (part, bench.take(claim=batch.claim))] == [
        (0, 1),
        (0, 1),
    ]


def test_a_repeated_division_answers_already_and_changes_nothing(bench: Bench) -> None:
    bench.route(event("a"), event("b"), event("c"))
    batch = bench.take()
    division = Division([Part(["0-2"]), Part(["0-3"])])
    assert bench.queue.divide(batch, division, op="op") is Settled.DONE
    before = bench.dump()
    assert bench.queue.divide(batch, division, op="op") is Settled.ALREADY
    assert bench.dump() == before


def test_one_who_lost_the_batch_divides_nothing(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    batch = bench.take()
    bench.die(batch)
    before = bench.dump()
    assert bench.queue.divide(batch, Division([Part(["0-2"])])) is Settled.LOST
    assert bench.dump() == before


def test_a_division_that_leaves_nothing_is_refused_untouched(bench: Bench) -> None:
    bench.route(event("a"))
    batch = bench.take()
    before = bench.dump()
    with pytest.raises(ResponseError, match="must keep a member"):
        bench.queue.divide(batch, Division([Part(["0-1"])]))
    assert bench.dump() == before


def test_a_part_without_members_makes_no_batch(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    batch = bench.take()
    assert bench.queue.divide(batch, Division([Part([]), Part(["0-2"])])) is Settled.DONE
    assert bench.queue.books().batches == 2


def test_a_part_for_foreign_credentials_waits_for_their_pause(bench: Bench) -> None:
    bench.route(event("ours"), event("theirs"))
    batch = bench.take()
    division = Division([Part(["0-2"], destination="import/foreign")], destination=DESTINATION)
    bench.queue.divide(batch, division)
    bench.deliver(bench.take(claim=batch.claim))
    part = bench.take()
    assert part.destination == "import/foreign"
    bench.park(part, outage())
    bench.due()
    # A worker whose own credentials are others must not try it before the pause is over.
    assert bench.refused(destination="track/2").wait_seconds is not None


def test_a_part_for_the_workers_own_credentials_follows_them_when_they_change(
    bench: Bench,
) -> None:
    bench.route(event("a"), event("b"))
    batch = bench.take()
    division = Division(
        [Part(["0-2"], destination=DESTINATION, own=True)], destination="import/foreign"
    )
    bench.queue.divide(batch, division)
    part = bench.take()
    bench.park(part, outage())
    assert bench.take(destination="track/2").destination == "track/2"


def test_parts_keep_the_order_of_an_ordered_lane(bench: Bench) -> None:
    lane = Lane.PROFILE_UPDATE
    bench.route(*(update(f"p{i % 2}", i) for i in range(7)))
    batch = bench.take(lane)
    bench.queue.divide(
        batch, Division([Part(["0-3", "0-4"]), Part(["0-5", "0-6", "0-7"])], strikes=True)
    )
    bench.deliver(bench.take(lane, claim=batch.claim))
    seen: list[Number] = []
    while len(seen) < 5:
        part = bench.take(lane)
        seen += numbers(part)
        bench.deliver(part)
    assert seen == ["0-3", "0-4", "0-5", "0-6", "0-7"]


def test_a_batch_parts_into_one_for_each_member(bench: Bench) -> None:
    bench.route(*(update(str(i)) for i in range(2_000)))
    batch = bench.take(Lane.PROFILE_UPDATE)
    parts = [Part([number]) for number in numbers(batch)[1:]]
    assert bench.queue.divide(batch, Division(parts)) is Settled.DONE
    assert bench.queue.books().batches == 2_000
    order = bench.redis.lrange(bench.key("order:profile_update"), 0, -1)
    firsts = [bench.redis.lindex(bench.key(f"batch:{id_.decode()}"), 0) for id_ in order]
    assert [first.split()[0].decode() for first in firsts] == numbers(batch)


def test_a_probe_whose_records_go_elsewhere_lets_another_probe(bench: Bench) -> None:
    bench.route(event("a"))
    bench.park(bench.take(), outage())
    bench.route(event("b"), event("c"))
    bench.pause_over()
    probe = bench.take()
    assert probe.probe
    bench.queue.divide(probe, Division([Part(["0-3"])], destination="import/foreign"))
    assert not bench.take().probe
    assert bench.take().probe


def test_the_parts_of_what_was_sent_without_an_answer_are_ambiguous_too(bench: Bench) -> None:
    bench.route(*[update("p")] * 2)
    batch = bench.take(Lane.PROFILE_UPDATE)
    bench.queue.begin(batch, doubtful=2)
    half = Division([Part(["0-2"])], strikes=True, ambiguous=True)
    assert bench.queue.divide(batch, half) is Settled.DONE
    bench.park(batch, Park("no answer", ambiguous=True))
    for _ in range(2):
        part = bench.take(Lane.PROFILE_UPDATE)
        assert part.ambiguous
        bench.deliver(part)


def test_parts_that_go_home_let_what_came_meanwhile_go_first(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    batch = bench.take()
    bench.route(event("c"))
    division = Division([Part(["0-2"])], home=True)
    assert bench.queue.divide(batch, division, op="op") is Settled.DONE
    assert bench.queue.divide(batch, division, op="op") is Settled.ALREADY
    assert bench.lane(Lane.EVENT) == [event("c"), event("b")]
    assert numbers(bench.take(claim=batch.claim)) == ["0-1"]
    assert bench.queue.books().difference == 0


def test_what_was_tried_or_has_an_order_does_not_go_home(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    bench.park(bench.take(), Park("503"))
    tried = bench.take()
    bench.queue.divide(tried, Division([Part(["0-2"])], home=True))
    assert bench.lane(Lane.EVENT) == []
    assert bench.take().attempts == 1
    bench.route(update("p", 1), update("p", 2), update("p", 3))
    batch = bench.take(Lane.PROFILE_UPDATE)
    bench.route(update("p", 4))
    bench.queue.divide(batch, Division([Part(["0-4"]), Part(["0-5"])], home=True))
    assert bench.lane(Lane.PROFILE_UPDATE) == [update("p", 4)]
    bench.deliver(batch)
    assert [numbers(bench.take_read(Lane.PROFILE_UPDATE))[0]] == ["0-4"]
