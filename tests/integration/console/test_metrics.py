"""What a scrape tells of pauses and of the limits of dead letters."""

from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry

from mixrelay.console.metrics.collector import QueueCollector
from mixrelay.console.status.look import look
from mixrelay.shared.queue import Lane, Queue
from tests.support.bench import Bench, event, outage

Value = Callable[..., float | None]


@pytest.fixture
def value(queue: Queue, redis_url: str) -> Value:
    registry = CollectorRegistry()
    registry.register(QueueCollector(lambda: look(queue, redis_url), dict))
    return lambda name, **labels: registry.get_sample_value(name, labels)


def test_a_lane_that_an_operator_holds_is_counted_apart_from_an_outage(
    bench: Bench, value: Value
) -> None:
    def paused() -> list[float | None]:
        reasons = ("operator", "outage", "configuration")
        return [value("mixrelay_lane_paused", type="event", reason=name) for name in reasons]

    assert paused() == [0, 0, 0]
    bench.queue.pause(Lane.EVENT, who="ann", why="deploy")
    assert paused() == [1, 0, 0]
    bench.queue.resume(Lane.EVENT, who="ann")
    bench.route(event("a"))
    bench.park(bench.take(), outage())
    assert paused() == [0, 1, 0]


def test_the_limit_of_dead_letters_is_0_where_there_is_none(bench: Bench, value: Value) -> None:
    assert value("mixrelay_dlq_limit") == 0
    bench.queue.retention.expire(None, 1_000)
    assert value("mixrelay_dlq_limit") == 1_000


def test_the_age_of_the_oldest_is_told_by_lane(bench: Bench, value: Value) -> None:
    bench.route(event("a"))
    number, payload = bench.redis.lindex(bench.key("lane:event"), 0).split(b" ", 1)
    received, rest = payload.split(b" ", 1)
    earlier = b" ".join((number, b"%d" % (int(received) - 90_000), rest))
    bench.redis.lset(bench.key("lane:event"), 0, earlier)
    ages = {
        kind: value("mixrelay_oldest_message_age_seconds", type=kind)
        for kind in ("all", "event", "import")
    }
    assert ages["import"] == 0
    assert ages["event"] == pytest.approx(ages["all"], abs=30), "two looks"
    assert 90 <= (ages["event"] or 0) < 600
