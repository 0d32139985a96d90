"""`status`, `doctor` and alerts say that keys of the queue expire, or that it was emptied."""

import json
from collections.abc import Callable

import pytest
from redis import Redis

from mixrelay.console.alerting.findings import findings
from mixrelay.console.doctor.server import check_server
from mixrelay.console.health.kinds import EMPTIED, UNSAFE
from mixrelay.console.status.look import look
from mixrelay.shared.queue import Queue
from tests.support.bench import Bench, event
from tests.support.console import called


def said(redis_url: str, expect: int) -> str:
    written, _ = called("status", expect=expect, MIXRELAY_REDIS_URL=redis_url, COLUMNS="1000")
    return " ".join(written.split())


def expire_all(redis: Redis, seconds: int) -> None:
    """As a script does that cleans up what nobody else seems to."""
    for name in redis.keys("*"):
        redis.expire(name, seconds)


def emptied(bench: Bench) -> None:
    bench.queue.guard()
    bench.redis.flushall()
    bench.queue.guard()


def persisted(bench: Bench) -> None:
    expire_all(bench.redis, 60)
    bench.queue.guard()


@pytest.fixture
def bench(redis: Redis) -> Bench:
    made = Bench(Queue(redis))
    made.route(event("a"), event("b"))
    made.deliver(made.take())
    return made


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (lambda bench: expire_all(bench.redis, 60), "will expire, and messages in them are lost"),
        (lambda bench: bench.redis.expire(bench.queue.name, 60), "mixpanel_queue in"),
        (persisted, "Someone set a time to live on keys of this queue"),
        (emptied, "This queue was emptied or set back to an earlier state"),
    ],
)
def test_it_is_said_wherever_one_looks(
    bench: Bench, redis_url: str, harm: Callable[[Bench], object], words: str
) -> None:
    bench.queue.push([event("waits")])
    assert words not in said(redis_url, expect=1)  # no worker runs here
    harm(bench)
    assert words in said(redis_url, expect=1)
    figures = look(bench.queue, redis_url)
    assert figures.is_bad
    told = [one for one in findings(figures, 300) if one.alert in {EMPTIED, UNSAFE}]
    assert any(words in one.summary for one in told), told
    found = [one for one in check_server(redis_url, "mixpanel_queue") if one.check == "keys"]
    assert any(words in one.found for one in found), found


def test_nothing_is_said_of_a_queue_that_nobody_touched(bench: Bench, redis_url: str) -> None:
    bench.queue.guard()
    bench.queue.guard()
    written, _ = called("status", "--json", MIXRELAY_REDIS_URL=redis_url)
    assert json.loads(written)["totals"]["delivered"] == 2
    kinds = {one.kind for one in look(bench.queue, redis_url).health().problems}
    assert not {EMPTIED, UNSAFE} & kinds
