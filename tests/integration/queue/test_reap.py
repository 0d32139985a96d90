"""The end of leases: by time, and at once for a worker that died (rules 2 and 14)."""

from mixrelay.shared.queue import Lane
from tests.support.bench import Bench, event, numbers, outage, update


def test_a_lease_that_runs_is_left_alone(bench: Bench) -> None:
    bench.route(event("a"))
    bench.take()
    assert bench.queue.reap() == (0, 0)


def test_a_lease_that_ended_brings_the_batch_back_whole(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    batch = bench.take()
    bench.die(batch)
    again = bench.take()
    assert (again.id, again.members, again.attempts) == (batch.id, batch.members, 0)
    assert bench.totals("redelivered") == [2]
    assert bench.queue.books().difference == 0


def test_what_was_being_sent_may_have_arrived(bench: Bench) -> None:
    bench.route(event("a"))
    batch = bench.take()
    bench.queue.begin(batch)
    bench.die(batch)
    again = bench.take()
    assert (again.ambiguous, again.attempts) == (True, 1)


def test_a_call_ends_no_more_than_it_was_asked_to(bench: Bench) -> None:
    for name in "abcd":
        bench.route(event(name))
        bench.lease_over(bench.take())
    assert bench.queue.reap(3) == (3, 3)
    assert bench.queue.reap(3) == (1, 1)


def test_a_dead_workers_leases_end_at_once_and_no_one_elses(bench: Bench) -> None:
    bench.route(event("a"))
    bench.take(owner="host:1")
    bench.route(event("b"), event("c"))
    bench.take(owner="host:2")
    bench.route(event("d"))
    bench.take(owner="host:1")
    assert bench.queue.end_leases("host:1", died=True) == (2, 2)
    assert bench.queue.end_leases("host:1", died=True) == (0, 0)
    assert bench.queue.books().leased[Lane.EVENT] == 2
    assert bench.totals("redelivered") == [2]


def test_a_probe_whose_worker_died_lets_another_probe_at_once(bench: Bench) -> None:
    bench.route(event("a"))
    bench.park(bench.take(), outage())
    bench.route(event("b"))
    bench.pause_over()
    assert bench.take(owner="doomed").probe
    assert bench.refused().wait_seconds is not None
    bench.queue.end_leases("doomed", died=True)
    assert bench.take().probe


def test_a_probe_that_ran_out_does_not_end_its_successors_turn(bench: Bench) -> None:
    bench.route(event("a"))
    bench.park(bench.take(), outage())
    bench.route(event("b"))
    bench.pause_over()
    first = bench.take()
    bench.lease_over(first)
    second = bench.take()
    assert second.probe
    assert bench.queue.reap() == (1, 1)
    bench.route(event("c"))
    assert bench.refused().wait_seconds is not None


def test_a_probe_whose_pause_is_over_extends_nothing_but_its_lease(bench: Bench) -> None:
    bench.route(event("a"))
    one = bench.take()
    bench.route(event("b"))
    bench.park(bench.take(), outage())
    bench.pause_over()
    probe = bench.take()
    assert probe.probe
    bench.deliver(one)
    bench.queue.extend([probe], 60)
    assert bench.redis.exists(bench.key("pause:track/1")) == 0


def test_an_ordered_lane_goes_on_where_the_dead_worker_stood(bench: Bench) -> None:
    lane = Lane.PROFILE_UPDATE
    bench.route(update("p", 1))
    batch = bench.take(lane)
    bench.route(update("p", 2))
    bench.refused(lane)
    bench.die(batch)
    assert numbers(bench.take(lane)) == ["0-1"]
    bench.refused(lane)
