"""What is looked at by commands, and not by a script, is within the rights of docs/redis.md."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from mixrelay.shared import rights
from mixrelay.shared.connection import connect
from mixrelay.shared.queue import JobKind, LetterFilter, Queue, Shard, new_job_id
from tests.support.bench import Bench, event, update
from tests.support.redis_servers import RedisServer

ROLES = (rights.WORKER, rights.OPERATOR)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    users = [f"user {role.name} on >secret {role.rules('mixpanel_queue', 2)}" for role in ROLES]
    made = RedisServer(acl="\n".join(users))
    yield made
    made.close()


@pytest.mark.parametrize("role", ROLES, ids=lambda role: role.name)
@pytest.mark.parametrize("partitions", [1, 2])
def test_a_role_may_look_at_everything(
    server: RedisServer, role: rights.Role, partitions: int
) -> None:
    server.client.flushall()
    server.client.acl_log_reset()
    with connect(server.url_of(role.name, "secret")) as redis:
        queue = Queue(redis, partitions=partitions)
        queue.announce()
        bench = Bench(queue)
        bench.route(*[event(f"e{number}") for number in range(20)], update("u"))
        bench.bury(bench.take())
        wanted = LetterFilter(reason="invalid", status=400)
        job = queue.jobs.start(JobKind.REPLAY, wanted, job_id=new_job_id(), who="ann")

        assert [one.id for one in queue.jobs.newest()] == [job.id]
        assert queue.jobs.get(job.id) == job
        assert queue.jobs.plan(wanted).count == queue.letters.count(wanted) > 0
        assert queue.letters.page(wanted).letters
        assert list(queue.letters.find(LetterFilter()))
        assert queue.letters.groups()
        assert queue.history.minutes(2)[-1].counters
        assert queue.books().difference == 0
        queue.retention.expire(timedelta(days=1), 1)
        assert queue.retention.outlook() is not None
        assert queue.audit.newest()
        assert queue.loads.places("a log") == [""] * partitions
        queue.loads.forget("a log")
        queue.reap()
        shard = Shard(1, "group", "a token", "team", "red")
        assert queue.hot.add({shard: 600_000}, frozenset({("a token", "team")})).crossed
        assert queue.books().hot
    assert [(one["username"], one["object"]) for one in server.client.acl_log()] == []
