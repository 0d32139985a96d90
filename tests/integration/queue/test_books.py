"""The books at one instant (rule 1)."""

from mixrelay.shared.queue import TOTALS, Lane, Park, Settlement
from tests.support.bench import Bench, event, outage, update


def test_a_queue_that_never_was_has_empty_books(bench: Bench) -> None:
    books = bench.queue.books()
    assert (books.queued, books.waiting, books.dead, books.difference) == (0, 0, 0, 0)
    assert books.totals == dict.fromkeys(TOTALS, 0)
    assert (books.oldest_ms, books.empty_at_ms, books.head, books.oldest_letter_ms) == (
        None,
        None,
        None,
        None,
    )
    assert books.paused == ()
    assert list(bench.redis.scan_iter()) == []


def test_every_place_a_message_can_be_in_is_counted(bench: Bench) -> None:
    bench.route(*(event(str(i)) for i in range(6)), update("p"), b"odd")
    leased = bench.take()
    bench.bury(leased, ["0-1", "0-2"])
    bench.queue.settle(leased, Settlement(delivered=["0-3"], sent=True))
    bench.queue.discard(["0-2"])
    bench.park(bench.take(Lane.PROFILE_UPDATE), Park("500", delay_ms=60_000))
    bench.queue.push([event("waits")])
    books = bench.queue.books()
    assert books.queued == 1
    assert (books.lanes[Lane.ODD], books.leased[Lane.EVENT]) == (1, 3)
    assert (books.parked[Lane.PROFILE_UPDATE], books.dead, books.batches) == (1, 1, 2)
    assert (books.in_flight, books.waiting) == (4, 6)
    assert books.dead_by == {("invalid", 400, "event"): 1}
    assert [books.totals[name] for name in ("received", "delivered", "discarded")] == [8, 1, 1]
    assert books.difference == 0


def test_the_difference_shows_a_message_that_vanished(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    bench.redis.lpop(bench.key("lane:event"))
    assert bench.queue.books().difference == 1


def test_the_oldest_message_is_told_wherever_it_lies(bench: Bench) -> None:
    bench.route(event("a"))
    batch = bench.take()
    oldest = batch.members[0].received_ms
    bench.route(event("b"), update("p"))
    assert bench.queue.books().oldest_ms == oldest
    bench.park(batch, outage())
    assert bench.queue.books().oldest_ms == oldest


def test_the_head_of_the_list_is_shown_cut(bench: Bench) -> None:
    bench.queue.push([b"\xff" * 10_000, b"second"])
    assert bench.queue.books().head == b"\xff" * 4096


def test_this_minutes_counters_are_kept_apart(bench: Bench) -> None:
    bench.route(event("a"))
    bench.deliver(bench.take())
    books = bench.queue.books()
    delivered = sum(minute.get("delivered", 0) for minute in books.minutes.values())
    assert delivered == 1
    assert len(books.minutes) == 2
    [minute] = [key for key in bench.redis.scan_iter() if b":minute:" in key][:1]
    assert 0 < bench.redis.ttl(minute) <= 90_000


def test_a_pause_is_told_with_its_reason(bench: Bench) -> None:
    bench.route(event("a"))
    bench.park(bench.take(), outage(base_ms=30_000))
    [pause] = bench.queue.books().paused
    assert (pause.destination, pause.lane, pause.kind) == ("track/1", "event", "outage")
    assert (pause.reason, pause.status, pause.failures) == ("503 from Mixpanel", 503, 1)
    assert 25 < pause.seconds <= 30
    bench.pause_over()
    [pause] = bench.queue.books().paused
    assert pause.seconds == 0


def test_what_an_outage_or_a_pause_holds_is_not_ready(bench: Bench) -> None:
    assert bench.queue.books().ready_ms is None
    bench.route(event("a"), event("b"))
    books = bench.queue.books()
    assert books.ready_ms == books.oldest_ms is not None
    bench.queue.pause(Lane.EVENT, who="ann", why="w")
    assert (bench.queue.books().ready_ms, bench.queue.books().oldest_ms) == (None, books.oldest_ms)
    bench.queue.resume(Lane.EVENT, who="ann")
    batch = bench.take()
    assert bench.queue.books().ready_ms is None, "a worker holds it"
    bench.park(batch, outage())
    assert bench.queue.books().ready_ms is None
    bench.route(event("c"))
    assert bench.queue.books().ready_ms is None, "its circuit is open"
    bench.pause_over()
    bench.deliver(bench.take())
    assert bench.queue.books().ready_ms is not None
