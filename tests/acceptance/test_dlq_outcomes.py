"""A bulk job says what became of its letters, and they say which job re-queued them."""

import json
from typing import Any

from mixrelay.console.exits import ExitCode
from mixrelay.shared.queue import (
    Dead,
    Expansion,
    JobKind,
    LetterFilter,
    Outcome,
    Queue,
    Settlement,
    new_job_id,
)
from tests.support.bench import Bench
from tests.support.console import called
from tests.support.letters import bury, deliver_all, event
from tests.support.partitions import Partitioned


def dlq(redis_url: str, *arguments: str, expect: int = 0) -> str:
    return called("dlq", *arguments, expect=expect, MIXRELAY_REDIS_URL=redis_url)[0]


def job_of(redis_url: str) -> dict[str, Any]:
    return dict(json.loads(dlq(redis_url, "jobs", "--json").splitlines()[0]))


def test_a_replay_counts_what_was_delivered_and_what_failed_again(
    queue: Queue, redis_url: str
) -> None:
    bury(queue, [event("E", f"u{n}") for n in range(168)], error="code 17 of request 4")
    dlq(redis_url, "replay", "--all")
    assert (job_of(redis_url)["under_way"], job_of(redis_url)["settled"]) == (168, False)
    fail_some(queue, 8, error="code 17 of request 99")
    told = job_of(redis_url)
    names = ("requeued", "delivered", "failed_again", "same_error", "under_way", "settled")
    assert [told[name] for name in names] == [168, 160, 8, 8, 0, True]
    shown = dlq(redis_url, "jobs")
    assert "168 re-queued: 160 delivered, 8 failed again (same error)" in shown
    assert max(map(len, shown.splitlines())) <= 100
    one = dlq(redis_url, "jobs", told["id"], "--wait")
    assert f"mixrelay dlq list --job {told['id']}" in one
    assert "letters a second" in one
    again = [json.loads(line) for line in listed(redis_url, "--job", told["id"])]
    assert len(again) == 8
    assert {letter["requeued_by"] for letter in again} == {told["id"]}
    assert told["id"] in dlq(redis_url, "show", again[0]["id"])
    assert listed(redis_url, "--job", "another") == []


def listed(redis_url: str, *arguments: str) -> list[str]:
    return dlq(redis_url, "list", "--json", *arguments).splitlines()


def fail_some(queue: Queue, many: int, error: str) -> None:
    """Delivers what waits, but for some, which fail again."""
    bench = Bench(queue)
    batch = bench.take()
    dead = [Dead(one.number, "invalid", error, status=400) for one in batch.members[:many]]
    rest = [one.number for one in batch.members[many:]]
    bench.queue.settle(batch, Settlement(delivered=rest, dead=dead, sent=True, accepted=True))


def test_another_error_is_not_the_same(queue: Queue, redis_url: str) -> None:
    bury(queue, [event("E", "u")], error="the one")
    dlq(redis_url, "replay", "--all")
    bury(queue, [], error="the other")
    assert "1 re-queued: 1 failed again\n" in dlq(redis_url, "jobs")
    assert job_of(redis_url)["same_error"] == 0


def test_each_job_counts_its_own_and_a_forgotten_one_stays_forgotten(
    queue: Queue, redis_url: str
) -> None:
    bury(queue, [event("E", "u")])
    for _ in range(2):
        dlq(redis_url, "replay", "--all")
        bury(queue, [])
    [second, first] = [json.loads(line) for line in dlq(redis_url, "jobs", "--json").splitlines()]
    assert [one["failed_again"] for one in (first, second)] == [1, 1]
    [letter] = queue.letters.find(LetterFilter(job=second["id"]))
    assert [death.job for death in letter.deaths] == [first["id"], second["id"]]
    dlq(redis_url, "replay", "--all")
    third = job_of(redis_url)["id"]
    queue.redis.delete("{mixpanel_queue}:job:" + third)
    deliver_all(queue)
    assert queue.redis.exists("{mixpanel_queue}:job:" + third) == 0
    assert queue.books().difference == 0


def test_records_of_a_list_are_counted_each(queue: Queue, redis_url: str) -> None:
    records = [{"event": "E", "properties": {"distinct_id": f"u{n}"}} for n in range(3)]
    bury(queue, [json.dumps(["event", json.dumps(records)]).encode()])
    dlq(redis_url, "replay", "--all")
    bench = Bench(queue)
    batch = bench.take()
    payloads = [json.dumps(["event", json.dumps(one)]).encode() for one in records]
    queue.expand(batch, [Expansion(batch.members[0].number, payloads)])
    bench.deliver(batch)
    told = job_of(redis_url)
    assert [told[name] for name in ("processed", "requeued", "delivered")] == [1, 3, 3]


def test_a_job_of_several_partitions_adds_up(queue: Queue) -> None:
    three = Partitioned(queue.redis)
    for index in range(3):
        three.bury(index, *[event("a")] * 3)
    job = three.queue.jobs.start(JobKind.REPLAY, LetterFilter(), job_id=new_job_id(), who="ann")
    while True:
        step = three.queue.jobs.step(job)
        if step.job is None or step.is_over:
            break
        job = step.job
    bench = Bench(Queue(queue.redis, partitions=3))
    bench.bury(bench.take())
    bench.deliver(bench.take())
    bench.deliver(bench.take())
    found = three.queue.jobs.get(job.id)
    assert found is not None
    assert found.outcome == Outcome(delivered=6, failed_again=3, same_error=3)
    assert found.is_settled


def test_a_job_to_wait_for_must_be_named(redis_url: str) -> None:
    dlq(redis_url, "jobs", "--wait", expect=ExitCode.USAGE)
