"""`mixrelay status`, `doctor` and the metrics say that Redis's clock was set, or is apart."""

import json
from collections.abc import Iterator

import pytest
from rq.utils import now, utcformat
from rq.worker_registration import WORKERS_BY_QUEUE_KEY

from mixrelay.console.doctor.server import check_server
from mixrelay.console.metrics.collector import QueueCollector
from mixrelay.console.status.look import look
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import Queue
from tests.support.bench import Bench, event
from tests.support.clocks import Clock, library, redis_with
from tests.support.console import called
from tests.support.fleet import wait_until


@pytest.fixture(scope="module")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    folder = tmp_path_factory.mktemp("clock")
    return Clock(library(folder), folder / "now", 0)


@pytest.fixture
def bench(clock: Clock) -> Iterator[Bench]:
    clock.set(0)
    with redis_with(clock) as server, connect(server.url, timeout=5) as redis:
        running = Bench(Queue(redis))
        running.route(event("a"))
        running.deliver(running.take())
        yield running


def url_of(bench: Bench) -> str:
    return f"redis://127.0.0.1:{bench.redis.connection_pool.connection_kwargs['port']}/0"


def sees(bench: Bench) -> bool:
    bench.refused()
    return "clock_steps" in bench.queue.books().totals


def test_a_step_is_told_wherever_one_looks(bench: Bench, clock: Clock) -> None:
    clock.set(-600)
    wait_until(lambda: sees(bench), 10, "it is seen")
    url = url_of(bench)
    written, said = called("status", "--json", MIXRELAY_REDIS_URL=url)
    told = json.loads(written)["clock"]
    assert told["steps"] == 1
    assert told["last_step"]["seconds"] == pytest.approx(-600, abs=5)
    assert told["ahead_seconds"] == pytest.approx(-600, abs=5)
    plain, _ = called("status", MIXRELAY_REDIS_URL=url, COLUMNS="400")
    assert "Redis's clock was set back by 10 min" in plain + said
    assert "behind this machine's" in plain + said
    found = [one for one in check_server(url, "mixpanel_queue") if one.check == "clock"]
    assert any("was set back by" in one.found and "NTP" in one.todo for one in found), found
    metrics = {
        sample.name: sample.value
        for metric in QueueCollector(lambda: look(bench.queue, url), dict).collect()
        for sample in metric.samples
        if sample.name.startswith("mixrelay_redis_clock")
    }
    assert metrics["mixrelay_redis_clock_steps_total"] == 1
    assert metrics["mixrelay_redis_clock_ahead_seconds"] == pytest.approx(-600, abs=5)


def test_nothing_is_told_of_a_clock_that_is_right(bench: Bench) -> None:
    written, said = called("status", "--json", MIXRELAY_REDIS_URL=url_of(bench))
    told = json.loads(written)["clock"]
    assert (told["steps"], told["last_step"]) == (0, None)
    assert abs(told["ahead_seconds"]) < 60
    assert "clock" not in said


def test_workers_whose_signs_expired_by_a_step_alone_still_run(bench: Bench, clock: Clock) -> None:
    """RQ keeps a worker's signs of life for a minute and a half by Redis's clock."""
    url, key = url_of(bench), "rq:worker:busy"
    bench.redis.sadd(WORKERS_BY_QUEUE_KEY % "mixrelay", key)
    bench.redis.hset(key, mapping={"birth": utcformat(now()), "last_heartbeat": utcformat(now())})
    bench.redis.expire(key, 90)
    bench.queue.push([event("b")])
    assert [one.name for one in look(bench.queue, url).workers or ()] == ["busy"]
    worker = Queue(bench.redis)
    worker.reap(lease_seconds=30)
    clock.set(600)
    wait_until(lambda: worker.reap(lease_seconds=30) and sees(bench), 10, "it is seen")
    figures = look(bench.queue, url)
    assert not bench.redis.exists(key)
    assert [(one.name, one.state) for one in figures.workers or ()] == [("busy", "unheard")]
    assert not any("no worker runs" in one for one in figures.warnings())
