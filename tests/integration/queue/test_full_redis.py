"""A full server refuses producers and lets workers drain (rule 13)."""

from collections.abc import Iterator

import pytest
from redis.exceptions import ResponseError

from mixrelay.shared.queue import (
    Dead,
    Division,
    Expansion,
    JobKind,
    Lane,
    Limits,
    Part,
    Settled,
    Settlement,
)
from tests.support.bench import Bench, event, numbers, outage, update


@pytest.fixture
def full(bench: Bench) -> Iterator[Bench]:
    """A queue of ten events, two of them dead, and two updates, whose server is full."""
    bench.route(event("1"), event("2"))
    bench.bury(bench.take())
    bench.queue.push([event(str(i)) for i in range(8)] + [update("p"), update("q")])
    bench.redis.config_set("maxmemory-policy", "noeviction")
    bench.redis.config_set("maxmemory", 1)
    yield bench
    bench.redis.config_set("maxmemory", 0)


def test_producers_are_refused(full: Bench) -> None:
    with pytest.raises(ResponseError, match="maxmemory"):
        full.queue.push([event("a")])


def test_every_other_move_goes_on(full: Bench) -> None:
    queue = full.queue
    full.redis.script_flush()
    assert queue.route() == (10, 0)
    batch = full.take(limits=Limits(records=4, linger_seconds=0))
    assert queue.extend([batch], 60) == frozenset()
    assert queue.begin(batch)
    assert queue.expand(batch, [Expansion("0-3", [event("x"), event("y")])]) is Settled.DONE
    assert queue.divide(batch, Division([Part(["0-6"])])) is Settled.DONE
    some = Settlement(delivered=["0-3.1"], dead=[Dead("0-3.2", "invalid", "x")], sent=True)
    assert queue.settle(batch, some) is Settled.DONE
    full.park(full.take(claim=batch.claim), outage())
    assert numbers(full.take(destination="track/2", owner="doomed")) == ["0-6"]
    assert queue.end_leases("doomed", died=True) == (1, 1)
    assert queue.reap() == (0, 0)
    assert queue.replay(["0-1"]) == 1
    job = queue.jobs.start(JobKind.DISCARD, ["0-2"], job_id="job", who="ann")
    assert queue.jobs.step(job).is_over
    assert queue.retention.expire(None, 1) == 0
    assert queue.books().difference == 0
    updates = full.take(Lane.PROFILE_UPDATE, destination="engage/1")
    assert queue.settle(updates, Settlement(rest="back")) is Settled.DONE
    assert numbers(full.take(Lane.PROFILE_UPDATE, destination="engage/1")) == numbers(updates)
    with pytest.raises(ResponseError, match="maxmemory"):
        queue.push([event("a")])
