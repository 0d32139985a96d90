"""Paces: after a pause a destination begins with one batch and comes to full speed (rule 4)."""

from typing import Any

import pytest

from mixrelay.shared.queue import Batch, Lane, Limits, Park, Pause, PauseKind, Settlement
from tests.support.bench import DESTINATION, Bench, event, numbers, outage, update

FULL_SPEED = 32
ONE = Limits(records=1, linger_seconds=0)


def stock(bench: Bench, count: int) -> None:
    """Messages of which each shall be a batch."""
    bench.route(*(event(str(i)) for i in range(count)))


def one(bench: Bench, **options: Any) -> Batch:
    return bench.take(limits=ONE, **options)


def all_that_may(bench: Bench, **options: Any) -> list[Batch]:
    """Leases batches until no more are handed out."""
    taken = []
    while isinstance(reply := bench.reserve(limits=ONE, **options), Batch):
        taken.append(reply)
    return taken


def limited(base_ms: int = 60_000) -> Park:
    return Park("429", status=429, pause=Pause(PauseKind.OUTAGE, base_ms=base_ms))


def after_an_outage(bench: Bench, count: int = 200) -> None:
    """The first batch failed, its pause is over, and the probe was accepted."""
    stock(bench, count)
    bench.park(one(bench), outage())
    probe(bench)


def probe(bench: Bench) -> None:
    bench.pause_over()
    batch = one(bench)
    assert batch.probe
    bench.deliver(batch)


def limit(bench: Bench) -> int | None:
    return bench.queue.books().paces.get(DESTINATION)


def test_a_destination_that_never_failed_has_no_pace(bench: Bench) -> None:
    stock(bench, 100)
    assert len(all_that_may(bench)) == 100
    assert bench.queue.books().paces == {}


def test_after_a_pause_each_round_trip_doubles_what_is_sent_at_once(bench: Bench) -> None:
    after_an_outage(bench)
    rounds = []
    for _ in range(6):
        taken = all_that_may(bench)
        rounds.append(len(taken))
        for batch in taken:
            bench.deliver(batch)
    assert rounds == [1, 2, 4, 8, 16, 32]


def test_fifty_workers_that_ask_at_once_get_one_batch(bench: Bench) -> None:
    after_an_outage(bench)
    replies = [bench.reserve(owner=f"w{i}", limits=ONE) for i in range(50)]
    assert sum(isinstance(reply, Batch) for reply in replies) == 1
    wait = bench.refused().wait_seconds
    assert wait is not None
    assert 0 < wait <= 1


def test_it_ends_at_full_speed(bench: Bench) -> None:
    after_an_outage(bench)
    for _ in range(FULL_SPEED - 1):
        assert limit(bench) is not None
        bench.deliver(one(bench))
    assert limit(bench) is None
    assert len(all_that_may(bench)) > FULL_SPEED


def test_it_lasts_as_long_as_a_large_fleet_uses_it_up(bench: Bench) -> None:
    after_an_outage(bench, 300)
    while len(taken := all_that_may(bench)) <= FULL_SPEED:
        for batch in taken:
            bench.deliver(batch)
    assert limit(bench) == len(taken)


def test_a_new_pause_halves_what_was_under_way_once(bench: Bench) -> None:
    stock(bench, 20)
    taken = all_that_may(bench)
    for batch in taken[:6]:
        bench.park(batch, outage())
    assert limit(bench) == 10


def test_a_probe_that_fails_halves_nothing_more(bench: Bench) -> None:
    stock(bench, 20)
    for batch in all_that_may(bench):
        bench.park(batch, limited())
    for _ in range(3):
        bench.pause_over()
        bench.park(one(bench), limited())
    assert limit(bench) == 10


def test_a_rate_limit_is_approached_slowly_from_half_of_what_was_too_much(bench: Bench) -> None:
    stock(bench, 200)
    taken = [one(bench) for _ in range(8)]
    for batch in taken:
        bench.park(batch, limited())
    probe(bench)
    rounds = []
    for _ in range(7):
        taken = all_that_may(bench)
        rounds.append(len(taken))
        for batch in taken:
            bench.deliver(batch)
    assert rounds == [1, 2, 4, 5, 6, 7, 8]


def test_what_was_under_way_with_a_429_does_not_end_its_pause(bench: Bench) -> None:
    stock(bench, 3)
    first, second = one(bench), one(bench)
    bench.park(first, limited())
    bench.deliver(second)
    [pause] = bench.queue.books().paused
    assert pause.status == 429
    bench.refused()
    probe(bench)
    assert bench.queue.books().paused == ()


def test_a_429_pauses_although_others_passed_and_comes_back_later_each_time(bench: Bench) -> None:
    stock(bench, 1)
    culprit = one(bench)
    waits = []
    for _ in range(3):
        bench.park(culprit, limited(base_ms=2_000))
        [pause] = bench.queue.books().paused
        assert pause.seconds <= 2
        waits.append(round((bench.state(culprit.id)["due"] - bench.queue.books().now_ms) / 1000))
        bench.redis.hset(bench.key(f"pause:{DESTINATION}"), "until", 1)
        stock(bench, 1)
        other = one(bench)
        assert other.id != culprit.id
        bench.deliver(other)
        bench.redis.hincrby(bench.key("accepted"), DESTINATION, 1)
        bench.due()
        culprit = one(bench)
    assert waits == [2, 2, 4]


@pytest.mark.parametrize("end", ["given back", "dead", "reaped", "its owner died", "run out"])
def test_no_end_of_a_lease_leaves_a_place_taken(bench: Bench, end: str) -> None:
    after_an_outage(bench, 10)
    batch = one(bench)
    bench.refused(limits=ONE)
    match end:
        case "given back":
            bench.queue.settle(batch, Settlement(rest="back"))
        case "dead":
            bench.bury(batch)
        case "reaped":
            bench.die(batch)
        case "its owner died":
            bench.queue.end_leases("worker", died=True)
        case _:
            bench.lease_over(batch)
    assert isinstance(bench.reserve(limits=ONE), Batch)
    bench.refused(limits=ONE)


def test_other_destinations_and_lanes_are_not_slowed(bench: Bench) -> None:
    after_an_outage(bench, 10)
    one(bench)
    bench.refused(limits=ONE)
    bench.route(update("p"))
    bench.take(Lane.PROFILE_UPDATE, destination="engage/1")
    assert len(all_that_may(bench, destination="track/2")) > 5


def test_an_ordered_lane_has_no_pace(bench: Bench) -> None:
    bench.route(update("p"))
    batch = bench.take(Lane.PROFILE_UPDATE, destination="engage/1")
    bench.park(batch, outage())
    bench.pause_over("engage/1")
    bench.deliver(bench.take(Lane.PROFILE_UPDATE, destination="engage/1"))
    assert bench.queue.books().paces == {}


def test_a_batch_of_another_gate_is_told_which_destinations_are_held_back(bench: Bench) -> None:
    after_an_outage(bench, 3)
    elsewhere = one(bench, destination="track/2")
    assert elsewhere.paused == {DESTINATION}
    # Its records turned out to go there: it waits for its turn.
    one(bench)
    bench.park(elsewhere, Park("begins slowly"), sent=False, destination=DESTINATION)
    bench.refused(limits=ONE)


def test_a_worker_without_a_destination_goes_on_slower_from_a_number_of_parked_on(
    bench: Bench,
) -> None:
    after_an_outage(bench, 5)
    batch = one(bench, destination=None, fresh_while_paused=1)
    bench.park(batch, Park("begins slowly"), sent=False, destination=DESTINATION)
    again = one(bench, destination=None, fresh_while_paused=1)
    assert numbers(again) == numbers(batch)
    bench.park(again, Park("later", delay_ms=60_000), sent=False)
    bench.take(destination=None, limits=ONE, fresh_while_paused=1)
    wait = bench.refused(destination=None, limits=ONE, fresh_while_paused=1).wait_seconds
    assert wait is not None
    assert wait <= 0.25


def test_a_pace_that_nothing_changed_for_long_is_forgotten(bench: Bench) -> None:
    after_an_outage(bench, 3)
    bench.queue.reap()
    assert limit(bench) == 1
    bench.redis.hset(bench.key("paces"), DESTINATION, b'{"limit":1,"at":1}')
    bench.queue.reap()
    assert limit(bench) is None
