"""An operator's own pause: nothing is taken from the lane until an operator resumes it."""

import pytest

from mixrelay.shared.queue import HOLDABLE, Lane, Nothing, PausedDestination
from tests.support.bench import Bench, event, numbers, outage, update


def hold(bench: Bench, lane: Lane = Lane.EVENT) -> None:
    assert bench.queue.pause(lane, who="ann@ops", why="deploy")


@pytest.mark.parametrize("lane", HOLDABLE)
def test_from_a_held_lane_nobody_takes_anything_until_it_is_resumed(
    bench: Bench, lane: Lane
) -> None:
    bench.route(b'["%s","{}"]' % lane.value.encode())
    hold(bench, lane)
    for owner in ("one", "another"):
        wait = bench.refused(lane, owner=owner, alone=True, fresh_while_paused=32).wait_seconds
        assert wait is not None, "it is not empty"
        assert 1 <= wait <= 5, "a resume is noticed soon, and nobody spins"
    assert bench.queue.resume(lane, who="bob")
    assert numbers(bench.take(lane)) == ["0-1"]


def test_other_lanes_go_on_and_routing_too(bench: Bench) -> None:
    hold(bench)
    bench.route(event("a"), update("p"), b"odd")
    assert bench.queue.books().lanes[Lane.EVENT] == 1
    assert numbers(bench.take(Lane.PROFILE_UPDATE)) == ["0-2"]
    assert numbers(bench.take(Lane.ODD)) == ["0-3"]


@pytest.mark.parametrize("lane", [Lane.EVENT, Lane.PROFILE_UPDATE])
def test_a_parked_batch_waits_too_and_so_does_what_has_new_credentials(
    bench: Bench, lane: Lane
) -> None:
    bench.route(event("a") if lane is Lane.EVENT else update("p"))
    bench.park(bench.take(lane, destination="old"), outage())
    hold(bench, lane)
    bench.pause_over("old")
    bench.refused(lane, destination="old")
    bench.refused(lane, destination="new")
    bench.queue.resume(lane, who="ann@ops")
    assert bench.take(lane, destination="new").destination == "new"


def test_no_probe_is_sent_from_a_held_lane(bench: Bench) -> None:
    bench.route(event("a"))
    bench.park(bench.take(), outage())
    hold(bench)
    bench.pause_over()
    bench.refused()
    assert not bench.redis.hexists(bench.key("pause:track/1"), "probe")


def test_what_is_leased_settles_as_ever_and_no_acceptance_ends_the_hold(bench: Bench) -> None:
    bench.route(event("a"))
    first = bench.take()
    bench.route(event("b"))
    second = bench.take()
    bench.route(event("c"))
    hold(bench)
    assert bench.queue.begin(first)
    bench.deliver(first)
    assert bench.queue.extend([second], 60) == frozenset()
    bench.park(second, outage())
    bench.pause_over()
    assert bench.totals("delivered") == [1]
    bench.refused()


def test_a_reserve_whose_reply_was_lost_is_answered_with_its_batch_though_the_lane_is_held(
    bench: Bench,
) -> None:
    bench.route(event("a"))
    batch = bench.take(claim="mine")
    hold(bench)
    assert bench.take(claim="mine") == batch


def test_nothing_that_workers_do_ends_a_hold(bench: Bench) -> None:
    """Neither a 429 and its end, nor a lease that runs out, nor a reap that tidies pauses up."""
    bench.route(event("a"))
    batch = bench.take()
    hold(bench)
    bench.park(batch, outage())
    bench.pause_over()
    bench.queue.reap()
    bench.refused()
    bench.queue.resume(Lane.EVENT, who="ann@ops")
    dying = bench.take()
    hold(bench)
    bench.die(dying)
    bench.queue.end_leases("worker", died=True)
    bench.queue.reap()
    bench.refused()
    assert [one.lane for one in bench.queue.books().held] == [Lane.EVENT]


def test_an_empty_held_lane_stays_held(bench: Bench) -> None:
    hold(bench)
    bench.queue.reap()
    bench.route(event("a"))
    bench.refused()


def test_letters_that_are_replayed_wait_in_the_held_lane(bench: Bench) -> None:
    bench.route(event("a"))
    bench.bury(bench.take())
    hold(bench)
    assert bench.queue.replay(["0-1"]) == 1
    bench.refused()
    assert bench.queue.books().lanes[Lane.EVENT] == 1


def test_the_books_show_who_holds_a_lane_and_why(bench: Bench) -> None:
    assert bench.queue.books().held == ()
    before = bench.queue.books().now_ms
    hold(bench)
    books = bench.queue.books()
    [held] = books.held
    assert (held.lane, held.who, held.why) == (Lane.EVENT, "ann@ops", "deploy")
    assert before <= held.since_ms <= books.now_ms
    assert books.paused == (
        PausedDestination(
            destination="event",
            lane="event",
            kind="operator",
            reason="held by ann@ops: deploy",
            status=0,
            seconds=0.0,
            failures=0,
            since_ms=held.since_ms,
        ),
    )
    bench.queue.resume(Lane.EVENT, who="ann@ops")
    assert (bench.queue.books().held, bench.queue.books().paused) == ((), ())


def test_the_first_hold_stands_and_anyone_may_end_it(bench: Bench) -> None:
    hold(bench)
    assert not bench.queue.pause(Lane.EVENT, who="bob@ops", why="incident")
    assert [one.who for one in bench.queue.books().held] == ["ann@ops"]
    assert bench.queue.resume(Lane.EVENT, who="bob@ops", why="done")
    assert not bench.queue.resume(Lane.EVENT, who="ann@ops")


def test_the_audit_tells_who_held_and_resumed_what(bench: Bench) -> None:
    hold(bench)
    bench.queue.pause(Lane.EVENT, who="bob", why="is held already")
    bench.queue.resume(Lane.EVENT, who="bob", why="done")
    bench.queue.resume(Lane.EVENT, who="bob", why="is not held")
    told = [(one.what, one.lane, one.who, one.why) for one in bench.queue.audit.newest()]
    assert told == [("resume", "event", "bob", "done"), ("pause", "event", "ann@ops", "deploy")]


def test_asked_again_after_a_lost_reply_both_answer_as_the_first_time(bench: Bench) -> None:
    for move in (bench.queue.pause, bench.queue.resume):
        assert move(Lane.EVENT, who="ann", why="deploy", op=move.__name__)
        before = bench.dump()
        assert move(Lane.EVENT, who="ann", why="deploy", op=move.__name__)
        assert bench.dump() == before


def test_the_odd_lane_cannot_be_held(bench: Bench) -> None:
    before = bench.dump()
    with pytest.raises(ValueError, match="nothing is sent from it"):
        bench.queue.pause(Lane.ODD, who="ann", why="")
    assert bench.dump() == before


def test_a_full_redis_does_not_keep_an_operator_from_it(bench: Bench) -> None:
    bench.route(event("a"))
    bench.redis.config_set("maxmemory", 1)
    try:
        hold(bench)
        assert isinstance(bench.reserve(), Nothing)
        bench.queue.resume(Lane.EVENT, who="ann@ops")
    finally:
        bench.redis.config_set("maxmemory", 0)
    assert numbers(bench.take()) == ["0-1"]
