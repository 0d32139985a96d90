"""Ordered lanes: one batch at a time, retries first, trials of a cornered head (rules 3, 4)."""

from typing import Any

import pytest

from mixrelay.shared.queue import (
    Batch,
    Dead,
    Division,
    Expansion,
    Lane,
    Limits,
    Nothing,
    Park,
    Part,
    Settled,
    Settlement,
)
from tests.support.bench import DESTINATION, Bench, event, numbers, payloads, update

LANE = Lane.PROFILE_UPDATE
ONE = Limits(records=1, linger_seconds=0)
FAILED = Park("500", status=500, counts=True)
CORNERED = Park("500", status=500, counts=True, cornered=True)


def take(bench: Bench, **options: Any) -> Batch:
    return bench.take_read(LANE, **{"limits": ONE, **options})


def cornered(bench: Bench, *profiles: str) -> Batch:
    """A head of the first profile that cannot be delivered, and what was pushed after it."""
    bench.route(*(update(profile, i) for i, profile in enumerate(profiles)))
    head = take(bench)
    bench.park(head, CORNERED)
    return head


def test_one_batch_at_a_time_in_the_whole_fleet(bench: Bench) -> None:
    bench.route(update("p", 1), update("q", 1))
    first = take(bench, owner="one")
    bench.refused(LANE, owner="two", limits=ONE)
    bench.deliver(first)
    assert numbers(take(bench, owner="two")) == ["0-2"]


def test_the_two_ordered_lanes_do_not_wait_for_each_other(bench: Bench) -> None:
    bench.route(update("p"), b'["groups",{}]')
    take(bench)
    assert bench.take(Lane.GROUP_UPDATE)


def test_a_retry_goes_before_what_came_after_it(bench: Bench) -> None:
    bench.route(update("p", 1), update("p", 2))
    bench.park(take(bench), Park("500", delay_ms=30_000))
    nothing = bench.reserve_read(LANE, limits=ONE)
    assert isinstance(nothing, Nothing)
    assert nothing.wait_seconds is not None
    assert nothing.wait_seconds > 25
    bench.due()
    assert numbers(take(bench)) == ["0-1"]


def test_parked_batches_come_back_by_their_place_not_by_their_time(bench: Bench) -> None:
    bench.route(*(update("p", i) for i in range(3)))
    batch = bench.take_read(LANE)
    bench.queue.divide(batch, Division([Part(["0-2"]), Part(["0-3"])], strikes=True))
    bench.park(bench.take_read(LANE, claim=batch.claim), Park("500", delay_ms=50_000))
    bench.refused(LANE)
    bench.due()
    seen = []
    for _ in range(3):
        part = bench.take_read(LANE)
        seen += numbers(part)
        bench.deliver(part)
    assert seen == ["0-1", "0-2", "0-3"]


def test_a_batch_given_back_is_followed_by_what_came_after_it(bench: Bench) -> None:
    bench.route(*(update("p", i) for i in range(4)))
    batch = bench.take(LANE, limits=Limits(records=2, linger_seconds=0))
    bench.queue.settle(batch, Settlement(rest="back"))
    assert numbers(bench.take(LANE)) == ["0-1", "0-2", "0-3", "0-4"]


def test_a_part_given_back_keeps_its_place(bench: Bench) -> None:
    bench.route(*(update("p", i) for i in range(3)))
    batch = bench.take(LANE, limits=Limits(records=2, linger_seconds=0))
    bench.queue.divide(batch, Division([Part(["0-2"])], strikes=True))
    stayed = bench.take(LANE, claim=batch.claim)
    bench.queue.settle(stayed, Settlement(rest="back"))
    seen = []
    for _ in range(3):
        part = bench.take(LANE)
        seen += numbers(part)
        bench.deliver(part)
    assert seen == ["0-1", "0-2", "0-3"]


def test_a_replayed_letter_comes_last(bench: Bench) -> None:
    bench.route(update("p", 1), update("p", 2))
    bench.bury(take(bench))
    bench.queue.replay(["0-1"])
    assert numbers(bench.take(LANE)) == ["0-2", "0-1"]


def test_expanded_records_keep_their_place(bench: Bench) -> None:
    bench.route(update("p", 1), b'["people","[1,2]"]', update("p", 3))
    batch = bench.take(LANE)
    bench.queue.expand(batch, [Expansion("0-2", [update("p", 2), update("p", 2)])])
    assert numbers(bench.take(LANE, claim=batch.claim)) == ["0-1", "0-2.1", "0-2.2", "0-3"]


def test_while_the_head_is_cornered_the_next_batch_is_tried(bench: Bench) -> None:
    head = cornered(bench, "p", "q")
    trial = take(bench)
    assert (trial.rival, trial.rival_payloads) == (head.id, (update("p", 0),))
    assert numbers(trial) == ["0-2"]
    bench.refused(LANE, limits=ONE)


def test_an_accepted_trial_convicts_the_head(bench: Bench) -> None:
    head = cornered(bench, "p", "q", "r")
    trial = take(bench)
    accepted = Settlement(
        delivered="all", sent=True, accepted=True, destination="engage/1", exhausts=trial.rival
    )
    assert bench.queue.settle(trial, accepted) is Settled.DONE
    [letter] = bench.queue.letters.get_many(numbers(head))
    assert (letter.reason, letter.status, letter.error) == ("exhausted", 500, "500")
    assert letter.attempts == 1
    after = take(bench)
    assert (numbers(after), after.rival) == (["0-3"], None)
    assert bench.queue.books().difference == 0


def test_a_trial_that_failed_too_is_an_outage_and_the_head_is_next(bench: Bench) -> None:
    head = cornered(bench, "p", "q")
    for _ in range(5):
        trial = take(bench)
        assert trial.rival == head.id
        bench.park(trial, FAILED)
        bench.due()
        again = take(bench)
        assert (again.id, again.cornered, again.rival) == (head.id, True, None)
        bench.park(again, CORNERED)
        bench.due()
    assert bench.totals("dead") == [0]


def test_when_the_outage_ends_order_holds(bench: Bench) -> None:
    head = cornered(bench, "p", "q", "p")
    trial = take(bench)
    bench.park(trial, FAILED)
    bench.due()
    seen = []
    for _ in range(3):
        batch = take(bench)
        assert batch.rival is None
        seen += numbers(batch)
        bench.deliver(batch)
    assert seen == ["0-1", "0-2", "0-3"]
    assert head.id not in bench.redis.hkeys(bench.key("batches"))


def test_the_heads_own_profile_waits_behind_the_trial(bench: Bench) -> None:
    bench.route(update("p", 0))
    head = take(bench)
    bench.park(head, CORNERED)
    bench.route(update("q", 1), update("p", 2), update("q", 3), update("p", 4))
    trial = bench.take_read(LANE)
    bench.queue.divide(trial, Division([Part(["0-3", "0-5"])], behind=True))
    trial = bench.take_read(LANE, claim=trial.claim)
    assert (trial.rival, numbers(trial)) == (head.id, ["0-2", "0-4"])
    bench.park(trial, FAILED)
    bench.due()
    seen = []
    for _ in range(3):
        batch = bench.take_read(LANE)
        seen += numbers(batch)
        bench.deliver(batch)
    assert seen == ["0-1", "0-2", "0-4", "0-3", "0-5"]


def test_a_trial_of_the_same_profile_waits_and_the_next_is_tried(bench: Bench) -> None:
    head = cornered(bench, "p", "p", "q")
    trial = take(bench)
    bench.queue.settle(trial, Settlement(rest="back", behind=True))
    other = take(bench)
    assert (other.rival, numbers(other)) == (head.id, ["0-3"])
    bench.queue.settle(
        other, Settlement(delivered="all", sent=True, accepted=True, exhausts=other.rival)
    )
    assert numbers(take(bench)) == ["0-2"]


def test_a_busy_profile_does_not_fill_the_places_behind_the_head(bench: Bench) -> None:
    """Fifty updates of the head's profile, then one of another: it is found."""
    cornered(bench, *["p"] * 51, "q")
    while (trial := take(bench)).members[0].payload != update("q", 51):
        assert trial.rival is not None
        bench.queue.settle(trial, Settlement(rest="back", behind=True))
    bench.queue.settle(
        trial, Settlement(delivered="all", sent=True, accepted=True, exhausts=trial.rival)
    )
    waiting = bench.take_read(LANE)
    assert payloads(waiting) == [update("p", i) for i in range(1, 51)]
    assert bench.queue.books().difference == 0


def test_joined_batches_stay_small_enough_to_send(bench: Bench) -> None:
    cornered(bench, *["p"] * 3_001)
    sizes = []
    for _ in range(6):
        trial = bench.take_read(LANE, limits=Limits(records=500, linger_seconds=0))
        bench.queue.settle(trial, Settlement(rest="back", behind=True))
    order = bench.redis.lrange(bench.key(f"order:profile_update:{DESTINATION}"), 0, -1)
    sizes = [bench.redis.llen(bench.key(f"batch:{id_.decode()}")) for id_ in order]
    assert sizes == [1, 2_000, 1_000]


def test_a_lane_of_nothing_but_the_heads_profile_is_an_outage(bench: Bench) -> None:
    head = cornered(bench, "p", "p")
    bench.queue.settle(take(bench), Settlement(rest="back", behind=True))
    assert take(bench).id == head.id


def test_two_culprits_do_not_vouch_for_each_other(bench: Bench) -> None:
    """Both heads fail alone for ever; the third profile shows that Mixpanel is well."""
    head = cornered(bench, "p", "q", "r")
    second = take(bench)
    bench.park(second, CORNERED)
    again = take(bench)
    assert again.id == head.id
    bench.park(again, CORNERED)
    third = take(bench)
    assert (third.rival, numbers(third)) == (head.id, ["0-3"])
    assert third.rival_payloads == (update("p", 0), update("q", 1))
    bench.queue.settle(
        third, Settlement(delivered="all", sent=True, accepted=True, exhausts=third.rival)
    )
    reasons = {letter.id: letter.reason for letter in bench.queue.letters.get_many(["0-1", "0-2"])}
    assert reasons == {"0-1": "exhausted", "0-2": "exhausted"}
    books = bench.queue.books()
    assert (books.waiting, books.difference) == (0, 0)


def test_a_trial_whose_worker_died_is_tried_again_in_its_place(bench: Bench) -> None:
    head = cornered(bench, "p", "q")
    bench.die(take(bench))
    trial = take(bench)
    assert (trial.rival, numbers(trial)) == (head.id, ["0-2"])


def test_a_trial_given_back_unsent_keeps_its_place(bench: Bench) -> None:
    head = cornered(bench, "p", "q", "q")
    bench.queue.settle(take(bench), Settlement(rest="back"))
    trial = take(bench)
    assert (trial.rival, numbers(trial)) == (head.id, ["0-2"])


def test_a_trial_that_is_all_dead_convicts_nobody(bench: Bench) -> None:
    head = cornered(bench, "p", "q")
    trial = take(bench)
    bench.queue.settle(trial, Settlement(dead=[Dead("0-2", "invalid", "x")]))
    assert bench.queue.letters.get_many(numbers(head)) == []
    assert take(bench).id == head.id


def test_a_head_that_recovered_convicts_nobody(bench: Bench) -> None:
    """The trial's worker slept; meanwhile the head was delivered by another."""
    head = cornered(bench, "p", "q")
    trial = take(bench)
    bench.park(bench.take(LANE, claim=trial.claim), FAILED)
    again = take(bench)
    assert again.id == head.id
    bench.deliver(again)
    late = Settlement(delivered="all", sent=True, accepted=True, exhausts=trial.rival)
    assert bench.queue.settle(trial, late) is Settled.LOST
    assert bench.totals("dead", "delivered") == [0, 1]


@pytest.mark.parametrize("records", [1, 7, 2_000])
def test_a_lane_is_drained_in_the_order_it_was_filled(bench: Bench, records: int) -> None:
    bench.route(*(update(f"p{i % 3}", i) for i in range(20)), event("not one"))
    seen: list[bytes] = []
    while not isinstance(
        reply := bench.reserve(LANE, limits=Limits(records=records, linger_seconds=0)), Nothing
    ):
        seen += payloads(reply)
        bench.deliver(reply)
    assert seen == [update(f"p{i % 3}", i) for i in range(20)]
