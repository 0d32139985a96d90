"""Settling: a verdict for each member, once (rules 1, 2, 12)."""

import pytest

from mixrelay.shared.queue import Batch, Dead, Lane, Limits, Park, Settled, Settlement
from tests.support.bench import Bench, event, numbers, outage, payloads

ENDS = {
    "delivered": Settlement(delivered="all", sent=True, accepted=True, destination="d"),
    "some": Settlement(delivered=["0-1"], dead=[Dead("0-2", "invalid", "x")], sent=True),
    "moved": Settlement(move_to=Lane.IMPORT, move=["0-1", "0-2", "0-3"]),
    "parked": Settlement(rest=outage(), sent=True, destination="d"),
    "kept": Settlement(delivered=["0-1"], sent=True),
    "back": Settlement(rest="back"),
}


def three(bench: Bench) -> Batch:
    bench.route(event("1"), event("2"), event("3"))
    return bench.take()


def test_all_delivered_is_gone_and_counted(bench: Bench) -> None:
    bench.deliver(three(bench))
    books = bench.queue.books()
    assert bench.totals("received", "delivered", "delivered:event") == [3, 3, 3]
    assert (books.waiting, books.batches, books.difference) == (0, 0, 0)
    left = {key.decode() for key in bench.redis.scan_iter() if b":batch" in key}
    assert left == set()


def test_each_member_follows_its_own_verdict(bench: Bench) -> None:
    bench.route(*(event(str(i)) for i in range(1, 6)))
    batch = bench.take()
    settlement = Settlement(
        delivered=["0-1"],
        dead=[Dead("0-2", "invalid", "no time", field="time", status=400)],
        move_to=Lane.IMPORT,
        move=["0-4"],
        rest=Park("cut answer", delay_ms=0, ambiguous=True),
        sent=True,
    )
    assert bench.queue.settle(batch, settlement) is Settled.DONE
    [letter] = bench.queue.letters.get_many(["0-1", "0-2", "0-3", "0-4", "0-5"])
    assert (letter.id, letter.payload) == ("0-2", event("2"))
    assert bench.lane(Lane.IMPORT) == [event("4")]
    rest = bench.take()
    assert (numbers(rest), rest.ambiguous) == (["0-3", "0-5"], True)
    assert bench.queue.books().difference == 0
    assert bench.totals("delivered", "dead", "dead:event:invalid") == [1, 1, 1]


def test_all_delivered_but_the_dead_and_the_moved(bench: Bench) -> None:
    batch = three(bench)
    settlement = Settlement(
        delivered="all", dead=[Dead("0-2", "invalid", "x")], move_to=Lane.IMPORT, move=["0-3"]
    )
    assert bench.queue.settle(batch, settlement) is Settled.DONE
    assert bench.totals("delivered", "dead") == [1, 1]
    assert bench.lane(Lane.IMPORT) == [event("3")]


def test_what_has_no_verdict_stays_leased(bench: Bench) -> None:
    batch = three(bench)
    assert bench.queue.settle(batch, ENDS["kept"]) is Settled.DONE
    assert bench.queue.extend([batch], 60) == frozenset()
    assert numbers(bench.take(claim=batch.claim)) == ["0-2", "0-3"]


@pytest.mark.parametrize("end", ENDS)
def test_a_repeated_settlement_changes_nothing_more(bench: Bench, end: str) -> None:
    batch = three(bench)
    assert bench.queue.settle(batch, ENDS[end], op="op") is Settled.DONE
    before = bench.dump()
    assert bench.queue.settle(batch, ENDS[end], op="op") is Settled.ALREADY
    assert bench.dump() == before


@pytest.mark.parametrize("end", ENDS)
def test_one_who_lost_the_batch_changes_nothing(bench: Bench, end: str) -> None:
    old = three(bench)
    bench.die(old)
    new = bench.take()
    before = bench.dump()
    assert bench.queue.settle(old, ENDS[end], op="late") is Settled.LOST
    assert bench.queue.settle(old, ENDS[end], op="late") is Settled.LOST
    after = bench.dump()
    changed = {key for key in before | after if before.get(key) != after.get(key)}
    assert all(b":totals" in key or b":minute" in key or b":done" in key for key in changed)
    assert bench.totals("lost") == [1]
    bench.deliver(new)
    assert bench.queue.settle(old, ENDS[end]) is Settled.LOST
    assert bench.totals("delivered", "dead") == [3, 0]


def test_a_batch_of_many_verdicts_settles_in_one_call(bench: Bench) -> None:
    bench.route(*(event(str(i)) for i in range(2_000)))
    batch = bench.take()
    dead = [Dead(number, "invalid", "x" * 100, status=400) for number in numbers(batch)[::2]]
    settlement = Settlement(delivered=numbers(batch)[1::2], dead=dead, sent=True)
    assert bench.queue.settle(batch, settlement) is Settled.DONE
    assert bench.totals("delivered", "dead") == [1_000, 1_000]
    assert bench.queue.books().difference == 0


def test_a_later_settlement_of_the_kept_rest_needs_its_own_op(bench: Bench) -> None:
    batch = three(bench)
    bench.queue.settle(batch, ENDS["kept"], op="one")
    bench.queue.settle(batch, Settlement(delivered="all", sent=True), op="two")
    assert bench.totals("delivered") == [3]
    assert bench.queue.books().batches == 0


def test_an_ambiguous_request_sent_again_counts_what_is_doubtful_once(bench: Bench) -> None:
    batch = three(bench)
    assert bench.queue.begin(batch, doubtful=2)
    assert bench.totals("ambiguous") == [0]
    bench.park(batch, Park("no answer", ambiguous=True))
    again = bench.take()
    assert again.ambiguous
    assert bench.queue.begin(again, doubtful=2)
    assert bench.queue.begin(again, doubtful=2)
    assert bench.totals("ambiguous") == [2]


def test_a_worker_that_dies_between_two_requests_leaves_no_doubt(bench: Bench) -> None:
    batch = three(bench)
    bench.queue.begin(batch)
    bench.queue.settle(batch, Settlement(delivered=["0-1"], sent=True, accepted=True))
    bench.die(bench.take(claim=batch.claim))
    again = bench.take()
    assert (again.ambiguous, again.attempts) == (False, 1)


def test_moved_events_keep_number_receipt_and_replays(bench: Bench) -> None:
    bench.route(event("a"))
    bench.bury(bench.take())
    bench.queue.replay(["0-1"])
    batch = bench.take()
    bench.queue.settle(batch, Settlement(move_to=Lane.IMPORT, move=["0-1"]))
    assert bench.take(Lane.IMPORT).members == batch.members


def test_moved_events_wait_behind_what_is_there(bench: Bench) -> None:
    bench.route(b'["import","x"]', event("a"))
    bench.queue.settle(bench.take(), Settlement(move_to=Lane.IMPORT, move=["0-2"]))
    assert payloads(bench.take(Lane.IMPORT, limits=Limits(linger_seconds=0))) == [
        b'["import","x"]',
        event("a"),
    ]
