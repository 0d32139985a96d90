"""Reserving: batches, leases, claims (rules 2 and 12)."""

from mixrelay.shared.queue import Lane, Limits, Park, Settled, Settlement
from tests.support.bench import AT_ONCE, Bench, event, numbers, payloads


def test_an_empty_lane_has_nothing_and_no_time_to_ask_again(bench: Bench) -> None:
    nothing = bench.refused()
    assert (nothing.wait_seconds, nothing.suspects_wait) == (None, False)


def test_a_batch_is_the_oldest_of_its_lane_in_order(bench: Bench) -> None:
    written = [event(str(i)) for i in range(120)]
    bench.route(*written)
    first = bench.take(limits=Limits(records=70, linger_seconds=0))
    assert payloads(first) == written[:70]
    assert payloads(bench.take()) == written[70:]
    assert bench.lane(Lane.EVENT) == []


def test_a_batch_holds_no_more_bytes_than_the_limit_unless_one_message_does(bench: Bench) -> None:
    big, small = b'["event","' + b"x" * 900 + b'"]', b'["event","' + b"x" * 400 + b'"]'
    bench.route(small, small, small, big, big, small)
    limits = Limits(bytes=1_000, linger_seconds=0)
    sizes = [len(bench.take(limits=limits).members) for _ in range(5)]
    assert sizes == [2, 1, 1, 1, 1]
    tiny = Limits(bytes=10, linger_seconds=0)
    bench.route(big)
    assert payloads(bench.take(limits=tiny)) == [big]


def test_a_lane_gathers_until_its_oldest_lingered_or_a_batch_is_full(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    slow = Limits(records=3, linger_seconds=30)
    wait = bench.refused(limits=slow).wait_seconds
    assert wait is not None
    assert 25 < wait <= 30
    bench.route(event("c"))
    assert len(bench.take(limits=slow).members) == 3


def test_the_same_claim_is_answered_with_the_same_batch(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    first = bench.take(claim="c1", limits=Limits(records=1, linger_seconds=0))
    before = bench.dump()
    assert bench.take(claim="c1") == first
    assert bench.dump() == before
    assert numbers(bench.take(claim="c2")) == ["0-2"]


def test_a_claim_repeated_late_takes_nothing_from_the_batch_it_once_made(bench: Bench) -> None:
    bench.route(event("a"))
    first = bench.take(claim="slow")
    bench.die(first)
    held = bench.take(claim="other")
    assert held.id == first.id
    bench.route(event("b"))
    late = bench.take(claim="slow")
    assert payloads(late) == [event("b")]
    assert late.id != held.id
    assert bench.take(claim="other").members == held.members
    assert bench.queue.books().difference == 0


def test_a_lease_is_extended_only_for_its_owner(bench: Bench) -> None:
    bench.route(event("a"))
    old = bench.take(lease_seconds=1)
    score = bench.redis.zscore(bench.key("leases"), old.id)
    assert bench.queue.extend([old], 100) == frozenset()
    assert bench.redis.zscore(bench.key("leases"), old.id) > score + 90_000
    bench.die(old)
    new = bench.take()
    assert bench.queue.extend([old, new], 50) == {old.id}
    assert bench.queue.extend([], 50) == frozenset()


def test_beginning_is_refused_to_one_who_lost_the_batch(bench: Bench) -> None:
    bench.route(event("a"))
    old = bench.take()
    bench.die(old)
    before = bench.dump()
    assert not bench.queue.begin(old)
    assert bench.dump() == before
    assert bench.queue.begin(bench.take())


def test_a_parked_batch_comes_back_when_it_is_due_with_its_members(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    batch = bench.take(limits=Limits(records=1, linger_seconds=0))
    bench.park(batch, Park("500", delay_ms=30_000, counts=True))
    assert numbers(bench.take()) == ["0-2"]
    wait = bench.refused().wait_seconds
    assert wait is not None
    assert 25 < wait <= 30
    bench.due()
    again = bench.take()
    assert (again.id, again.members) == (batch.id, batch.members)
    assert (again.attempts, again.failures) == (1, 1)


def test_given_back_unsent_it_lies_in_its_lane_as_if_never_taken(bench: Bench) -> None:
    written = [event(str(i)) for i in range(2_500)]
    bench.route(*written)
    batch = bench.take()
    assert len(batch.members) == 2_000
    assert bench.queue.settle(batch, Settlement(rest="back")) is Settled.DONE
    assert bench.lane(Lane.EVENT) == written
    assert bench.queue.books().batches == 0
    assert bench.take(limits=AT_ONCE).members == batch.members


def test_given_back_with_a_past_it_keeps_its_members_together(bench: Bench) -> None:
    bench.route(event("a"))
    batch = bench.take()
    bench.park(batch, Park("500", counts=True))
    bench.due()
    again = bench.take()
    assert bench.queue.settle(again, Settlement(rest="back")) is Settled.DONE
    third = bench.take()
    assert (third.id, third.attempts, third.failures) == (batch.id, 1, 1)
