"""Copies of what was accepted: dropped by evidence, put back in order by a refusal, bounded."""

from typing import Any

import pytest
from redis import Redis

from mixrelay.shared.queue import (
    Batch,
    Dead,
    Identity,
    KeepCopy,
    Lane,
    Limits,
    Nothing,
    Pause,
    PauseKind,
    Refusal,
    Settled,
    Settlement,
)
from tests.support.bench import Bench, event, numbers, update
from tests.support.wide import Wide

OURS = Identity("0123456789ab", "3f2a…b7", "https://api.mixpanel.com", own=True)
THEIRS = Identity("ba9876543210", "77aa…01", "https://api.mixpanel.com", own=True)
ENGAGE = "engage:1"
PAUSE = Pause(PauseKind.CONFIGURATION, base_ms=60_000)
REFUSED = Refusal("refused (401)", 401, opens=[(ENGAGE, "profile_update")], pause=PAUSE)
MIB = 1_048_576


def send(
    bench: Bench | Wide,
    sent: int,
    *,
    identity: Identity = OURS,
    size: int = 100,
    lane: Lane = Lane.PROFILE_UPDATE,
    op: str | None = None,
    **verdicts: Any,
) -> Batch:
    """Takes one message and settles it as accepted."""
    batch = bench.take(lane, destination=ENGAGE, limits=Limits(records=1, linger_seconds=0))
    accept(bench, batch, sent, identity=identity, size=size, op=op, **verdicts)
    return batch


def accept(
    bench: Bench | Wide,
    batch: Batch,
    sent: int,
    *,
    identity: Identity = OURS,
    size: int = 100,
    op: str | None = None,
    **verdicts: Any,
) -> Settled:
    settlement = Settlement(
        delivered="all",
        sent=True,
        accepted=True,
        destination=ENGAGE,
        keep=KeepCopy(identity.fingerprint, sent, size),
        **verdicts,
    )
    return bench.queue.settle(batch, settlement, op=op)


def routed(bench: Bench, count: int) -> None:
    bench.route(*(update(f"p{index}", index) for index in range(count)))


def balanced(bench: Bench | Wide, *, delivered: int) -> None:
    books = bench.queue.books()
    assert books.difference == 0
    assert books.totals["delivered"] == delivered
    assert books.totals["delivered:profile_update"] == delivered


def lists(bench: Bench) -> int:
    return len(bench.redis.keys(bench.key("batch:*")))


def test_a_copy_counts_as_delivered_and_is_dropped_by_evidence(bench: Bench) -> None:
    routed(bench, 2)
    send(bench, 100)
    send(bench, 200)
    balanced(bench, delivered=2)
    assert lists(bench) == 2
    bench.queue.tokens.proven(OURS, began_ms=200)
    assert lists(bench) == 1  # what was sent as the evidence began may be later than that
    bench.queue.tokens.proven(OURS, began_ms=201)
    assert not bench.redis.keys(bench.key("batch:*"))
    assert not bench.redis.keys(bench.key("kept:0*"))
    balanced(bench, delivered=2)


def test_a_refusal_puts_back_what_was_sent_before_what_waits_in_its_order(bench: Bench) -> None:
    routed(bench, 5)
    sent = [send(bench, 100 + index) for index in range(3)]
    waiting = bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)
    bench.queue.settle(waiting, Settlement(rest="back"))
    _, returned = bench.queue.tokens.refused(OURS, REFUSED)
    assert returned == (3, 3)
    balanced(bench, delivered=0)
    assert bench.queue.books().totals["returned"] == 3
    # What was never sent is read meanwhile, and waits behind them.
    assert isinstance(bench.reserve_read(Lane.PROFILE_UPDATE, destination=ENGAGE), Nothing)
    bench.queue.tokens.proven(OURS, began_ms=10**15)
    again = [number for batch in sent for number in numbers(batch)]
    found = []
    for _ in range(3):
        batch = bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)
        assert batch.ambiguous
        found += numbers(batch)
        bench.deliver(batch)
    assert found == again
    assert numbers(bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)) == numbers(waiting)


def test_copies_of_the_same_millisecond_keep_their_order(bench: Bench) -> None:
    routed(bench, 12)
    sent = [numbers(send(bench, 100)) for _ in range(12)]
    bench.queue.tokens.refused(OURS, REFUSED)
    order = bench.redis.lrange(bench.key(f"order:profile_update:{ENGAGE}"), 0, -1)
    heads = [bench.redis.lindex(bench.key(f"batch:{one.decode()}"), 0) for one in order]
    assert [[head.split(b" ")[0].decode()] for head in heads] == sent


def test_one_batch_of_the_lane_is_under_way_also_behind_many_that_came_back(bench: Bench) -> None:
    routed(bench, 13)
    for index in range(12):
        send(bench, index)
    under_way = bench.take_read(Lane.PROFILE_UPDATE, destination=ENGAGE)
    bench.queue.tokens.refused(OURS, REFUSED)
    bench.queue.tokens.proven(OURS, began_ms=1)
    bench.refused(Lane.PROFILE_UPDATE, destination=ENGAGE)
    bench.deliver(under_way)
    assert numbers(bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)) == ["0-1"]


def test_what_was_accepted_while_the_refusal_was_written_comes_back_with_the_proof(
    bench: Bench,
) -> None:
    routed(bench, 1)
    under_way = bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)
    bench.queue.tokens.refused(OURS, REFUSED)
    accept(bench, under_way, 100)
    balanced(bench, delivered=1)
    # The token is known again, and was not when the batch was sent.
    assert bench.queue.tokens.proven(OURS, began_ms=10**15) == (1, 1)
    balanced(bench, delivered=0)
    assert bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE).ambiguous


def test_of_a_batch_with_dead_letters_only_what_was_delivered_is_kept(bench: Bench) -> None:
    bench.route(update("a"), update("b"), update("c"))
    batch = bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)
    dead = [Dead(batch.members[1].number, "invalid", "no")]
    accept(bench, batch, 100, dead=dead)
    balanced(bench, delivered=2)
    bench.queue.tokens.refused(OURS, REFUSED)
    balanced(bench, delivered=0)
    bench.queue.tokens.proven(OURS, began_ms=1)
    assert numbers(bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)) == ["0-1", "0-3"]


def test_a_settlement_asked_twice_keeps_one_copy(bench: Bench) -> None:
    routed(bench, 1)
    batch = send(bench, 100, op="op")
    assert accept(bench, batch, 100, op="op") is Settled.ALREADY
    assert bench.queue.tokens.refused(OURS, REFUSED)[1] == (1, 1)
    balanced(bench, delivered=0)


def test_copies_of_another_token_stay(bench: Bench) -> None:
    routed(bench, 2)
    send(bench, 100, identity=THEIRS)
    send(bench, 100)
    bench.queue.tokens.proven(OURS, began_ms=10**15)
    assert bench.queue.tokens.refused(THEIRS, REFUSED)[1] == (1, 1)


def test_parallel_lanes_get_their_copies_back_too(bench: Bench) -> None:
    bench.route(event("e"))
    send(bench, 100, lane=Lane.EVENT)
    bench.queue.tokens.refused(OURS, REFUSED)
    assert bench.queue.books().difference == 0
    bench.queue.tokens.proven(OURS, began_ms=1)
    assert bench.take(Lane.EVENT, destination=ENGAGE).ambiguous


def test_over_the_limit_the_oldest_copies_go(bench: Bench) -> None:
    routed(bench, 4)
    for index in range(3):
        send(bench, 100 + index, size=20 * MIB)
    assert bench.queue.tokens.kept(0, OURS.fingerprint).dropped == 0
    send(bench, 200, identity=THEIRS, size=20 * MIB)
    kept = bench.queue.tokens.kept(0, OURS.fingerprint)
    assert 40 * MIB < kept.bytes < 41 * MIB
    assert kept.dropped == 1
    assert bench.queue.tokens.refused(OURS, REFUSED)[1] == (2, 2)
    balanced(bench, delivered=2)
    bench.queue.tokens.proven(OURS, began_ms=1)
    assert numbers(bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)) == ["0-2"]


def test_a_day_old_copies_are_dropped(bench: Bench) -> None:
    routed(bench, 2)
    now = bench.queue.books().now_ms
    send(bench, now - 86_400_001)
    send(bench, now)
    bench.queue.reap()
    assert lists(bench) == 1
    assert bench.queue.tokens.refused(OURS, REFUSED)[1] == (1, 1)


def test_every_partition_gets_its_copies_back(redis: Redis) -> None:
    wide = Wide(redis, 3)
    for index in range(3):
        wide.route(index, update("p"))
    for _ in range(3):
        send(wide, 100)
    balanced(wide, delivered=3)
    assert wide.queue.tokens.refused(OURS, REFUSED)[1] == (3, 3)
    balanced(wide, delivered=0)
    wide.refused(Lane.PROFILE_UPDATE, destination=ENGAGE)
    wide.queue.tokens.proven(OURS, began_ms=1)
    found = {wide.take(Lane.PROFILE_UPDATE, destination=ENGAGE).partition for _ in range(3)}
    assert found == {0, 1, 2}


def test_a_partition_that_does_not_answer_keeps_nobody_else_s_copies(redis: Redis) -> None:
    wide = Wide(redis, 3)
    for index in range(3):
        wide.route(index, update("p"))
    for _ in range(3):
        send(wide, 100)
    kept = wide.benches[1].key("kept")
    redis.rename(kept, "elsewhere")
    redis.set(kept, "foreign")  # as good as a node that is away
    assert wide.queue.tokens.refused(OURS, REFUSED)[1] == (2, 2)
    redis.rename("elsewhere", kept)
    # The next evidence, whatever it says, does the rest.
    assert wide.another().tokens.proven(OURS, began_ms=10**15) == (1, 1)
    balanced(wide, delivered=0)


@pytest.mark.parametrize("key", ["kept", "kept:batches", "kept:bytes", f"kept:{OURS.fingerprint}"])
def test_a_foreign_value_stops_the_settlement_untouched(bench: Bench, key: str) -> None:
    routed(bench, 1)
    batch = bench.take(Lane.PROFILE_UPDATE, destination=ENGAGE)
    bench.redis.set(bench.key(key), "foreign")
    before = bench.dump()
    with pytest.raises(Exception, match="Another program writes"):
        accept(bench, batch, 100)
    assert bench.dump() == before
