"""Pauses: one backoff for the fleet, one probe, no innocent lane (rule 4)."""

import pytest
from redis.exceptions import ResponseError

from mixrelay.shared.queue import (
    Batch,
    Division,
    Lane,
    Limits,
    Number,
    Park,
    Part,
    Pause,
    PauseKind,
    Settlement,
)
from tests.support.bench import DESTINATION, Bench, event, numbers, outage, update


def batches(bench: Bench, count: int) -> list[Batch]:
    """Leased batches of one event each."""
    taken = []
    for i in range(count):
        bench.route(event(str(i)))
        taken.append(bench.take())
    return taken


def accept(bench: Bench, batch: Batch) -> None:
    """Delivers a batch, surely a millisecond after what failed before."""
    bench.deliver(batch)
    bench.redis.hincrby(bench.key("accepted"), DESTINATION, 1)


def seconds(bench: Bench) -> float:
    [pause] = bench.queue.books().paused
    return pause.seconds


def test_a_failure_pauses_the_destination_for_all(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage(base_ms=30_000))
    bench.route(event("x"))
    wait = bench.refused(owner="another").wait_seconds
    assert wait is not None
    assert 25 < wait <= 30


def test_other_destinations_and_lanes_go_on(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.route(event("x"), update("p"))
    assert bench.take(Lane.PROFILE_UPDATE, destination="engage/1").probe is False
    assert numbers(bench.take(destination="track/2")) == ["0-1"]
    assert numbers(bench.take(destination="track/2")) == ["0-2"]


def test_requests_that_failed_together_count_as_one(bench: Bench) -> None:
    for batch in batches(bench, 3):
        bench.park(batch, outage(base_ms=10_000))
    [pause] = bench.queue.books().paused
    assert pause.failures == 1
    assert pause.seconds <= 10


def test_the_backoff_doubles_with_each_probe_up_to_its_cap(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    waits = []
    pause = Pause(PauseKind.OUTAGE, base_ms=2_000, cap_ms=10_000)
    for _ in range(5):
        bench.park(batch, Park("503", pause=pause))
        waits.append(round(seconds(bench)))
        bench.pause_over()
        batch = bench.take()
        assert batch.probe
    assert waits == [2, 4, 8, 10, 10]


def test_the_backoff_has_no_bound_in_failures(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage(base_ms=1_000))
    bench.redis.hset(bench.key("pause:track/1"), "failures", 5_000)
    bench.pause_over()
    bench.park(bench.take(), outage(base_ms=1_000))
    assert 3_500 < seconds(bench) <= 3_600


def test_the_server_may_ask_for_more_time(bench: Bench) -> None:
    first, second, third = batches(bench, 3)

    def asking(at_least_ms: int) -> Park:
        pause = Pause(PauseKind.OUTAGE, base_ms=2_000, at_least_ms=at_least_ms)
        return Park("429", status=429, pause=pause)

    bench.park(first, asking(20_000))
    assert 19 < seconds(bench) <= 20
    bench.park(second, asking(40_000))
    assert 39 < seconds(bench) <= 40
    bench.park(third, asking(1_000))
    assert 38 < seconds(bench) <= 40


def test_when_it_is_over_one_batch_probes_before_the_herd(bench: Bench) -> None:
    first, second = batches(bench, 2)
    bench.park(first, outage())
    bench.park(second, outage())
    bench.route(event("x"))
    bench.pause_over()
    probe = bench.take(lease_seconds=20)
    assert probe.probe
    wait = bench.refused().wait_seconds
    assert wait is not None
    assert 15 < wait <= 20
    bench.deliver(probe)
    assert bench.queue.books().paused == ()
    assert not bench.take().probe


def test_the_one_that_failed_last_is_not_the_probe_while_another_can_be(bench: Bench) -> None:
    first, second = batches(bench, 2)
    bench.park(second, outage())
    bench.park(first, outage())  # the older one failed last
    bench.pause_over()
    assert bench.take().id == second.id


def test_a_fresh_batch_probes_rather_than_the_one_that_failed_last(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.route(event("x"))
    bench.pause_over()
    probe = bench.take()
    assert (probe.probe, numbers(probe)) == (True, ["0-2"])


def test_the_only_batch_probes_although_it_failed_last(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.pause_over()
    assert bench.take().probe


def test_a_probe_whose_lease_ran_out_does_not_hold_the_pause(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.pause_over()
    probe = bench.take()
    bench.lease_over(probe)
    bench.route(event("x"))
    assert bench.take().probe


def test_a_probe_that_extends_its_lease_keeps_the_herd_away(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.route(event("x"))
    bench.pause_over()
    probe = bench.take(lease_seconds=1)
    bench.queue.extend([probe], 50)
    wait = bench.refused().wait_seconds
    assert wait is not None
    assert wait > 45


@pytest.mark.parametrize("end", ["back", "dead"])
def test_a_probe_that_sent_nothing_makes_room_for_another(bench: Bench, end: str) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.route(event("x"))
    bench.pause_over()
    probe = bench.take()
    if end == "back":
        bench.queue.settle(probe, Settlement(rest="back"))
    else:
        bench.bury(probe)
    assert bench.take().probe


def test_a_batch_that_fails_alone_pauses_nothing(bench: Bench) -> None:
    bad, good = batches(bench, 2)
    bench.park(bad, outage(base_ms=20_000))
    accept(bench, good)  # it was under way: Mixpanel is well
    bench.due()
    waits = []
    for _ in range(3):
        again = bench.take()
        assert again.id == bad.id
        bench.route(event("x"))
        other = bench.take()
        bench.park(again, outage(base_ms=20_000))
        assert bench.queue.books().paused == ()
        nothing = bench.refused()
        assert nothing.wait_seconds is not None
        waits.append(round(nothing.wait_seconds))
        accept(bench, other)
        bench.due()
    assert waits == [20, 40, 80]


def test_without_an_acceptance_since_its_last_failure_it_is_an_outage(bench: Bench) -> None:
    bad, good = batches(bench, 2)
    bench.park(bad, outage())
    accept(bench, good)
    bench.due()
    bench.park(bench.take(), outage())
    bench.due()
    bench.park(bench.take(), outage())
    [pause] = bench.queue.books().paused
    assert pause.failures == 1


def test_wrong_credentials_pause_although_others_passed(bench: Bench) -> None:
    bad, good = batches(bench, 2)
    wrong = Park("401", status=401, pause=Pause(PauseKind.CONFIGURATION, base_ms=60_000))
    bench.park(bad, wrong)
    accept(bench, good)
    bench.due()
    bench.park(bench.take(), wrong)
    [pause] = bench.queue.books().paused
    assert (pause.kind, pause.status) == ("configuration", 401)


def test_changed_credentials_are_tried_at_once(bench: Bench) -> None:
    first, second = batches(bench, 2)
    for batch in (first, second):
        bench.park(batch, outage())
    bench.refused()
    taken = bench.take(destination="track/new")
    assert (taken.destination, taken.probe) == ("track/new", False)
    assert isinstance(bench.reserve(destination="track/new"), Batch)
    bench.deliver(taken)
    [pause] = bench.queue.books().paused
    assert pause.destination == DESTINATION


def test_a_worker_without_a_destination_waits_for_the_batchs_own(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.due()
    assert bench.refused(destination=None).wait_seconds is not None


def test_a_lane_of_many_destinations_goes_on_slower_from_a_number_of_parked_on(
    bench: Bench,
) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.route(event("x"), event("y"))
    bench.refused(fresh_while_paused=0)
    some = Limits(records=1, linger_seconds=0)
    assert not bench.take(fresh_while_paused=1, limits=some).probe
    wait = bench.refused(fresh_while_paused=1, limits=some).wait_seconds
    assert wait is not None
    assert wait <= 0.1
    assert not bench.take(fresh_while_paused=2, limits=some).probe


def test_many_batches_behind_one_pause_do_not_hide_another_destinations(bench: Bench) -> None:
    """A hundred parts wait for a paused project; one that came later goes elsewhere."""
    bench.route(*(event(str(i)) for i in range(102)))
    batch = bench.take()
    names = numbers(batch)
    paused = [Part([number], destination="import/down") for number in names[:100]]
    well = Part([names[100]], destination="import/up")
    bench.queue.divide(batch, Division([*paused, well], destination="import/down"))
    bench.redis.hset(bench.key("pause:import/down"), "until", 10**15)
    found = [bench.reserve() for _ in range(3)]
    taken = [reply for reply in found if isinstance(reply, Batch)]
    assert [numbers(reply) for reply in taken] == [[names[100]]]
    bench.redis.delete(bench.key("pause:import/down"))
    drained: list[Number] = []
    while isinstance(reply := bench.reserve(), Batch):
        drained += numbers(reply)
    assert len(drained) == 100


def test_a_pause_needs_a_destination_or_nothing_changes(bench: Bench) -> None:
    bench.route(event("a"))
    batch = bench.take(destination=None)
    before = bench.dump()
    with pytest.raises(ResponseError, match="a pause needs a destination"):
        bench.queue.settle(batch, Settlement(rest=outage(), sent=True))
    assert bench.dump() == before


def test_a_probe_answered_for_another_destination_frees_the_first(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.pause_over()
    probe = bench.take()
    bench.park(probe, outage(), destination="import/1")
    bench.route(event("x"))
    assert bench.take().probe


def alone_at_its_limit(bench: Bench, batch: Batch) -> None:
    pause = Pause(PauseKind.OUTAGE, base_ms=60_000)
    bench.park(batch, Park("500", status=500, pause=pause, counts=True, cornered=True))


def test_a_lone_message_at_its_limit_dies_while_others_pass(bench: Bench) -> None:
    bad, good = batches(bench, 2)
    alone_at_its_limit(bench, bad)
    accept(bench, good)
    bench.due()
    alone_at_its_limit(bench, bench.take())
    [letter] = bench.queue.letters.get_many(numbers(bad))
    assert (letter.reason, letter.status, letter.attempts) == ("exhausted", 500, 2)
    books = bench.queue.books()
    assert (books.waiting, books.batches, books.paused, books.difference) == (0, 0, (), 0)


def test_a_lone_message_at_its_limit_waits_while_nothing_passes(bench: Bench) -> None:
    [bad] = batches(bench, 1)
    for _ in range(5):
        alone_at_its_limit(bench, bad)
        bench.pause_over()
        bad = bench.take()
    assert bench.totals("dead") == [0]


def test_replaced_credentials_leave_no_pause_once_the_new_ones_are_accepted(bench: Bench) -> None:
    first, second = batches(bench, 2)
    for batch in (first, second):
        bench.park(batch, outage(), own=True)
    accepted = Settlement(delivered="all", accepted=True, own=True, destination="track/new")
    bench.queue.settle(bench.take(destination="track/new"), accepted)
    assert len(bench.queue.books().paused) == 1, "whoever still has the old ones is held back"
    bench.pause_over()
    bench.queue.settle(bench.take(destination="track/new"), accepted)
    assert bench.queue.books().paused == ()


def test_the_pause_of_a_messages_own_key_is_left_to_its_own_acceptance(bench: Bench) -> None:
    own, foreign = batches(bench, 2)
    bench.park(foreign, outage(), destination="import/foreign")
    bench.pause_over("import/foreign")
    accepted = Settlement(delivered="all", accepted=True, own=True, destination=DESTINATION)
    bench.queue.settle(own, accepted)
    assert [pause.destination for pause in bench.queue.books().paused] == ["import/foreign"]


def test_a_pause_ends_that_is_over_and_behind_which_nothing_waits(bench: Bench) -> None:
    [batch] = batches(bench, 1)
    bench.park(batch, outage())
    bench.pause_over()
    bench.queue.reap()
    assert bench.queue.books().paused != (), "a batch waits behind it: it probes"
    bench.bury(bench.take())
    bench.queue.reap()
    assert bench.queue.books().paused == ()
