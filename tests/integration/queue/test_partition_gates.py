"""Pauses, probes, paces and holds of a queue with several partitions: those of one fleet."""

import pytest
from redis import Redis

from mixrelay.shared.queue import (
    Batch,
    Division,
    Lane,
    Limits,
    Park,
    Part,
    Pause,
    PauseKind,
    Queue,
    Settled,
    Settlement,
    new_id,
)
from tests.support.bench import DESTINATION, event, numbers, outage, update
from tests.support.wide import Wide

PARTITIONS = 4
FULL_SPEED = 32
ONE = Limits(records=1, linger_seconds=0)


@pytest.fixture
def wide(redis: Redis) -> Wide:
    return Wide(redis, PARTITIONS)


@pytest.fixture
def other(wide: Wide) -> Queue:
    """The queue of a second worker."""
    return wide.another()


def one_each(wide: Wide) -> list[Batch]:
    """A leased batch of one event from each partition, by its number."""
    for index in range(PARTITIONS):
        wide.route(index, event(f"e{index}"))
    return sorted((wide.take() for _ in range(PARTITIONS)), key=lambda batch: batch.partition)


def one(wide: Wide, index: int) -> Batch:
    """A leased batch of one event."""
    wide.route(index, event("e"))
    return wide.take()


def limited(base_ms: int = 60_000) -> Park:
    return Park("429", status=429, pause=Pause(PauseKind.OUTAGE, base_ms=base_ms))


def in_all(wide: Wide, each: int = 1) -> None:
    for index in range(PARTITIONS):
        wide.route(index, *(event(f"x{index}.{i}") for i in range(each)))


def all_that_may(wide: Wide, by: Queue | None = None) -> list[Batch]:
    taken = []
    while isinstance(batch := wide.reserve(by=by, limits=ONE), Batch):
        taken.append(batch)
    return taken


def pauses(wide: Wide) -> list[tuple[str, int]]:
    return [(pause.destination, pause.failures) for pause in wide.queue.books().paused]


@pytest.mark.parametrize("index", range(PARTITIONS))
def test_a_failure_in_one_partition_pauses_the_destination_in_all(
    wide: Wide, other: Queue, index: int
) -> None:
    wide.park(one_each(wide)[index], outage(base_ms=30_000))
    in_all(wide)
    for queue in (wide.queue, other):
        wait = wide.refused(by=queue).wait_seconds
        assert wait is not None
        assert 25 < wait <= 30


def test_other_destinations_go_on_in_all(wide: Wide) -> None:
    wide.park(one_each(wide)[2], outage())
    in_all(wide)
    taken = [wide.take(destination="track/2") for _ in range(PARTITIONS)]
    assert {batch.partition for batch in taken} == set(range(PARTITIONS))
    assert not any(batch.probe for batch in taken)


def test_requests_that_failed_together_count_as_one(wide: Wide) -> None:
    for batch in one_each(wide):
        wide.park(batch, outage())
    assert pauses(wide) == [(DESTINATION, 1)]


def test_one_batch_of_the_fleet_probes(wide: Wide, other: Queue) -> None:
    for batch in one_each(wide):
        wide.park(batch, outage())
    wide.pause_over()
    probe = wide.take(by=other, lease_seconds=20)
    assert probe.probe
    for queue in (wide.queue, other):
        wait = wide.refused(by=queue).wait_seconds
        assert wait is not None
        assert 15 < wait <= 20


@pytest.mark.parametrize("index", [0, 2])
def test_the_probes_acceptance_opens_the_gates_of_all(wide: Wide, other: Queue, index: int) -> None:
    wide.park(one(wide, index), outage())
    wide.pause_over()
    probe = wide.take()
    assert (probe.partition, probe.probe) == (index, True)
    wide.deliver(probe)
    assert pauses(wide) == []
    in_all(wide)
    batch = wide.take(by=other)
    assert not batch.probe
    assert batch.paused == {DESTINATION}, "it begins slowly"


def test_a_probe_that_fails_doubles_the_backoff_of_all(wide: Wide) -> None:
    wide.park(one_each(wide)[3], outage(base_ms=10_000))
    for failures, seconds in ((2, 20), (3, 40)):
        wide.pause_over()
        wide.park(wide.take(), outage(base_ms=10_000))
        assert pauses(wide) == [(DESTINATION, failures)]
        wait = wide.refused().wait_seconds
        assert wait is not None
        assert seconds - 5 < wait <= seconds


@pytest.mark.parametrize("end", ["back", "dead", "elsewhere", "its owner died", "run out"])
def test_a_probe_that_ends_unsent_makes_room_for_another(
    wide: Wide, other: Queue, end: str
) -> None:
    second, third = one_each(wide)[1:3]
    wide.park(second, outage())
    wide.park(third, outage())
    wide.pause_over()
    probe = wide.take(owner="doomed")
    assert probe.probe
    match end:
        case "back":
            wide.queue.settle(probe, Settlement(rest="back"))
        case "dead":
            wide.queue.settle(probe, Settlement(delivered="all"))
        case "elsewhere":
            wide.queue.divide(probe, Division([], destination="track/else"))
        case "its owner died":
            other.end_leases("doomed", died=True)
        case _:
            wide.lease_over(probe)
    assert wide.take(by=other).probe


def test_a_probe_that_extends_its_lease_keeps_the_herd_away(wide: Wide, other: Queue) -> None:
    wide.park(one_each(wide)[1], outage())
    wide.pause_over()
    probe = wide.take(lease_seconds=1)
    in_all(wide)
    assert wide.queue.extend([probe], 50) == frozenset()
    wait = wide.refused(by=other).wait_seconds
    assert wait is not None
    assert wait > 45


def test_a_probe_that_went_elsewhere_claims_nothing_by_its_lease(wide: Wide) -> None:
    first, _, third, _ = one_each(wide)
    wide.park(third, outage())
    wide.pause_over()
    probe = wide.take()
    wide.queue.divide(probe, Division([], destination="track/else"))
    wide.queue.extend([probe], 50)
    wide.park(first, Park("waits"), sent=False)
    assert wide.take().probe


def test_a_429_is_ended_by_the_probe_alone(wide: Wide) -> None:
    _, second, third, _ = one_each(wide)
    wide.park(third, limited())
    wide.deliver(second)
    assert pauses(wide) == [(DESTINATION, 1)]
    in_all(wide)
    wide.refused()
    wide.pause_over()
    probe = wide.take()
    wide.deliver(probe)
    assert pauses(wide) == []


def test_an_acceptance_in_another_partition_ends_an_outage(wide: Wide) -> None:
    _, second, third, _ = one_each(wide)
    wide.park(third, outage())
    wide.deliver(second)
    assert pauses(wide) == []


def test_slow_start_counts_the_batches_of_all(wide: Wide, other: Queue) -> None:
    wide.park(one(wide, 1), outage())
    in_all(wide, 40)
    wide.pause_over()
    wide.deliver(wide.take(limits=ONE))
    rounds = []
    for queue in (wide.queue, other, wide.queue, other, wide.queue, other):
        taken = all_that_may(wide, queue)
        rounds.append(len(taken))
        assert len({batch.partition for batch in taken}) == min(len(taken), PARTITIONS)
        for batch in taken:
            wide.deliver(batch)
    assert rounds == [1, 2, 4, 8, 16, 32]


@pytest.mark.parametrize("index", [0, 2])
def test_a_new_pause_halves_what_was_under_way_in_all(wide: Wide, index: int) -> None:
    in_all(wide, 5)
    taken = all_that_may(wide)
    assert len(taken) == 5 * PARTITIONS
    for batch in sorted(taken, key=lambda batch: batch.partition != index)[:6]:
        wide.park(batch, outage())
    assert wide.queue.books().paces == {DESTINATION: 10}


def test_a_pace_lasts_as_long_as_a_large_fleet_uses_it_up(wide: Wide) -> None:
    """Also where the first partition is empty, so that others hold batches back."""
    wide.park(one(wide, 1), outage())
    wide.route(2, *(event(f"x{i}") for i in range(200)))
    wide.pause_over()
    wide.deliver(wide.take(limits=ONE))
    while len(taken := all_that_may(wide)) <= FULL_SPEED:
        for batch in taken:
            wide.deliver(batch)
    assert wide.queue.books().paces == {DESTINATION: len(taken)}


def test_a_batch_that_fails_alone_pauses_nothing(wide: Wide) -> None:
    """Those that pass do so in other partitions."""
    good, bad, *_ = one_each(wide)
    wide.park(bad, outage(base_ms=20_000))
    wide.deliver(good)
    for bench in wide.benches:
        bench.due()
    again = wide.take()
    assert again.id == bad.id
    wide.park(again, outage(base_ms=20_000))
    assert pauses(wide) == []
    assert wide.benches[1].state(bad.id)["streak"] == 1


def test_without_an_acceptance_anywhere_it_is_an_outage(wide: Wide) -> None:
    good, bad, *_ = one_each(wide)
    wide.deliver(good)
    wide.park(bad, outage())
    wide.pause_over()
    wide.park(wide.take(), outage())
    assert pauses(wide) == [(DESTINATION, 2)]


def test_a_lone_message_at_its_limit_dies_while_others_pass_elsewhere(wide: Wide) -> None:
    good, _, bad, _ = one_each(wide)
    pause = Pause(PauseKind.OUTAGE, base_ms=60_000)
    cornered = Park("500", status=500, pause=pause, counts=True, cornered=True)
    wide.park(bad, cornered)
    wide.deliver(good)
    for bench in wide.benches:
        bench.due()
    wide.park(wide.take(), cornered)
    [letter] = wide.queue.letters.get_many(numbers(bad))
    assert letter.reason == "exhausted"


def test_a_held_lane_is_held_in_all_until_it_is_let_go(wide: Wide, other: Queue) -> None:
    in_all(wide)
    other.pause(Lane.EVENT, who="ann", why="repairs")
    assert wide.refused().wait_seconds == 2
    assert wide.redis.hlen(wide.benches[2].key("held")) == 1
    other.resume(Lane.EVENT, who="ann")
    assert {wide.take().partition for _ in range(PARTITIONS)} == set(range(PARTITIONS))
    assert wide.redis.hlen(wide.benches[2].key("held")) == 0


def test_a_pause_does_not_end_while_another_partitions_batches_wait_behind_it(wide: Wide) -> None:
    [*_, last] = one_each(wide)
    wide.park(last, outage())
    wide.pause_over()
    wide.queue.reap()
    assert pauses(wide) == [(DESTINATION, 1)]
    probe = wide.take()
    wide.queue.settle(probe, Settlement(delivered="all"))
    wide.queue.reap()
    assert pauses(wide) == []


def test_an_ordered_lane_of_each_partition_is_held_back_together(wide: Wide) -> None:
    for index in range(PARTITIONS):
        wide.route(index, update(f"p{index}"))
    batch = wide.take(Lane.PROFILE_UPDATE, destination="engage/1")
    wide.park(batch, outage())
    for _ in range(PARTITIONS - 1):
        read = wide.take(Lane.PROFILE_UPDATE, destination="engage/1")
        assert "engage/1" in read.paused
        wide.park(read, Park("its destination is paused"), destination="engage/1", sent=False)
    wide.refused(Lane.PROFILE_UPDATE, destination="engage/1")
    wide.pause_over("engage/1")
    probe = wide.take(Lane.PROFILE_UPDATE, destination="engage/1")
    wide.refused(Lane.PROFILE_UPDATE, destination="engage/1")
    wide.deliver(probe)
    rest = [wide.take(Lane.PROFILE_UPDATE, destination="engage/1") for _ in range(3)]
    assert len({one.partition for one in rest}) == 3, "one of each, at once"


def test_the_claims_of_two_partitions_never_name_two_batches_alike(wide: Wide) -> None:
    in_all(wide)
    claim = new_id()
    taken = [wide.take(claim=claim) for _ in range(PARTITIONS)]
    assert len({batch.id for batch in taken}) == PARTITIONS


def test_copies_are_gone_with_what_they_are_of(wide: Wide) -> None:
    wide.park(one_each(wide)[1], outage())
    wide.queue.pause(Lane.IMPORT, who="ann", why="")
    wide.refused()
    copies = [wide.benches[3].key(f) for f in (f"pause:{DESTINATION}", "pauses", "paces", "held")]
    assert wide.redis.exists(*copies) == len(copies)
    wide.queue.resume(Lane.IMPORT, who="ann", why="")
    wide.home.redis.delete(*(wide.home.key(f) for f in ("pauses", f"pause:{DESTINATION}", "paces")))
    wide.refused(by=wide.another())
    assert wide.redis.exists(*copies) == 0


def test_a_part_for_a_paused_destination_waits_in_any_partition(wide: Wide) -> None:
    first, second, *_ = one_each(wide)
    wide.park(first, outage())
    wide.route(1, event("a"), event("b"))
    batch = wide.take(destination="track/2")
    assert batch.paused == {DESTINATION}
    wide.queue.divide(
        batch, Division([Part(numbers(batch)[1:], destination=DESTINATION)], destination="track/2")
    )
    wide.refused()
    assert wide.queue.settle(second, Settlement(rest="back")) is Settled.DONE
