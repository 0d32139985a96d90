"""Requests, their seconds and sizes, and latencies are counted where batches are moved."""

import pytest

from mixrelay.shared.errors import WrongKeyType
from mixrelay.shared.queue import Division, Park, Part, Request, Settled, Settlement
from mixrelay.shared.queue.base.scripts import source
from mixrelay.shared.queue.stats.measures import (
    BEYOND,
    LATENCY_BOUNDS,
    SECONDS_BOUNDS,
    SIZE_BOUNDS,
    Histogram,
    bucket,
    histogram,
)
from tests.support.bench import event

REQUEST = Request("track", 200, 0.3, 3)


def totals(queue):
    return queue.books().totals


def test_a_request_is_counted_with_its_settlement_once(bench, queue):
    bench.route(event("a"), event("b"), event("c"))
    batch = bench.take()
    done = Settlement(delivered="all", sent=True, accepted=True, request=REQUEST)

    queue.settle(batch, done, op="once")
    queue.settle(batch, done, op="once")

    counted = totals(queue)
    assert counted["requests:track:2xx"] == 1
    assert histogram(counted, "seconds:track", SECONDS_BOUNDS, unit=0.001).total == 0.3
    assert (
        histogram(counted, "seconds:track", SECONDS_BOUNDS).counts[SECONDS_BOUNDS.index(0.5)] == 1
    )
    assert histogram(counted, "size:track", SIZE_BOUNDS).total == 3
    assert histogram(counted, "latency", LATENCY_BOUNDS).count == 3


def test_a_request_that_ends_in_a_split_is_counted_with_it(bench, queue):
    bench.route(event("a"), event("b"))
    batch = bench.take()

    part = Part([batch.members[1].number])
    queue.divide(batch, Division([part], request=Request("track", 400, 0.01, 2)))

    assert totals(queue)["requests:track:4xx"] == 1


def test_a_request_without_an_answer_is_of_no_class(bench, queue):
    bench.route(event("a"))
    batch = bench.take()

    told = Settlement(rest=Park("no answer"), sent=True, request=Request("track", 0, 99, 1))
    queue.settle(batch, told)

    counted = totals(queue)
    assert counted["requests:track:none"] == 1
    assert counted[f"seconds:track:{BEYOND}"] == 1
    assert histogram(counted, "latency", LATENCY_BOUNDS).count == 0


def test_what_is_no_longer_the_workers_counts_no_request(bench, queue):
    bench.route(event("a"))
    batch = bench.take()
    bench.die(batch)

    assert queue.settle(batch, Settlement(sent=True, request=REQUEST)) is Settled.LOST
    assert "requests:track:2xx" not in totals(queue)
    assert totals(queue)["lost"] == 1


def test_a_replayed_letter_does_not_count_as_latency(bench, queue):
    bench.route(event("a"))
    batch = bench.take()
    bench.bury(batch)
    queue.replay([batch.members[0].number])

    bench.deliver(bench.take())

    assert histogram(totals(queue), "latency", LATENCY_BOUNDS).count == 0


def test_latency_runs_from_the_receipt_to_the_acceptance(bench, queue):
    bench.route(event("a"))
    batch = bench.take()
    bench.change(batch.id, oldest=queue.books().now_ms - 4_000)

    bench.deliver(batch)

    found = histogram(totals(queue), "latency", LATENCY_BOUNDS, unit=0.001)
    assert found.counts[LATENCY_BOUNDS.index(5.0)] == 1
    assert 4 <= found.total < 5


def test_the_script_and_the_reader_have_the_same_bounds():
    listed = source("settle").partition("LATENCIES = {")[2].partition("}")[0]

    assert tuple(float(bound) for bound in listed.split(",")) == LATENCY_BOUNDS


@pytest.mark.parametrize("cause", ["lease", "death", "stop"])
def test_the_cause_of_a_redelivery_is_counted(bench, queue, cause):
    bench.route(event("a"))
    batch = bench.take()

    if cause == "lease":
        bench.die(batch)
    else:
        queue.end_leases("worker", died=cause == "death")

    counted = totals(queue)
    assert (counted["redelivered"], counted[f"redelivered:{cause}"]) == (1, 1)


def test_a_settlement_that_redis_refused_is_counted_when_it_succeeds(bench, queue):
    bench.route(event("a"))
    batch = bench.take()
    bench.redis.set(bench.key("dead:reason:invalid"), "foreign")
    with pytest.raises(WrongKeyType, match="WRONGTYPE"):
        bench.bury(batch)
    bench.redis.delete(bench.key("dead:reason:invalid"))

    queue.settle(batch, Settlement(delivered="all", sent=True, refusals=1))

    assert totals(queue)["settle_failures"] == 1


@pytest.mark.parametrize(
    ("value", "named"), [(0, "0.05"), (0.05, "0.05"), (0.051, "0.1"), (99, BEYOND)]
)
def test_a_value_falls_into_the_smallest_bucket_that_holds_it(value, named):
    assert bucket(value, SECONDS_BOUNDS) == named


def test_quantiles_lie_between_the_bounds_of_their_bucket():
    found = Histogram((1.0, 2.0, 4.0), (0, 10, 0, 0), 15.0)

    assert found.quantile(0.5) == 1.5
    assert found.quantile(1.0) == 2.0
    assert Histogram((1.0,), (0, 0), 0.0).quantile(0.5) is None
    assert Histogram((1.0,), (0, 5), 50.0).quantile(0.5) == 1.0
