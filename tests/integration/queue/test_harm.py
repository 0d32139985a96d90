"""What others do to the queue's keys is undone where it can be, and seen where it cannot."""

import pytest
from redis import Redis

from mixrelay.shared.queue import Queue
from tests.support.bench import Bench, event, outage, update

EXPIRES_ON_PURPOSE = (":minute:", ":done:", ":harm", ":ahead:", ":former:")


def everything(bench: Bench) -> None:
    """Something in every kind of key: waiting, leased, scheduled for retry, dead."""
    bench.route(*(event(f"e{number}") for number in range(3)), update("p"), b"junk")
    bench.bury(bench.take())
    bench.route(event("retried"))
    bench.park(bench.take(), outage())
    bench.route(event("leased"))
    bench.take(destination="elsewhere")
    bench.route(event("waits"))
    bench.queue.push([event("in the list")])


def to_be_kept(redis: Redis) -> set[str]:
    names = {name.decode() for name in redis.keys("*")}
    return {name for name in names if not any(one in name for one in EXPIRES_ON_PURPOSE)}


def test_what_someone_lets_expire_does_not(bench: Bench, redis: Redis) -> None:
    everything(bench)
    kept = to_be_kept(redis)
    assert len(kept) > 20
    for name in redis.keys("*"):
        redis.expire(name, 100)
    before = bench.queue.books()
    assert before.harm.expiring
    [seen] = bench.queue.guard()
    assert seen.keys >= len(kept)
    assert {name for name in kept if redis.ttl(name) != -1} == set()
    books = bench.queue.books()
    assert books.harm.expiring == ()
    assert books.harm.persisted in kept
    assert books.harm.persisted_at_ms is not None
    assert (books.waiting, books.dead, books.difference) == (before.waiting, before.dead, 0)
    [again] = bench.queue.guard()
    assert again.keys == 0


def test_keys_that_are_to_expire_still_do(bench: Bench, redis: Redis) -> None:
    everything(bench)
    timed = {name for name in redis.keys("*") if redis.ttl(name) != -1}
    assert timed
    [seen] = bench.queue.guard()
    assert seen.keys == 0
    assert {name for name in redis.keys("*") if redis.ttl(name) != -1} == timed
    assert bench.queue.books().harm.expiring == ()


def test_every_batch_has_its_turn(bench: Bench, redis: Redis) -> None:
    for number in range(1_200):
        bench.route(event(f"e{number}"))
        bench.take(destination=f"to/{number}")
    batches = redis.keys(bench.key("batch:*"))
    for name in batches:
        redis.expire(name, 1_000)
    for _ in range(6):
        bench.queue.guard()
    assert {redis.ttl(name) for name in batches} == {-1}


@pytest.mark.parametrize("then", [0, 2])
def test_a_queue_that_was_emptied_is_seen(bench: Bench, redis: Redis, then: int) -> None:
    bench.route(*(event(f"e{number}") for number in range(5)))
    [first] = bench.queue.guard()
    assert not first.emptied
    redis.flushall()
    bench.route(*(event(f"e{number}") for number in range(then)))
    [seen] = bench.queue.guard()
    assert (seen.emptied, seen.was, seen.now) == (True, 5, then)
    harm = bench.queue.books().harm
    assert (harm.was, harm.now) == (5, then)
    assert harm.emptied_at_ms is not None
    [again] = bench.queue.guard()
    assert not again.emptied, "once"


def test_a_queue_that_was_set_back_is_seen(bench: Bench, redis: Redis) -> None:
    bench.route(*(event(f"e{number}") for number in range(5)))
    bench.queue.guard()
    redis.set(bench.key("number"), 3)  # as by a restored copy
    [seen] = bench.queue.guard()
    assert (seen.emptied, seen.was, seen.now) == (True, 5, 3)


def test_a_queue_that_goes_on_was_not_emptied(bench: Bench) -> None:
    for _ in range(3):
        bench.route(event("e"))
        bench.deliver(bench.take())
        [seen] = bench.queue.guard()
        assert not seen.emptied


def test_a_user_without_the_right_looks_all_the_same(bench: Bench, redis: Redis) -> None:
    """As one that was set up for an older version."""
    everything(bench)
    redis.execute_command(
        "ACL", "SETUSER", "older", "on", ">pw", "~*", "+@all", "-persist", "-pttl"
    )
    kwargs = redis.connection_pool.connection_kwargs
    older = Redis(host=kwargs["host"], port=kwargs["port"], username="older", password="pw")
    try:
        redis.expire(bench.queue.name, 100)
        queue = Queue(older, bench.queue.name)
        [seen] = queue.guard()
        assert seen.keys == 0
        assert queue.books().harm.expiring == ()
    finally:
        older.close()
        redis.execute_command("ACL", "DELUSER", "older")
        redis.persist(bench.queue.name)
