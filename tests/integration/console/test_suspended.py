"""`rq suspend`, deaths of drain jobs and jobs that nobody does, wherever an operator looks."""

import json
import time

import pytest
from redis import Redis
from rq import Queue as RqQueue
from rq import suspension
from rq.worker import Worker as RqWorker

from mixrelay.console.alerting.findings import findings
from mixrelay.console.status.look import look
from mixrelay.console.status.rq_state import rq_state
from mixrelay.shared.queue import JobKind, LetterFilter, Queue, new_id
from tests.support.bench import Bench, event
from tests.support.console import called
from tests.support.redis_servers import RedisServer


@pytest.fixture
def suspended(redis: Redis, queue: Queue) -> RqWorker:
    """A worker that RQ's switch has stopped, and a message that waits."""
    worker = RqWorker([RqQueue("mixrelay", connection=redis)], connection=redis)
    worker.register_birth()
    suspension.suspend(redis)
    queue.push([event("a")])
    return worker


def seen(redis_url: str, queue: Queue) -> str:
    figures = look(queue, redis_url)
    return " ".join([*figures.warnings(), *figures.remarks()])


def test_status_says_it_and_ends_with_1(suspended: RqWorker, redis: Redis, redis_url: str) -> None:
    written, said = called("status", "--json", expect=1, MIXRELAY_REDIS_URL=redis_url)
    assert json.loads(written)["suspended"] is True
    assert "The workers are suspended (rq suspend): nothing is sent, 1 message waiting" in said
    assert "rq resume" in said
    text, _ = called("status", expect=1, MIXRELAY_REDIS_URL=redis_url)
    assert "! The workers are suspended" in text
    suspension.resume(redis)
    written, _ = called("status", "--json", MIXRELAY_REDIS_URL=redis_url)
    assert json.loads(written)["suspended"] is False


def test_an_alert_fires_while_it_lasts(
    suspended: RqWorker, redis: Redis, redis_url: str, queue: Queue
) -> None:
    def fired() -> dict[str, str]:
        found = findings(look(queue, redis_url), oldest=300.0)
        return {one.name: f"{one.summary} {one.what_to_do}" for one in found}

    assert "nothing is sent, 1 message waiting" in fired()["suspended"]
    assert "rq resume" in fired()["suspended"]
    suspension.resume(redis)
    assert "suspended" not in fired()


def test_doctor_says_it(suspended: RqWorker, redis_url: str) -> None:
    written, _ = called("doctor", "--no-mixpanel", "--json", expect=1, MIXRELAY_REDIS_URL=redis_url)
    (found,) = [
        one for one in map(json.loads, written.splitlines()) if one["check"] == "rq suspend"
    ]
    assert (found["area"], found["level"]) == ("workers", "error")
    assert "rq resume" in found["todo"]


def test_the_first_page_has_a_banner_and_metrics_a_gauge(
    suspended: RqWorker, redis: Redis, page
) -> None:
    shown = page.get("/").text
    assert 'class="banner bad"' in shown
    assert "The workers are suspended (rq suspend)" in shown
    assert "mixrelay_workers_suspended 1.0" in page.get("/metrics").text
    suspension.resume(redis)
    assert "The workers are suspended" not in page.get("/").text
    assert "mixrelay_workers_suspended 0.0" in page.get("/metrics").text


def test_a_reader_without_the_right_to_ask_sees_it_by_the_workers_state(redis: Redis) -> None:
    role = "~rq:workers ~rq:workers:* ~rq:worker:* -@all +exists +hgetall +smembers +hget +zcard"
    with_users = RedisServer(acl=f"user reader on >reader resetkeys {role}")
    try:
        seen_by_reader = [type("Seen", (), {"state": "suspended"})()]
        state = rq_state(with_users.url_of("reader", "reader"), "mixrelay", seen_by_reader)
        assert (state.suspended, state.ended_badly) == (True, None)
        assert rq_state(with_users.url_of("reader", "reader"), "mixrelay", []).suspended is None
    finally:
        with_users.kill()


def test_many_deaths_within_an_hour_are_a_note(redis: Redis, redis_url: str, queue: Queue) -> None:
    deaths = {f"mixrelay-shift-0-{n}": time.time() + 3_600 for n in range(19)}
    redis.zadd("rq:failed:mixrelay", deaths)
    assert "ended badly" not in seen(redis_url, queue)
    redis.zadd("rq:failed:mixrelay", {"mixrelay-shift-0-x": time.time() + 3_600})
    assert "20 jobs of RQ's ended badly within an hour" in seen(redis_url, queue)


@pytest.fixture
def letters(bench: Bench) -> None:
    bench.route(event("a"), event("b"))
    bench.bury(bench.take())


def test_a_background_job_that_no_worker_does_is_said(letters: None, redis_url: str) -> None:
    said = called("dlq", "replay", "--all", "--background", "--yes", MIXRELAY_REDIS_URL=redis_url)
    assert "A worker will replay them: job " in said[0]
    assert "No worker runs: the job waits until one does. Start one: mixrelay worker." in said[1]


def test_a_background_job_with_a_worker_says_nothing_of_it(
    letters: None, suspended: RqWorker, redis: Redis, redis_url: str
) -> None:
    asked = ("dlq", "replay", "--all", "--background", "--rate", "1")
    assert (
        "The workers are suspended: the job waits."
        in called(*asked, MIXRELAY_REDIS_URL=redis_url)[1]
    )
    suspension.resume(redis)
    said = called(*asked, MIXRELAY_REDIS_URL=redis_url)[1]
    assert "waits" not in said


def test_a_resumed_job_that_no_worker_does_is_said(
    letters: None, queue: Queue, redis_url: str
) -> None:
    job = queue.jobs.start(JobKind.REPLAY, LetterFilter(), job_id=new_id(), who="ann")
    queue.jobs.cancel(job.id, who="ann")
    said = called("dlq", "resume", job.id, MIXRELAY_REDIS_URL=redis_url)[1]
    assert "No worker runs" in said


def test_the_page_of_a_job_says_that_nobody_does_it(letters: None, queue: Queue, page) -> None:
    job = queue.jobs.start(JobKind.REPLAY, LetterFilter(), job_id=new_id(), who="ann")
    assert "No worker runs: the job waits until one does." in page.get(f"/jobs/{job.id}").text


@pytest.mark.parametrize("rate", ["inf", "nan", "1e300", "0.00001", "-1"])
def test_a_rate_that_cannot_be_meant_is_refused_as_it_is_read(
    letters: None, queue: Queue, redis_url: str, rate: str
) -> None:
    asked = ("dlq", "replay", "--all", "--background", "--rate", rate)
    said = called(*asked, expect=2, MIXRELAY_REDIS_URL=redis_url)[1]
    assert "--rate" in said
    assert queue.jobs.newest() == []
    job = queue.jobs.start(JobKind.REPLAY, LetterFilter(), job_id=new_id(), who="ann", rate=2)
    called("dlq", "rate", "--", job.id, rate, expect=2, MIXRELAY_REDIS_URL=redis_url)
    with pytest.raises(ValueError, match="no rate"):
        queue.jobs.set_rate(job.id, float(rate), who="ann")
    kept = queue.jobs.get(job.id)
    assert kept is not None
    assert kept.rate == 2
