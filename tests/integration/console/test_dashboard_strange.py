"""Ids and keys that are none of ours break no page, and what breaks is logged."""

import json
import logging
import os
import random
import subprocess
import sys
import time
from urllib.parse import quote

import httpx
import pytest
from redis import Redis

from mixrelay.console.dashboard.app import create_app
from mixrelay.console.dashboard.options import DashboardSettings
from mixrelay.shared.queue import JobKind, Lane, LetterFilter, Number, Queue, new_id
from mixrelay.shared.settings import Settings
from tests.integration.security.test_hostile_keys import (
    FULL,
    HOSTILE,
    filled,
    pattern,
    replacements,
)
from tests.support.bench import event
from tests.support.pages import browsing, form_token
from tests.support.patience import Deadline
from tests.support.ports import free_port
from tests.support.processes import Process

STRANGE = ("a/b", "../../letters", "a?b=c#d", "%2e%2e", "a\nb", "\0", "é" * 20, "a" * 300, ".", " ")
PAGES = ("/", "/live", "/letters", "/letters/0-1", "/jobs", "/audit", "/workers", "/lanes/event")
OTHERS = ("/metrics", "/series.json", "/healthz", "/readyz")
HTML = {"Accept": "text/html"}


@pytest.fixture
def client(page):
    return page


def started(queue: Queue, job_id: str) -> None:
    """Note a job as an older version did, whatever its id."""
    queue._partitions[0].jobs.start(
        JobKind.REPLAY,
        LetterFilter(),
        job_id=job_id,
        who="x",
        why="",
        rate=None,
        planned=None,
        background=True,
    )


def full(redis: Redis) -> None:
    """Something under each key that a page reads."""
    queue = filled(redis)
    job = queue.jobs.start(
        JobKind.REPLAY, [Number("0-2")], job_id=new_id(), who="x", background=False
    )
    queue.jobs.step(job)
    queue.pause(Lane.IMPORT, who="x", why="y")


def test_a_form_with_a_strange_id_starts_nothing_and_breaks_nothing(client, queue, bench):
    bench.route(event("one"))
    bench.bury(bench.take())
    token = form_token(client)
    until = "2040-01-01T00:00:00+00:00"
    form = {"form_token": token, "typed": "1", "planned": "1", "until": until}
    for job_id in STRANGE:
        answer = client.post("/jobs/start/replay", data=form | {"job_id": job_id})
        assert answer.status_code == 422, job_id
        assert "plan again" in answer.text
    assert queue.jobs.newest() == []
    assert client.get("/jobs").status_code == 200


def test_a_job_with_a_strange_id_is_listed_and_breaks_no_page(client, queue, bench):
    bench.route(event("one"))
    bench.bury(bench.take())
    for job_id in STRANGE:
        started(queue, job_id)
        queue.jobs.cancel(job_id, who="x", why="an entry in the audit")
    for path in PAGES:
        assert client.get(path, headers=HTML).status_code == 200, path
    assert len(queue.jobs.newest()) == len(STRANGE)


@pytest.mark.parametrize("job_id", STRANGE)
def test_no_caller_starts_a_job_with_a_strange_id(queue, job_id):
    with pytest.raises(ValueError, match="letters, digits"):
        queue.jobs.start(JobKind.REPLAY, LetterFilter(), job_id=job_id, who="x")


def test_another_key_of_a_job_is_no_job(client, queue, bench):
    bench.route(event("one"))
    bench.bury(bench.take())
    job = queue.jobs.start(JobKind.REPLAY, [Number("0-1")], job_id=new_id(), who="x")
    assert queue.jobs.get(f"{job.id}:ids") is None
    assert queue.jobs.cancel(f"{job.id}:ids", who="x") is None
    assert client.get(f"/jobs/{job.id}:ids").status_code == 404


def test_whatever_is_asked_for_is_answered_in_words(client, queue, bench):
    """In a path, a query and a form: letters, jobs, lanes, cursors, filters."""
    bench.route(event("one"))
    bench.bury(bench.take())
    token = form_token(client)
    until = "2001-01-01T00:00:00+00:00"
    texts = [*STRANGE, "9" * 5_000, "1-" + "9" * 5_000, "²-1", "-1", "0-1-2-3"]
    named = (
        "looked",
        "n_event",
        "event",
        "distinct_id",
        "reason",
        "type",
        "cursor",
        "status",
        "since",
        "said",
        "moved",
    )
    for text in texts if FULL else random.sample(texts, 5):
        quoted = quote(text, safe="")
        asked = [f"/{page}/{quoted}" for page in ("letters", "jobs", "lanes", "static")]
        asked += [f"/audit?before={quoted}", f"/series.json?span={quoted}", f"/{quoted}"]
        asked += [f"/letters?{name}={quoted}" for name in named]
        asked += [f"/letters/counted?{name}={quoted}&place={quoted}" for name in named]
        for path in asked:
            assert client.get(path, headers=HTML).status_code < 500, path
        for path, form in (
            ("/letters/selected", {"id": text, "move": "replay"}),
            ("/letters/selected", {"id": "0-1", "move": text}),
            ("/letters/0-1/edit", {"message": text, "seen": text}),
            ("/jobs/start/replay", dict.fromkeys(("until", "typed", "planned", "rate"), text)),
            ("/jobs/start/discard", {"until": until, "typed": text, "planned": text, "why": "x"}),
            (f"/jobs/{quoted}/cancel", {"why": text}),
            ("/lanes/event/pause", {"why": text}),
        ):
            answer = client.post(path, data=form | {"form_token": token}, headers=HTML)
            assert answer.status_code < 500, (path, form)


def test_half_a_character_in_a_name_is_shown(client, bench):
    """JSON may have it, and UTF-8 may not."""
    record = '{"data":{"event":"half \\ud83d","properties":{"distinct_id":"\\udc00"}}}'
    bench.route(json.dumps(["event", record]).encode())
    bench.bury(bench.take())
    for path in ("/letters", "/letters/0-1", "/letters/0-1/edit", "/letters?event=%ED%A0%BD"):
        answer = client.get(path, headers=HTML)
        assert answer.status_code == 200, path


def test_pages_survive_whatever_lies_in_any_key(redis: Redis, client) -> None:
    """As the commands do (``test_hostile_keys.py``): told in words, and no page of mistakes."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    full(redis)
    names = sorted({pattern(key) for key in redis.scan_iter() if b":done:" not in key})
    for name in names if FULL else chance.sample(names, 12):
        full(redis)
        key = next(redis.scan_iter(match=name, count=10_000))
        value = chance.choice(HOSTILE)
        way = chance.randrange(3)
        ways = replacements(redis, key, [value])
        ways[way % len(ways)]()
        for path in (*PAGES, *OTHERS):
            answer = client.get(path, headers=HTML)
            assert answer.status_code in {200, 404, 503}, (name, way, value, path)


FAILING = """
import sys
from mixrelay.console.app import run
from mixrelay.console.dashboard.pages import overview
def fails(*_):
    raise KeyError('redis://ann:s3cret@h/0 {"api_key": "k3y"}')
overview.look = fails
sys.exit(run())
"""


def test_a_mistake_of_ours_is_in_the_servers_log_and_shown_on_a_page(redis_url) -> None:
    """By the real command, whose log had nothing of it."""
    port = free_port()
    served = Process(
        [sys.executable, "-c", FAILING, "dashboard", "--port", str(port)],
        env=os.environ | {"MIXRELAY_REDIS_URL": redis_url},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        base, deadline = f"http://127.0.0.1:{port}", Deadline(60)
        while not _answers(base):
            assert not deadline.is_over(), "the page does not start"
        answer = httpx.get(f"{base}/live?reason=secret-query", headers=HTML, timeout=20)
        served.terminate()
        log = served.communicate(timeout=60)[1]
    finally:
        served.end()
    assert answer.status_code == 500
    assert "<h1>Failed</h1>" in answer.text
    assert "The log of this server" in answer.text
    for word in ("dashboard_failed", "GET '/live'", "KeyError", "overview.py", "fails"):
        assert word in log
    assert not [one for one in ("s3cret", "k3y", "secret-query") if one in log + answer.text]


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/healthz", timeout=5).status_code == 200
    except httpx.TransportError:
        time.sleep(0.05)
        return False


def test_health_says_nothing_of_what_is_wrong_with_the_queue(redis: Redis, dashboard_of) -> None:
    redis.set("{mixpanel_queue}:partitions", "x")
    redis.rpush("{mixpanel_queue}:pauses", "x")
    for path in ("/readyz", "/healthz"):
        answer = dashboard_of(token="s3cret").get(path, headers=HTML)
        assert answer.status_code in {200, 503}
        assert "{mixpanel_queue}" not in answer.text


def test_a_redis_that_is_away_is_in_the_log_once_a_minute(caplog) -> None:
    url = f"redis://ann:s3cret@127.0.0.1:{free_port()}/0"
    app = create_app(Settings(redis_url=url), DashboardSettings(), mounted=False)
    with (
        browsing(app) as client,
        caplog.at_level(logging.WARNING, "mixrelay"),
    ):
        for _ in range(3):
            assert client.get("/letters", headers=HTML).status_code == 503
    told = [one.getMessage() for one in caplog.records if "unavailable" in one.getMessage()]
    assert len(told) == 1
    assert "cannot be reached" in told[0]
    assert "s3cret" not in caplog.text
