"""Requests under real servers, whose processes come and go: no message is lost or doubled."""

import os
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from random import Random

import pytest
from celery import Celery
from redis import Redis

from tests.support.fleet import wait_until
from tests.support.killable import KillableRedis
from tests.support.webload import BIN, Load, queued, serving, terminate_one

pytestmark = pytest.mark.load

REQUESTS = int(os.environ.get("MIXRELAY_LOAD_REQUESTS", "2000"))
TERMINATIONS = 10
APPS = "tests.chaos.web_apps"

GUNICORN = [f"{BIN}/gunicorn", "--bind", "127.0.0.1:PORT", "--workers", "4", "--preload"]
GUNICORN += ["--max-requests", "50", "--max-requests-jitter", "20", "--log-level", "warning"]
UVICORN = [f"{BIN}/uvicorn", "--port", "PORT", "--workers", "4", "--log-level", "warning"]
UVICORN += ["--limit-max-requests", "200", "--limit-max-requests-jitter", "100"]
SERVERS = {
    "gunicorn sync": [*GUNICORN, f"{APPS}:wsgi_app"],
    "gunicorn gthread": [*GUNICORN, "--worker-class", "gthread", "--threads", "4"],
    "uvicorn": [*UVICORN, f"{APPS}:asgi_app"],
    "uvicorn, awaited": [*UVICORN, f"{APPS}:async_app"],
}
SERVERS["gunicorn gthread"].append(f"{APPS}:wsgi_app")


@pytest.fixture
def environment(redis_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "MIXRELAY_REDIS_URL": redis_url,
        "MIXRELAY_SPOOL_DIR": str(tmp_path / "spool"),
        "MIXPANEL_TOKEN": "token",
        "CELERY_BROKER_URL": f"{redis_url}/1",
        "PYTHONWARNINGS": "default",
    }


def audit(redis: Redis, answered: Collection[int], asked: Collection[int]) -> None:
    """Every message whose response was sent is there exactly once; of the others none twice."""
    for kind, numbers in queued(redis).items():
        lost = set(answered) - numbers.keys()
        assert not lost, f"{len(lost)} lost of {kind}, such as {sorted(lost)[:10]}"
        doubled = [n for n, payloads in numbers.items() if len(payloads) > 1]
        assert not doubled, f"{len(doubled)} doubled of {kind}, such as {doubled[:10]}"
        assert numbers.keys() <= set(asked)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", SERVERS)
def test_every_answered_request_has_its_messages_queued_once(
    server: str, environment: dict[str, str], redis: Redis, tmp_path: Path, chance: Random
) -> None:
    with serving(SERVERS[server], environment, tmp_path / "server.log") as running:
        load = Load(running.port, REQUESTS)
        began = time.monotonic()
        load.start()
        for turn in range(1, TERMINATIONS):
            load.wait_for(turn / TERMINATIONS)
            if turn == TERMINATIONS // 2:
                running.terminate()  # a deploy: all of them, and a new server
                running.start()
            else:
                terminate_one(running, chance.choice)
        load.join()
        rate = REQUESTS / (time.monotonic() - began)
        running.terminate()
        log = running.tail()
    print(
        f"{server}: {REQUESTS} requests, {rate:.0f} a second, {len(load.unanswered)} unanswered, "
        f"longest {max(load.answered.values()):.1f} s"
    )
    assert len(load.answered) > 0.9 * REQUESTS, log
    audit(redis, load.answered, range(REQUESTS))


@pytest.fixture
def killable() -> Iterator[KillableRedis]:
    server = KillableRedis()
    yield server
    server.close()


P95 = 0.05
"""Seconds of a response."""

IN_FLIGHT = 16
"""Pushes that can be on their way when Redis is killed: the threads of all processes."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("server", SERVERS)
def test_a_restart_of_redis_loses_nothing_and_slows_nobody(
    server: str, environment: dict[str, str], killable: KillableRedis, tmp_path: Path
) -> None:
    environment |= {"MIXRELAY_REDIS_URL": killable.url}
    with serving(SERVERS[server], environment, tmp_path / "server.log") as running:
        load = Load(running.port, REQUESTS, clients=4)
        load.start()
        load.wait_for(0.4)
        killable.kill()
        killed = time.perf_counter()
        load.wait_for(0.6)
        killable.start()
        seconds = time.perf_counter() - killed
        load.join()
        since = sorted(load.answered[n] for n, began in load.moments.items() if began > killed)
        wait_until(lambda: is_spool_empty(tmp_path, load), 120, f"no spool\n{running.tail()}")
        running.terminate()
    found = queued(killable.client)
    for kind, numbers in found.items():
        lost = load.answered.keys() - numbers.keys()
        assert not lost, f"{len(lost)} lost of {kind}, such as {sorted(lost)[:10]}"
    doubled = {
        kind: {n: payloads for n, payloads in numbers.items() if len(payloads) > 1}
        for kind, numbers in found.items()
    }
    for n, payloads in doubled["event"].items():
        assert len(set(payloads)) == 1, f"{n}: not one event, for Mixpanel"
    p95 = since[int(len(since) * 0.95)]
    print(
        f"{server}: Redis away for {seconds:.1f} s; p50 {since[len(since) // 2] * 1000:.0f} ms, "
        f"p95 {p95 * 1000:.0f} ms, longest {since[-1] * 1000:.0f} ms; "
        f"increments counted twice: {sorted(doubled['$add']) or 'none'}"
    )
    assert p95 < P95
    # A push whose answer the kill cut off is pushed again (``on_ambiguous="retry"``).
    assert len(doubled["$add"]) <= IN_FLIGHT


def is_spool_empty(folder: Path, load: Load) -> bool:
    """Whether all is pushed; makes some requests, since it is they that push."""
    load.ask_more(20)
    return not list((folder / "spool").rglob("*.jsonl"))


def is_idle(broker: Redis) -> bool:
    """Whether Celery's own queue is empty, and no task is with a worker."""
    return not broker.llen("celery") and not broker.hlen("unacked")


@pytest.mark.timeout(600)
def test_every_task_of_celery_has_its_messages_queued_once(
    environment: dict[str, str], redis: Redis, redis_url: str, tmp_path: Path
) -> None:
    command = [f"{BIN}/celery", "--app", f"{APPS}:celery_app", "worker", "--concurrency", "4"]
    command += ["--max-tasks-per-child", "50", "--loglevel", "warning", "--without-mingle"]
    with Celery(broker=f"{redis_url}/1") as celery:
        for n in range(REQUESTS):
            celery.send_task(f"{APPS}.load", args=[n])
    with (
        serving(command, environment, tmp_path / "celery.log") as running,
        Redis.from_url(f"{redis_url}/1") as broker,
    ):
        for turn in range(1, 4):
            left = REQUESTS * (1 - turn / 4)
            wait_until(lambda left=left: broker.llen("celery") <= left, 200, "a quarter is done")
            running.terminate()  # a warm shutdown: what runs ends, the rest goes back
            running.start()
        wait_until(lambda: is_idle(broker), 200, f"all tasks done\n{running.tail()}")
        running.terminate()
        ended = {int(run): int(n) for run, n in broker.hgetall("ended").items()}
        begun = int(broker.get("runs"))
    print(f"celery: {REQUESTS} tasks, of which it ran {begun - REQUESTS} again by itself")
    assert set(ended.values()) == set(range(REQUESTS))
    audit(redis, ended.keys(), range(begun + 1))
