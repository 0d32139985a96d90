"""A queue that an older mixrelay wrote is drained by this one; a newer one's is left alone."""

import json
import logging
from pathlib import Path

import pytest
from redis import Redis

from mixrelay.shared.queue import JobKind, LetterFilter, new_job_id
from mixrelay.shared.queue.base import scripts
from tests.support.works import Works, event, update

FORM_2 = Path(__file__).parents[2] / "data" / "queue_form_2.json"


def restore(redis: Redis) -> None:
    """As the former program left it: batches in one list a lane, letters without their places."""
    for name, (kind, value) in json.loads(FORM_2.read_text())["keys"].items():
        match kind:
            case "string":
                redis.set(name, value)
            case "list":
                redis.rpush(name, *value)
            case "hash":
                redis.hset(name, mapping=value)
            case "zset":
                redis.zadd(name, value)
            case _:
                pytest.fail(f"{name} is a {kind}")


def values(works: Works, user: str) -> list[int]:
    updates = [one for one in works.box.updates if one["$distinct_id"] == user]
    return [one["$set"]["n"] for one in updates]


def test_what_the_former_form_holds_is_delivered_in_its_order(works: Works) -> None:
    restore(works.queue.redis)
    before = works.books
    assert (before.difference, before.dead) == (0, 12)
    works.drain_while(lambda: works.books.waiting > 0)
    assert values(works, "bob") == list(range(1, 9))
    assert sorted(one["event"] for one in works.box.events) == ["a", "b", "c"]
    wanted = LetterFilter(reason="invalid")
    job = works.queue.jobs.start(
        JobKind.REPLAY, wanted, job_id=new_job_id(), who="ann", background=False
    )
    while not job.state.is_over:
        step = works.queue.jobs.step(job)
        assert step.job is not None
        job = step.job
    works.drain()
    assert values(works, "ann") == list(range(1, 13))
    assert (works.books.dead, works.books.difference) == (0, 0)
    assert works.books.totals["delivered"] == works.books.totals["received"]
    assert works.queue.redis.get("{mixpanel_queue}:schema") == b"3"


@pytest.fixture
def as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """This program as if it knew one form less."""
    known = scripts.source.__wrapped__

    def source(name: str) -> str:
        return str(known(name).replace("local SCHEMA = 3", "local SCHEMA = 2"))

    assert "local SCHEMA = 2" in source("route")
    monkeypatch.setattr(scripts, "source", source)
    scripts.sha.cache_clear()


@pytest.mark.usefixtures("as_before")
def test_an_older_worker_beside_a_newer_one_says_so_and_loses_nothing(
    works: Works, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    works.push(event("ann"), update("bob", **{"$set": {"n": 1}}))
    works.queue.route()
    works.push(event("cid"))
    works.queue.redis.set("{mixpanel_queue}:schema", 3)
    before = {name: works.queue.redis.dump(name) for name in works.queue.redis.keys("*")}
    with caplog.at_level(logging.WARNING):
        works.drain_while(lambda: "SCHEMA 3" not in caplog.text)
    after = {name: works.queue.redis.dump(name) for name in works.queue.redis.keys("*")}
    assert before == after, "it changed nothing"
    assert not works.box.requests
    # Once it is replaced all goes on.
    monkeypatch.undo()
    scripts.sha.cache_clear()
    works.drain()
    assert sorted(works.users()) == ["ann", "cid"]
    assert values(works, "bob") == [1]


@pytest.mark.usefixtures("as_before")
def test_what_an_older_worker_had_under_way_is_sent_again_and_counts_once(
    works: Works, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    works.push(event("ann"))
    slow = works.box.fault("latency", seconds=0.5)

    def is_under_way() -> bool:
        if sum(works.books.leased.values()):
            works.queue.redis.set("{mixpanel_queue}:schema", 3)
        return "SCHEMA 3" not in caplog.text

    with caplog.at_level(logging.WARNING):
        works.drain_while(
            lambda: "SCHEMA 3" not in caplog.text and is_under_way(), lease=3.0, shift=20.0
        )
    works.box.clear_faults(slow)
    monkeypatch.undo()
    scripts.sha.cache_clear()
    works.drain(lease=3.0)
    assert works.users() == ["ann"]
    assert (works.books.totals["delivered"], works.books.difference) == (1, 0)


@pytest.fixture(autouse=True)
def forget_scripts() -> object:
    yield
    scripts.sha.cache_clear()
